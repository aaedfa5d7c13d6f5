"""Notifications in one line each; numbers are picked to be checked in the head."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.finding import Finding, Severity, Stakes
from flowy_watch.core.message import Dialect, EmailMessage, SlackMessage
from flowy_watch.core.notification import Notification
from flowy_watch.core.usage import CREDIT
from flowy_watch.render import Reader, Renderer

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
KEYS_URL = "https://app.example.com/settings/api-keys"

RENDERER = Renderer(Reader("Acme Studio", KEYS_URL, ZoneInfo("Europe/Madrid")))

STAKES = Stakes(
    spent_today=4800 * CREDIT,
    per_hour=1200 * CREDIT,
    resets_at=MIDNIGHT,
    daily_cap=5000 * CREDIT,
    cap_hit_at=NOW + timedelta(minutes=10),
    at_risk_today=200 * CREDIT,
    at_risk_next_day=5000 * CREDIT,
    balance=12_340 * CREDIT,
)

CAP = Finding(
    kind="cap",
    severity=Severity.CRITICAL,
    title="prod-render is at 96 % of its daily cap (4,800 of 5,000 credits)",
    key_id="key_1",
    key_name="prod-render",
    last_four="4f2a",
    period="2026-11-23",
    level=95,
    evidence=("96 % of the cap is spent.",),
    stakes=STAKES,
)
BALANCE = Finding(
    kind="balance",
    severity=Severity.CRITICAL,
    title="Workspace balance is low: 1,200 credits",
    evidence=("Most spent today: prod-render 4,800.",),
)
BLIND = Finding(
    kind="blind",
    severity=Severity.CRITICAL,
    title="Blind since 2026-11-23 13:50 UTC: no answer",
    facts={"since": "2026-11-23T13:50:00+00:00", "what": "no_poll", "reason": "no answer"},
)
SAFEGUARD = replace(
    CAP,
    kind="safeguard",
    severity=Severity.WARNING,
    title="prod-render lost its daily cap",
    facts={"what": "cap_removed", "before": "5,000 credits a day", "after": "no cap"},
)


def notification(finding: Finding = CAP, change: Change = Change.OPENED, **more: Any) -> Notification:
    alert = Alert(12, finding, Status.OPEN, finding.level, opened_at=NOW, last_seen_at=NOW)
    if change is Change.RESOLVED:
        alert = replace(alert, status=Status.RESOLVED, resolved_at=NOW + timedelta(hours=2, minutes=15))
    return Notification("ops", change, replace(alert, **more.pop("alert", {})), NOW, **more)


def named(name: str, finding: Finding = CAP) -> Finding:
    """The finding about a key of this name, titled as the detectors title it."""
    return replace(finding, key_name=name, title=f"{name} is at 96 % of its daily cap (4,800 of 5,000 credits)")


def slack(what: Notification) -> SlackMessage:
    message = RENDERER.render(what, Dialect.SLACK)
    assert isinstance(message, SlackMessage)
    return message


def mail(what: Notification) -> EmailMessage:
    message = RENDERER.render(what, Dialect.EMAIL)
    assert isinstance(message, EmailMessage)
    return message


def parts_of(tree: Any) -> list[dict[str, Any]]:
    """Every object inside of blocks, at any depth."""
    found: list[dict[str, Any]] = []
    if isinstance(tree, dict):
        found.append(tree)
        tree = tuple(tree.values())
    if isinstance(tree, list | tuple):
        for branch in tree:
            found += parts_of(branch)
    return found


def words(message: SlackMessage) -> str:
    """What a person reads, one line per line, in which all spaces are plain."""
    texts = (part["text"] for part in parts_of(message.blocks) if isinstance(part.get("text"), str))
    return "".join(texts).replace("\u00a0", " ")


def flat(text: str) -> str:
    return " ".join(text.split())
