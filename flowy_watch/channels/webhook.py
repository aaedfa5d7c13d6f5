"""A program of your own: the facts of each alert as JSON, posted to an address."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.channels.poster import Poster, is_web_address
from flowy_watch.channels.retry_after import retry_after
from flowy_watch.clock import SystemClock
from flowy_watch.core.check import Check
from flowy_watch.core.finding import Stakes
from flowy_watch.core.message import Dialect, FactsMessage, Message
from flowy_watch.core.notification import Notification
from flowy_watch.core.route import Traits
from flowy_watch.core.usage import CREDIT, Microcredits, clean_name
from flowy_watch.errors import Doubtful, Refused, TryLater

VERSION = 1
"""Of the body's shape: fields may be added under the same number, never renamed or removed."""

BUSY = {408, 409, 425, 429}  # 409: an earlier try with the same Idempotency-Key is still being worked on


class WebhookConfig(BaseModel):
    """`[channels.<name>]` with `kind = "webhook"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    """A secret: most such addresses hold one."""
    token: SecretStr = SecretStr("")
    """Sent as `Authorization: Bearer …`; empty: no such header."""
    secret: SecretStr = SecretStr("")
    """What the signature is made with; empty: no signature."""
    timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """For a whole request, from the connection to the answer."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: SecretStr) -> SecretStr:
        if not is_web_address(url.get_secret_value()):
            raise ValueError("must be a whole address, beginning with https://")
        return url

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, token: SecretStr) -> SecretStr:
        value = token.get_secret_value()
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ValueError("must be plain ASCII without spaces: it travels in a header")
        return token

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.token.get_secret_value() and "@" in urlsplit(self.url.get_secret_value()).netloc:
            raise ValueError("url holds a login and token is another: only one of them can be sent")
        return self


class WebhookChannel:
    """Posts the facts as JSON.

    At least once: a post whose answer got lost is sent again, with the same `Idempotency-Key`, by which the other side
    can tell. Any 2xx is delivered; the body of the answer is never read and no redirect followed.

    The body (`null` where something is not known, amounts in credits, instants in ISO 8601 and UTC):

        {"version": 1, "id": "…", "title": "…", "text": "…",
         "alerts": [{"alert_id": 12, "change": "opened", "kind": "cap", "severity": "critical", "status": "open",
                     "level": 95, "key_id": "…", "key_name": "…", "key_last_four": "…", "owner": "…", "title": "…",
                     "evidence": ["…"], "also": ["…"], "note": null, "facts": {"…": "…"},
                     "stakes": {"spent_today": 4800, "per_hour": 1200, "daily_cap": 5000, "balance": 12340,
                                "at_risk_today": 200, "at_risk_next_day": 5000, "cap_hit_at": "…", "resets_at": "…"},
                     "told_at": "…", "opened_at": "…", "last_seen_at": "…", "resolved_at": null,
                     "acknowledged_by": null, "acknowledged_until": null}]}

    `id` is the `Idempotency-Key` too; `alerts` has more than one entry when much breaks at once and none in a test.
    With a secret there are two more headers: `Flowy-Watch-Timestamp` in seconds since 1970, and
    `Flowy-Watch-Signature: v1=` and the hex HMAC-SHA256 of that timestamp, a dot and the body.
    """

    Config: ClassVar = WebhookConfig
    dialect = Dialect.FACTS
    traits = Traits(tracks=True)

    def __init__(self, name: str, config: WebhookConfig) -> None:
        self.name = name
        self._config = config
        self._poster = Poster(name, host="the host", option="url", timeout=config.timeout)

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if not isinstance(message, FactsMessage):
            raise Refused(f'channel "{self.name}" takes facts only; this is a bug of flowy-watch')
        body = json.dumps(_body(message, envelope.outbox_id)).encode()
        url = self._config.url.get_secret_value()
        answer = self._poster.post(url, body, self._headers(body, envelope.outbox_id))
        self._judge(answer.status, answer.headers)
        return Receipt()

    def check(self) -> Iterator[Check]:
        """Only that the host answers: the address cannot be tried without posting."""
        reached = self._poster.reaches(self._config.url.get_secret_value())
        known = "its host can be reached; only notify-test shows whether it takes posts"
        yield Check(f"channels.{self.name}", ok=reached, detail=known if reached else "its host could not be reached")

    def close(self) -> None:
        self._poster.close()

    def _headers(self, body: bytes, outbox_id: str) -> dict[str, str]:
        headers = {"Idempotency-Key": outbox_id}
        if token := self._config.token.get_secret_value():
            headers["Authorization"] = f"Bearer {token}"
        if secret := self._config.secret.get_secret_value():
            timestamp = str(int(SystemClock().now().timestamp()))
            signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
            headers |= {"Flowy-Watch-Timestamp": timestamp, "Flowy-Watch-Signature": f"v1={signature}"}
        return headers

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        if 200 <= status < 300:
            return
        pause = retry_after(headers.get("retry-after"), headers.get("date"))
        if status in BUSY:
            raise TryLater(f'the host of channel "{self.name}" asks to wait (HTTP {status})', retry_after=pause)
        if status == 504:
            raise Doubtful(f'a gateway of channel "{self.name}" waited in vain and may have passed the message on')
        if status >= 500:
            raise TryLater(f'the host of channel "{self.name}" has trouble (HTTP {status})', retry_after=pause)
        if status < 400:
            advice = f"it redirects, which is not followed; set channels.{self.name}.url to where it leads"
        elif status in (401, 403):
            advice = f"fix channels.{self.name}.token, channels.{self.name}.secret or channels.{self.name}.url"
        else:
            advice = f"is channels.{self.name}.url right, and does it take posts of JSON?"
        raise Refused(f'the host of channel "{self.name}" refused (HTTP {status}): {advice}')


def _body(message: FactsMessage, outbox_id: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "id": outbox_id,
        "title": message.title,
        "text": message.text,
        "alerts": [_facts(notification) for notification in message.about],
    }


def _facts(notification: Notification) -> dict[str, Any]:
    """One alert. A key's name is made harmless once more, should it come from an older version's outbox."""
    alert, finding = notification.alert, notification.alert.finding
    return {
        "alert_id": alert.id,
        "change": notification.change.value,
        "kind": finding.kind,
        "severity": finding.severity.word,
        "status": alert.status.value,
        "level": finding.level,
        "key_id": _word(finding.key_id),
        "key_name": _word(finding.key_name),
        "key_last_four": _word(finding.last_four),
        "owner": _word(notification.owner),
        "title": clean_name(finding.title),
        "evidence": [clean_name(line) for line in finding.evidence],
        "also": [clean_name(title) for title in notification.also],
        "note": _word(notification.note),
        "facts": {name: clean_name(value) for name, value in finding.facts.items()},
        "stakes": _stakes(finding.stakes) if finding.stakes else None,
        "told_at": _instant(notification.created_at),
        "opened_at": _instant(alert.opened_at),
        "last_seen_at": _instant(alert.last_seen_at),
        "resolved_at": _instant(alert.resolved_at),
        "acknowledged_by": _word(alert.acknowledged_by),
        "acknowledged_until": _instant(alert.acknowledged_until),
    }


def _stakes(stakes: Stakes) -> dict[str, Any]:
    return {
        "spent_today": _credits(stakes.spent_today),
        "per_hour": _credits(stakes.per_hour),
        "daily_cap": _credits(stakes.daily_cap),
        "balance": _credits(stakes.balance),
        "at_risk_today": _credits(stakes.at_risk_today),
        "at_risk_next_day": _credits(stakes.at_risk_next_day),
        "cap_hit_at": _instant(stakes.cap_hit_at),
        "resets_at": _instant(stakes.resets_at),
    }


def _word(text: str | None) -> str | None:
    return clean_name(text or "") or None


def _credits(amount: Microcredits | None) -> int | float | None:
    """Whole credits as a whole number, so that they stay exact whatever reads them."""
    if amount is None:
        return None
    return amount / CREDIT if amount % CREDIT else amount // CREDIT


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
