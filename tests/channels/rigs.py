"""What every kind of channel is checked with: one rig each, which plays the people's side over real sockets."""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Protocol, Self

from flowy_watch.channels import CHANNELS
from flowy_watch.channels.base import Channel, Envelope
from flowy_watch.core.message import EmailMessage, Message, SlackMessage
from flowy_watch.simulator.people import FakeSlack, MailSink

SLACK_MESSAGE = SlackMessage("hello", ({"type": "section", "text": {"type": "plain_text", "text": "hello"}},))
MAIL = EmailMessage("Hello", "hello\n", "<p>hello</p>")
PASSWORD = "correct-horse-battery"


def envelope(outbox_id: str = "n-1", **more: Any) -> Envelope:
    return Envelope(outbox_id, more.pop("thread", "alert-12"), **more)


class Rig(Protocol):
    options: dict[str, Any]
    """A complete configuration of this kind."""
    secret: str
    """What of it must never be seen again."""
    message: Message

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def arrived(self) -> int: ...

    def tried(self) -> int:
        """Requests of any outcome that carried a message."""

    def refuse(self) -> None: ...

    def postpone(self) -> None: ...

    def hang(self) -> None: ...

    def drop(self) -> None: ...


class SlackRig:
    message: Message = SLACK_MESSAGE
    kind = "slack"

    def __init__(self) -> None:
        self.slack = FakeSlack()

    def __enter__(self) -> Self:
        self.slack.__enter__()
        self.secret = self.slack.token
        self.options: dict[str, Any] = {"token": self.slack.token, "channel": "C0SIM", "api_url": self.slack.url}
        return self

    def __exit__(self, *_: object) -> None:
        self.slack.__exit__()

    def arrived(self) -> int:
        return len(self.slack.posts)

    def tried(self) -> int:
        return len(self.slack.requests)

    def refuse(self) -> None:
        self.slack.refuse("channel_is_archived" if self.kind == "slack_webhook" else "is_archived")

    def postpone(self) -> None:
        self.slack.fail(503)

    def hang(self) -> None:
        self.slack.hang()

    def drop(self) -> None:
        self.slack.drop()


class WebhookRig(SlackRig):
    kind = "slack_webhook"

    def __enter__(self) -> Self:
        super().__enter__()
        self.secret = self.slack.webhook_secret
        self.options = {"url": self.slack.webhook_url}
        return self


class EmailRig:
    message: Message = MAIL
    kind = "email"
    secret = PASSWORD

    def __init__(self) -> None:
        self.sink = MailSink(login=("watch", PASSWORD))

    def __enter__(self) -> Self:
        self.sink.__enter__()
        self.options: dict[str, Any] = {
            "host": self.sink.host,
            "port": self.sink.port,
            "security": "none",
            "username": "watch",
            "password": PASSWORD,
            "from": "Flowy Watch <watch@example.com>",
            "to": ["ana@example.com"],
        }
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.__exit__()

    def arrived(self) -> int:
        return len(self.sink.mails)

    def tried(self) -> int:
        return len(self.sink.attempts)

    def refuse(self) -> None:
        self.sink.refuse("ana@example.com", "550 no such mailbox")

    def postpone(self) -> None:
        self.sink.refuse("ana@example.com", "451 busy")

    def hang(self) -> None:
        self.sink.hang()

    def drop(self) -> None:
        self.sink.drop()


RIGS: dict[str, type[SlackRig] | type[EmailRig]] = {"slack": SlackRig, "slack_webhook": WebhookRig, "email": EmailRig}


def open_channel(stack: ExitStack, kind: str, options: dict[str, Any], *, patience: float = 5.0) -> Channel:
    config = CHANNELS[kind].Config.model_validate({"timeout": timedelta(seconds=patience)} | options)
    channel = CHANNELS[kind]("ops", config)
    stack.callback(channel.close)
    return channel
