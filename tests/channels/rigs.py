"""What every kind of channel is checked with: one rig each, which plays the people's side over real sockets."""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Protocol, Self, TypeAlias

from flowy_watch.channels import CHANNELS
from flowy_watch.channels.base import Channel, Envelope
from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Severity, Stakes
from flowy_watch.core.message import EmailMessage, FactsMessage, Message, SlackMessage
from flowy_watch.core.notification import Notification
from flowy_watch.simulator.people import FakeSlack, MailSink
from tests.builders import MIDNIGHT, MINUTE, NOON, alert, credit

from .receiver import Receiver, Taken

SLACK_MESSAGE = SlackMessage("hello", ({"type": "section", "text": {"type": "plain_text", "text": "hello"}},))
MAIL = EmailMessage("Hello", "hello\n", "<p>hello</p>")
PASSWORD = "correct-horse-battery"
STAKES = Stakes(
    spent_today=credit(4800),
    per_hour=credit(1200.5),
    resets_at=MIDNIGHT,
    daily_cap=credit(5000),
    cap_hit_at=NOON + 10 * MINUTE,
    at_risk_today=credit(200),
    at_risk_next_day=credit(5000),
)


def notification(
    change: Change = Change.OPENED, *, owner: str = "media-team", also: tuple[str, ...] = (), **more: Any
) -> Notification:
    """About alert 12: `render` near its cap, critical."""
    given = {
        "id": 12,
        "level": 95,
        "severity": Severity.CRITICAL,
        "title": "render is at 96 % of its daily cap",
        "stakes": STAKES,
    }
    return Notification("ops", change, alert(**(given | more)), NOON, owner, also=also)


def facts(*told: Notification, title: str = "CRITICAL render is at 96 % of its daily cap") -> FactsMessage:
    """A message about these, else about one alert that just opened."""
    link = "https://app.example.com/settings/api-keys"
    return FactsMessage(title, f"{title}\n\nWhat to do.\n\nAlert 12", link, told or (notification(),))


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
        self.slack.limit(1)

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


class HttpRig:
    """A service that takes JSON at an address."""

    message: Message = facts()
    kind = "webhook"
    secret = "path-of-the-hook-7f3a"

    def __init__(self) -> None:
        self.receiver = Receiver(self.allowed)

    def __enter__(self) -> Self:
        self.receiver.__enter__()
        self.options: dict[str, Any] = self.configured()
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.__exit__()

    def configured(self) -> dict[str, Any]:
        return {"url": f"{self.receiver.url}/{self.secret}"}

    def allowed(self, taken: Taken) -> int:
        return 204 if taken.path == f"/{self.secret}" else 404

    def arrived(self) -> int:
        return len(self.receiver.accepted)

    def tried(self) -> int:
        return len(self.receiver.requests)

    def refuse(self) -> None:
        self.receiver.then(410)

    def postpone(self) -> None:
        self.receiver.then(503)

    def hang(self) -> None:
        self.receiver.then(how="hang")

    def drop(self) -> None:
        self.receiver.then(how="drop")


class SignedWebhookRig(HttpRig):
    """With its secrets elsewhere than in the address."""

    secret = "bearer-of-the-hook-7f3a"

    def configured(self) -> dict[str, Any]:
        return {"url": f"{self.receiver.url}/hook", "token": self.secret, "secret": f"signs-{self.secret}"}

    def allowed(self, taken: Taken) -> int:
        return 200 if taken.headers.get("authorization") == f"Bearer {self.secret}" else 401


class PagerDutyRig(HttpRig):
    kind = "pagerduty"
    secret = "R0123456789abcdef0123456789ABCDE"

    def configured(self) -> dict[str, Any]:
        return {"routing_key": self.secret, "api_url": self.receiver.url}

    def allowed(self, taken: Taken) -> int:
        known = taken.path == "/v2/enqueue" and taken.json["routing_key"] == self.secret
        return 202 if known else 400

    def refuse(self) -> None:
        self.receiver.then(400)


class AppriseRig(HttpRig):
    kind = "apprise"
    secret = "token-in-the-address-7f3a"

    def configured(self) -> dict[str, Any]:
        return {"url": f"json://127.0.0.1:{self.receiver.port}/{self.secret}"}


AnyRig: TypeAlias = SlackRig | EmailRig | HttpRig

RIGS: dict[str, type[AnyRig]] = {
    "slack": SlackRig,
    "slack_webhook": WebhookRig,
    "email": EmailRig,
    "pagerduty": PagerDutyRig,
    "webhook": HttpRig,
    "apprise": AppriseRig,
}


def open_channel(stack: ExitStack, kind: str, options: dict[str, Any], *, patience: float = 5.0) -> Channel:
    config = CHANNELS[kind].Config.model_validate({"timeout": timedelta(seconds=patience)} | options)
    channel = CHANNELS[kind]("ops", config)
    stack.callback(channel.close)
    return channel
