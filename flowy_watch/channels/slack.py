"""Slack by bot token: the kind that can prove what arrived.

Longer than most: half of it says what Slack's answers mean, and what whoever reads them should do.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from http.client import HTTPException
from ssl import SSLCertVerificationError
from typing import Annotated, Any, ClassVar, NoReturn, Self
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener, proxy_bypass

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from flowy_watch.channels.base import Act, Envelope, Receipt
from flowy_watch.channels.retry_after import retry_after
from flowy_watch.channels.slack_buttons import SlackButtons, silent_logger
from flowy_watch.core.check import Check
from flowy_watch.core.message import Dialect, Message, SlackMessage
from flowy_watch.core.route import Traits
from flowy_watch.errors import ChannelError, Doubtful, Refused, TryLater

EVENT = "flowy_watch"

# What a person can do about it; {name} is the channel's name in the configuration.
ADVICE = {
    "invalid_auth": "the bot token is not valid; set channels.{name}.token to the app's Bot User OAuth Token",
    "not_authed": "no bot token was sent; set channels.{name}.token",
    "token_revoked": "the bot token was revoked; reinstall the Slack app and set channels.{name}.token",
    "token_expired": "the bot token has expired; reinstall the Slack app and set channels.{name}.token",
    "account_inactive": "the Slack app was removed; reinstall it and set channels.{name}.token",
    "missing_scope": "the bot lacks a permission; add the scope chat:write to the Slack app and reinstall it",
    "not_allowed_token_type": "this is not a bot token; set channels.{name}.token to the one that begins with xoxb-",
    "channel_not_found": "there is no such channel, or it is private; fix channels.{name}.channel or invite the bot",
    "not_in_channel": "the bot is not in the channel; type /invite @<the bot> there",
    "is_archived": "the channel is archived; unarchive it or set channels.{name}.channel to another one",
    "restricted_action": "posting there is restricted; allow the app to post, in the channel's settings in Slack",
    "no_permission": "the app may not post there; allow it in the workspace's app settings in Slack",
    "access_denied": "the workspace does not allow this app; ask a Slack administrator to approve it",
    "team_access_not_granted": "the app is not approved for this workspace; ask a Slack administrator",
    "invalid_blocks": "Slack could not read the message; please report this as a bug of flowy-watch",
    "invalid_blocks_format": "Slack could not read the message; please report this as a bug of flowy-watch",
    "msg_blocks_too_long": "the message is too long for Slack; please report this as a bug of flowy-watch",
    "msg_too_long": "the message is too long for Slack; please report this as a bug of flowy-watch",
}
PASSING = {"ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"}
HISTORY = {"channels:history", "groups:history"}
HALF_DONE = {"internal_error", "fatal_error"}  # Slack: "some aspect of the operation may have succeeded"
CANNOT_UPDATE = {"message_not_found", "edit_window_closed", "cant_update_message"}
MOST_PAGES = 10
MOST_READ = 16 * 1024 * 1024  # bytes; a page of messages has some hundred thousand
CLOCKS_APART = timedelta(hours=3)  # Slack's clock dates the messages, ours says since when to look, and may be wrong


def _with_slash(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("must begin with https://")
    return url.rstrip("/") + "/"


class SlackConfig(BaseModel):
    """`[channels.<name>]` with `kind = "slack"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr = Field(min_length=1)
    channel: str = Field(min_length=1)
    """The channel's id (`C0123…`, at the end of its "About" tab); a name works too but cannot be read back."""
    api_url: Annotated[str, AfterValidator(_with_slash)] = "https://slack.com/api/"
    timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    app_token: SecretStr | None = Field(default=None, min_length=1)
    """An App-Level Token (`xapp-…`) with `connections:write`: messages get buttons. None: no buttons but links."""
    allowed_users: tuple[Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")], ...] = ()
    """The member ids (`U0123…`) of those who may press them."""

    @model_validator(mode="after")
    def _buttons_are_for_somebody(self) -> Self:
        if self.app_token and not self.allowed_users:
            raise ValueError("allowed_users must name who may press the buttons that app_token brings")
        if self.allowed_users and not self.app_token:
            raise ValueError("allowed_users needs app_token: without it there are no buttons")
        return self


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: whoever redirects gets no second request, which would hold the token and not the message."""


class _Client(WebClient):
    """slack_sdk's, without its trust: it follows redirects with the token to any host, and reads without an end."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        proxy = [ProxyHandler({"http": self.proxy, "https": self.proxy})] if self.proxy else []
        opener = build_opener(_NoRedirect(), HTTPSHandler(context=self.ssl), *proxy)
        with opener.open(req, timeout=self.timeout) as answer:
            body = answer.read(MOST_READ + 1)
            if len(body) > MOST_READ:
                raise ValueError("an answer without an end")
            return {"status": answer.status, "headers": answer.headers, "body": body.decode("utf-8", "replace")}


class SlackChannel:
    """Posts with `chat.postMessage`; the outbox id travels in the message's metadata, where `find` reads it back."""

    Config: ClassVar = SlackConfig
    traits = Traits(changes=True, threads=True)

    def __init__(self, name: str, config: SlackConfig) -> None:
        self.name = name
        self.dialect = Dialect.SLACK_BUTTONS if config.app_token else Dialect.SLACK
        self._channel, self._config = config.channel, config
        self._client = _Client(
            token=config.token.get_secret_value(),
            base_url=config.api_url,
            timeout=config.timeout.total_seconds(),  # type: ignore[arg-type]  # a float is fine, the hint says int
            retry_handlers=[],  # the default repeats a dropped post, and so posts twice
            logger=silent_logger(),
        )
        if proxy_bypass(urlsplit(config.api_url).hostname or ""):
            self._client.proxy = None  # slack_sdk reads HTTPS_PROXY but not NO_PROXY

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if not isinstance(message, SlackMessage):
            raise Refused(f'channel "{self.name}" takes Slack messages only; this is a bug of flowy-watch')
        body: dict[str, Any] = {
            "text": message.text,
            "blocks": [dict(block) for block in message.blocks],
            "metadata": {"event_type": EVENT, "event_payload": {"outbox_id": envelope.outbox_id}},
            "parse": "none",
            "link_names": False,
        }
        if envelope.reply_to:
            return self._post({**body, "thread_ts": envelope.reply_to.rpartition(":")[2]})
        if envelope.story and (url := self._permalink(envelope.story)):
            body["blocks"] = [*body["blocks"], _link(url, "Open the first message and its story")]
        if not envelope.update_of:
            return self._post(body)
        channel, _, ts = envelope.update_of.rpartition(":")
        if envelope.newer and (url := self._permalink(envelope.newer)):
            body["blocks"] = [*body["blocks"], _link(url, "Open the newer message")]
        try:
            return self._receipt(self._call(self._client.chat_update, channel=channel, ts=ts, **body))
        except _CannotUpdate as error:
            if envelope.or_nothing:
                return Receipt(envelope.update_of)
            # The reply stays beside the message it could not change, unless that one is gone.
            return self._post(body if error.code == "message_not_found" else {**body, "thread_ts": ts})

    def find(self, envelope: Envelope, *, since: datetime) -> Receipt | None:
        """The proof that this notification arrived, read back from Slack; None when it did not."""
        for message in self._written(envelope, since):
            metadata = _fields(message.get("metadata"))
            payload = _fields(metadata.get("event_payload"))
            if metadata.get("event_type") == EVENT and payload.get("outbox_id") == envelope.outbox_id:
                channel = envelope.update_of.rpartition(":")[0] or self._channel
                return Receipt(f"{channel}:{message.get('ts', '')}")
        return None

    def check(self) -> Iterator[Check]:
        name = f"channels.{self.name}"
        try:
            who = self._call(self._client.auth_test)
        except ChannelError as error:
            yield Check(name, ok=False, detail=str(error))
            return
        bot, team = _plain(who.get("user")), _plain(who.get("team"))
        yield Check(name, ok=True, detail=f"Slack knows the bot as {bot} in {team}")
        scopes = {scope.strip() for scope in (_header(who, "x-oauth-scopes") or "").split(",")} - {""}
        if scopes and "chat:write" not in scopes:
            yield Check(name, ok=False, detail=ADVICE["missing_scope"])
        if scopes and not scopes & HISTORY:
            yield Check(
                name,
                ok=True,
                detail="better add the scope channels:history (groups:history for a private channel): without it a "
                "post whose answer got lost cannot be looked up, and comes again, marked as a possible repeat",
            )
        yield self._check_channel(name, scopes)
        if listener := self.listener(lambda _: ""):
            yield from listener.check()

    def listener(self, act: Act) -> SlackButtons | None:
        token = self._config.app_token
        if token is None:
            return None
        return SlackButtons(
            self.name,
            self._client,
            app_token=token.get_secret_value(),
            allowed_users=self._config.allowed_users,
            timeout=self._config.timeout,
            act=act,
        )

    def close(self) -> None:
        """Nothing stays open between two posts."""

    def _check_channel(self, name: str, scopes: set[str]) -> Check:
        try:
            info = _fields(self._call(self._client.conversations_info, channel=self._channel).get("channel"))
        except Refused as error:
            if not (isinstance(error, _Refused) and error.code == "missing_scope"):
                return Check(name, ok=False, detail=str(error))
            unknown = "whether it may post is not known without the scope channels:read; try notify-test"
            return Check(name, ok=True, detail=unknown)
        except ChannelError as error:
            return Check(name, ok=False, detail=str(error))
        label = f"#{_plain(info.get('name'))}"
        if info.get("is_archived"):
            return Check(name, ok=False, detail=f"{label}: {ADVICE['is_archived'].format(name=self.name)}")
        if info.get("is_member") is False and "chat:write.public" not in scopes:
            return Check(name, ok=False, detail=f"{label}: {ADVICE['not_in_channel']}")
        return Check(name, ok=True, detail=f"may post to {label}")

    def _permalink(self, remote_id: str) -> str:
        """Empty where Slack does not say: a pointer without a link is better than none."""
        channel, _, ts = remote_id.rpartition(":")
        try:
            url = self._call(self._client.chat_getPermalink, channel=channel, message_ts=ts).get("permalink")
        except ChannelError:
            return ""
        return url if isinstance(url, str) and url.startswith("https://") and len(url) <= 3000 else ""

    def _post(self, body: dict[str, Any]) -> Receipt:
        return self._receipt(
            self._call(
                self._client.chat_postMessage, channel=self._channel, unfurl_links=False, unfurl_media=False, **body
            )
        )

    def _receipt(self, response: SlackResponse) -> Receipt:
        channel, ts = response.get("channel"), response.get("ts")
        if not (isinstance(channel, str) and isinstance(ts, str)):
            raise Doubtful(f'Slack answered channel "{self.name}" without saying where the message is')
        return Receipt(f"{channel}:{ts}")

    def _written(self, envelope: Envelope, since: datetime) -> Iterator[Mapping[str, Any]]:
        """The messages among which this one would be: a thread when it was to change a message, else the channel."""
        query: dict[str, Any] = {"channel": self._channel, "oldest": f"{(since - CLOCKS_APART).timestamp():.6f}"}
        read: Callable[..., SlackResponse] = self._client.conversations_history
        if stands := envelope.update_of or envelope.reply_to:
            channel, _, ts = stands.rpartition(":")
            query = {"channel": channel, "ts": ts}
            read = self._client.conversations_replies
        cursor = ""
        for _ in range(MOST_PAGES):
            page = self._call(read, include_all_metadata=True, limit=200, cursor=cursor or None, **query)
            messages: object = page.get("messages", [])
            if not isinstance(messages, list):
                raise Doubtful(f'Slack read channel "{self.name}" back without a list of messages')
            yield from (message for message in messages if isinstance(message, dict))
            cursor = _fields(page.get("response_metadata")).get("next_cursor") or ""
            if not cursor:
                return

    def _call(self, method: Callable[..., SlackResponse], **arguments: Any) -> SlackResponse:
        """One request, and whatever goes wrong as one of our own errors."""
        try:
            return method(**arguments)
        except SlackApiError as error:
            self._explain(error.response)
        except URLError as error:  # before or while the request was written: Slack cannot have all of it
            if isinstance(error.reason, SSLCertVerificationError):
                raise Refused(
                    f'the certificate of Slack\'s address could not be verified for channel "{self.name}"; '
                    f"fix channels.{self.name}.api_url or the machine's certificates"
                ) from error
            raise TryLater(f'Slack could not be reached for channel "{self.name}"') from error
        except (OSError, HTTPException) as error:
            raise Doubtful(f'Slack gave no answer for channel "{self.name}" after the message was sent') from error
        except (SlackClientError, ValueError, AttributeError, TypeError) as error:
            raise Doubtful(f'Slack gave an answer for channel "{self.name}" that makes no sense') from error

    def _explain(self, response: SlackResponse) -> NoReturn:
        status, code = response.status_code, str((response.data or {}).get("error", ""))  # type: ignore[union-attr]  # bytes only for analytics files
        pause = retry_after(_header(response, "retry-after"), _header(response, "date"))
        if status == 429 or code in PASSING:
            raise TryLater(f'Slack asks channel "{self.name}" to wait', retry_after=pause)
        if code in CANNOT_UPDATE:
            raise _CannotUpdate(f'Slack cannot change a message of channel "{self.name}" any more ({code})', code)
        if code in HALF_DONE or status >= 500:  # whoever answers 500 may have posted it before it fell
            stumbled = f"stumbled over a message (HTTP {status}) for"
            raise Doubtful(
                f'Slack {stumbled} channel "{self.name}" and may have posted it',
                retry_after=pause,
                answered=status != 504,
            )
        if not re.fullmatch(r"[a-z0-9_]{1,60}", code):
            if status == 200:
                raise Doubtful(f'Slack gave an answer for channel "{self.name}" that makes no sense')
            raise Refused(f'HTTP {status} for channel "{self.name}"; is channels.{self.name}.api_url right?')
        advice = ADVICE.get(code, "Slack's documentation of chat.postMessage says what this means")
        raise _Refused(f'Slack refused channel "{self.name}" ({code}): {advice.format(name=self.name)}', code)


class _Refused(Refused):
    """A refusal with Slack's own word for it."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


class _CannotUpdate(_Refused):
    """The earlier message can no longer be changed: a new one takes its place."""


def _header(response: SlackResponse, name: str) -> str | None:
    return next((str(value) for key, value in dict(response.headers or {}).items() if key.lower() == name), None)


def _fields(part: object) -> Mapping[str, Any]:
    """A part of an answer; empty where it has another form than Slack documents."""
    return part if isinstance(part, dict) else {}


def _link(url: str, words: str) -> dict[str, Any]:
    link = {"type": "link", "url": url, "text": words}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]}


def _plain(word: object) -> str:
    """A word of Slack's, short and on one line."""
    return "".join(c for c in str(word or "?") if c.isprintable())[:80]
