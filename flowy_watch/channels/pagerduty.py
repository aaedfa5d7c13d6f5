"""PagerDuty, by its Events API v2: one incident per alert, opened, taken on and closed with it."""

import hashlib
import json
import socket
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from enum import StrEnum
from time import monotonic
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.channels.poster import Poster, is_web_address
from flowy_watch.channels.retry_after import retry_after
from flowy_watch.core.alert import Alert, Change
from flowy_watch.core.check import Check
from flowy_watch.core.finding import Stakes
from flowy_watch.core.message import Dialect, FactsMessage, Message
from flowy_watch.core.notification import Notification
from flowy_watch.core.route import Traits
from flowy_watch.core.usage import clean_name
from flowy_watch.core.words import credit_words
from flowy_watch.errors import Refused, TryLater

LONGEST_SUMMARY = 1024  # PagerDuty refuses more
LONGEST_TEXT = 20_000  # a whole event may have 512 KB
REMEMBERED = 100  # messages about many alerts of which a part is told
MOST_REFUSALS = 3  # in a row from the start; beyond it every other event would be refused too
SOURCE = "flowy-watch"


class Action(StrEnum):
    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


def action_of(change: Change) -> Action:
    """What an alert that changed so is for PagerDuty."""
    if change.ends or change is Change.STOPPED:  # a use after all triggers it anew
        return Action.RESOLVE
    return Action.ACKNOWLEDGE if change.takes_on else Action.TRIGGER


def _web_address(url: str) -> str:
    if not is_web_address(url):
        raise ValueError("must be a whole address, beginning with https://")
    return url.rstrip("/")


class PagerDutyConfig(BaseModel):
    """`[channels.<name>]` with `kind = "pagerduty"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    routing_key: SecretStr = Field(min_length=1)
    """The Integration Key of an "Events API V2" integration of a PagerDuty service."""
    api_url: Annotated[str, AfterValidator(_web_address)] = "https://events.pagerduty.com"
    """`https://events.eu.pagerduty.com` for accounts in the EU."""
    timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """For one event. A message about many alerts goes on no longer than this either, and later where it stopped."""


@dataclass(slots=True)
class _Progress:
    """How far a message about many alerts got, over all tries."""

    taken: int = 0
    refused: dict[str, str] = field(default_factory=dict)


class PagerDutyChannel:
    """Sends one event for each alert of a message.

    All events of an alert carry the same `dedup_key`, so a second try after a lost answer adds a line to the incident
    and never makes another one. A message about many alerts that fails in the middle goes on where it stopped as long
    as this object lives, and from its beginning after that.

    What is about no alert, as a test, triggers an incident of severity info, the same one each time.
    """

    Config: ClassVar = PagerDutyConfig
    dialect = Dialect.FACTS
    traits = Traits(tracks=True)

    def __init__(self, name: str, config: PagerDutyConfig) -> None:
        self.name = name
        self._config = config
        self._progress: OrderedDict[str, _Progress] = OrderedDict()
        self._poster = Poster(name, host="PagerDuty", option="api_url", timeout=config.timeout)

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if not isinstance(message, FactsMessage):
            raise Refused(f'channel "{self.name}" takes facts only; this is a bug of flowy-watch')
        events = [_event(notification, message) for notification in message.about] or [self._test(message)]
        progress = self._progress.setdefault(envelope.outbox_id, _Progress())
        while len(self._progress) > REMEMBERED:
            self._progress.popitem(last=False)
        began = monotonic()
        while progress.taken < len(events):
            if monotonic() - began > self._config.timeout.total_seconds():
                told = f'channel "{self.name}" has {progress.taken} of {len(events)} alerts; the others follow'
                raise TryLater(told, retry_after=timedelta(seconds=1))
            event = events[progress.taken]
            try:
                self._post(event)
            except Refused as error:
                progress.refused[str(event["dedup_key"])] = str(error)
                tried = progress.taken + 1
                # One event may be at fault by itself; when all are it is the configuration.
                if len(progress.refused) == tried and tried in (MOST_REFUSALS, len(events)):
                    del self._progress[envelope.outbox_id]
                    raise
            progress.taken += 1
        del self._progress[envelope.outbox_id]
        return Receipt(str(events[0]["dedup_key"]) if len(events) == 1 else "", progress.refused)

    def check(self) -> Iterator[Check]:
        """Only that PagerDuty answers: a routing key cannot be tried without an event."""
        reached = self._poster.reaches(self._config.api_url)
        known = "PagerDuty can be reached; only notify-test shows whether it takes the routing key"
        yield Check(f"channels.{self.name}", ok=reached, detail=known if reached else "PagerDuty could not be reached")

    def close(self) -> None:
        self._poster.close()

    def _test(self, message: FactsMessage) -> dict[str, Any]:
        key = hashlib.sha256(f"{self.name} {socket.gethostname()}".encode()).hexdigest()[:16]
        details = {"text": message.text[:LONGEST_TEXT]}
        payload = {
            "summary": _summary(message.title),
            "source": SOURCE,
            "severity": "info",
            "custom_details": details,
        }
        return {"event_action": Action.TRIGGER, "dedup_key": f"{SOURCE}-test-{key}", "payload": payload}

    def _post(self, event: Mapping[str, Any]) -> None:
        body = json.dumps({"routing_key": self._config.routing_key.get_secret_value(), **event}).encode()
        answer = self._poster.post(f"{self._config.api_url}/v2/enqueue", body, {})
        self._judge(answer.status, answer.headers)

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        name = self.name
        if 200 <= status < 300:
            return
        pause = retry_after(headers.get("retry-after"), headers.get("date"))
        if status == 429:
            raise TryLater(f'PagerDuty asks channel "{name}" to wait', retry_after=pause)
        if status >= 500:
            raise TryLater(f'PagerDuty has trouble (HTTP {status}) with channel "{name}"', retry_after=pause)
        if status == 400:
            advice = f"is channels.{name}.routing_key the Integration Key of an Events API V2 integration?"
        else:
            advice = f"is channels.{name}.api_url right?"
        # What PagerDuty says beside the number is not read: it could repeat what it was sent.
        raise Refused(f'PagerDuty refused channel "{name}" (HTTP {status}): {advice}')


def dedup_key(alert: Alert) -> str:
    """The identity of an alert for PagerDuty, whichever process asks and whatever happened to the alert since.

    Numbers of alerts begin at 1 in every database, and two installations may share a routing key. So the instant it
    was opened, to the microsecond, and its fingerprint stand beside the number. Unlike an id of the installation that
    also holds for two that were copied from one another: what was open before the copy is the same alert, what
    opens after it is not.
    """
    opened_at = alert.opened_at.astimezone(UTC).isoformat(timespec="microseconds")
    mark = hashlib.sha256(f"{opened_at} {alert.fingerprint}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{SOURCE}-alert-{alert.id}-{mark}"


def _event(notification: Notification, message: FactsMessage) -> dict[str, Any]:
    action = action_of(notification.change)
    event: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(notification.alert)}
    if action is not Action.TRIGGER:
        return event
    finding, alone = notification.alert.finding, len(message.about) == 1
    summary = message.title if alone else f"{finding.severity.word.upper()}: {clean_name(finding.title)}"
    details = _details(notification) | ({"text": message.text[:LONGEST_TEXT]} if alone else {})
    event["payload"] = {
        "summary": _summary(summary),
        "source": SOURCE,
        "severity": finding.severity.word,  # PagerDuty knows the same three words, and "error"
        "timestamp": notification.created_at.astimezone(UTC).isoformat(),
        "component": clean_name(finding.key_name or finding.key_id or "") or "workspace",
        "group": clean_name(notification.owner),
        "class": finding.kind,
        "custom_details": details,
    }
    event["client"] = SOURCE
    if message.link:
        event["links"] = [{"href": message.link, "text": "Open API keys"}]
    return event


def _details(notification: Notification) -> dict[str, Any]:
    """For people; what is not known is left out."""
    alert, finding = notification.alert, notification.alert.finding
    also = tuple(clean_name(title) for title in notification.also)
    details: dict[str, Any] = {
        "alert": str(alert.id),
        "change": notification.change.value,
        "key": clean_name(finding.key_name),
        "key id": clean_name(finding.key_id or ""),
        "key ends in": clean_name(finding.last_four),
        "owner": clean_name(notification.owner),
        "open since": f"{alert.opened_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "evidence": [*(clean_name(line) for line in finding.evidence), *also],
        **(_money(finding.stakes) if finding.stakes else {}),
        "why": f"flowy-watch why {alert.id}",
    }
    return {name: value for name, value in details.items() if value}


def _money(stakes: Stakes) -> dict[str, str]:
    amounts = {
        "spent today": stakes.spent_today,
        "per hour now": stakes.per_hour,
        "daily cap": stakes.daily_cap,
        "can still be lost today": stakes.at_risk_today,
        "balance": stakes.balance,
    }
    return {name: f"{credit_words(amount)} credits" for name, amount in amounts.items() if amount is not None}


def _summary(text: str) -> str:
    """One line that is never empty: PagerDuty refuses both."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (line if len(line) <= LONGEST_SUMMARY else line[: LONGEST_SUMMARY - 1] + "…") or SOURCE
