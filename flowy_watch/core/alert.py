"""The life of a problem: `reconcile` compares what is open with what was found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from flowy_watch.core.finding import Finding
from flowy_watch.core.usage import Microcredits


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Change(StrEnum):
    """What just happened to an alert; the first five come from polls, the others from people."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    RESOLVED = "resolved"
    STOPPED = "stopped"
    """Resolved because the key is revoked and quiet since."""
    ACKNOWLEDGED = "acknowledged"
    EXPECTED = "expected"
    SILENCED = "silenced"
    """Somebody asked of this alert not to be told of its key; its status stays."""
    DISMISSED = "dismissed"
    """Resolved by somebody as no anomaly: the key is judged more leniently for a while."""
    UPDATED = "updated"
    """Nothing happened but that the numbers moved: what stands somewhere is brought up to date. Never recorded."""

    @property
    def ends(self) -> bool:
        return self in (Change.RESOLVED, Change.STOPPED, Change.DISMISSED)

    @property
    def takes_on(self) -> bool:
        """Somebody looks after it."""
        return self in (Change.ACKNOWLEDGED, Change.EXPECTED, Change.SILENCED)

    @property
    def is_news(self) -> bool:
        """People are to look."""
        return self in (Change.OPENED, Change.ESCALATED, Change.REPEATED)


class Ending(StrEnum):
    """How the end of an alert is told to those who were told of it."""

    LOUD = "loud"  # news in itself: a new message
    QUIET = "quiet"  # the first message is brought up to date, in place where the channel can
    NONE = "none"  # the calendar ended it: no news


@dataclass(frozen=True, slots=True)
class Life:
    """How an alert of one kind ends."""

    quiet_for: timedelta = timedelta(0)
    """How long the problem must stay away, seen by polls that could have seen it."""
    needs_person: bool = False
    """Only an acknowledgement (or `resolve`) ends it: the cause is past, the question is not answered."""
    ending: Ending = Ending.QUIET
    """How those who were told hear of its end."""


LIVES: dict[str, Life] = {
    "cap": Life(ending=Ending.NONE),
    "spike": Life(quiet_for=timedelta(hours=6)),
    "ramp": Life(quiet_for=timedelta(hours=24)),
    "last_used": Life(quiet_for=timedelta(hours=1), needs_person=True),
    "balance": Life(quiet_for=timedelta(minutes=10)),
    "unattributed": Life(quiet_for=timedelta(hours=2)),
    "safeguard": Life(quiet_for=timedelta(hours=24), ending=Ending.NONE),
    "blind": Life(ending=Ending.LOUD),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """The figures in which an alert was last told."""

    at: datetime
    title: str
    spent: Microcredits | None = None
    """By the key today, where the alert is about one."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem with a life. `finding` is its latest state, `level` the worst one reached."""

    id: int
    """0 until the store has given it one."""
    finding: Finding
    status: Status
    level: int
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_until: datetime | None = None
    told_level: int = 0
    """The highest level that people were told, or that was withheld for good."""
    told_at: datetime | None = None
    """When people were told of it at this level."""
    shown: Shown | None = None
    held_by: str = ""
    """What keeps it from being told, such as `silence 3 on render`; when that ends it is told again."""

    @property
    def fingerprint(self) -> str:
        return self.finding.fingerprint


@dataclass(frozen=True, slots=True)
class Transition:
    """What just happened to an alert, and the alert as it is now."""

    alert: Alert
    change: Change
    at: datetime
    by: str = ""
    why: str = ""


Evaluated = Callable[[Finding], bool]
"""Whether this poll could have seen the problem, had it still been there."""

Stopped = Callable[[Finding], datetime | None]
"""Since when the key is quiet, if a revoke is seen to hold (see `core.stop`)."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    transitions: tuple[Transition, ...]
    seen: tuple[Alert, ...]
    """Alerts found again without a change: only their latest state moved."""


def reconcile(
    unresolved: Iterable[Alert],
    findings: Iterable[Finding],
    *,
    evaluated: Evaluated,
    stopped: Stopped = lambda _: None,
    now: datetime,
) -> Reconciled:
    """Compare the unresolved alerts with what was found, and say what happened.

    A new fingerprint opens at its highest level; a higher level escalates, also through an acknowledgement; an
    alert that is not found again resolves after its kind's quiet time, but only if `evaluated` says that this poll
    could have seen it: missing data never resolves anything. A revoke that is seen to hold ends it at once.
    """
    worst = _worst_by_fingerprint(findings)
    transitions: list[Transition] = []
    seen: list[Alert] = []
    for alert in unresolved:
        finding = worst.pop(alert.fingerprint, None)
        if finding is None:
            if evaluated(alert.finding) and (since := stopped(alert.finding)):
                done = replace(alert, status=Status.RESOLVED, resolved_at=now)
                why = f"revoked, and quiet since {since:%Y-%m-%d %H:%M} UTC"
                transitions.append(Transition(done, Change.STOPPED, now, why=why))
            elif evaluated(alert.finding) and _over(alert, now):
                done = replace(alert, status=Status.RESOLVED, resolved_at=now)
                transitions.append(Transition(done, Change.RESOLVED, now))
        elif finding.level > alert.level:
            transitions.append(Transition(_worse(alert, finding, now), Change.ESCALATED, now))
        else:
            seen.append(replace(alert, finding=_keep_severity(finding, alert), last_seen_at=now))
    transitions += [Transition(_new(finding, now), Change.OPENED, now) for finding in worst.values()]
    return Reconciled(tuple(transitions), tuple(seen))


def _worst_by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    worst: dict[str, Finding] = {}
    for finding in findings:
        known = worst.get(finding.fingerprint)
        if known is None or finding.level > known.level:
            worst[finding.fingerprint] = finding
    return worst


def _new(finding: Finding, now: datetime) -> Alert:
    return Alert(0, finding, Status.OPEN, finding.level, opened_at=now, last_seen_at=now)


def _worse(alert: Alert, finding: Finding, now: datetime) -> Alert:
    return replace(
        alert,
        finding=finding,
        level=finding.level,
        status=Status.OPEN,
        acknowledged_by="",
        acknowledged_until=None,
        last_seen_at=now,
    )


def _keep_severity(finding: Finding, alert: Alert) -> Finding:
    """Numbers follow the finding; the severity never sinks while the alert lives, or wobble would rename it."""
    if finding.severity >= alert.finding.severity:
        return finding
    return replace(finding, severity=alert.finding.severity)


def _over(alert: Alert, now: datetime) -> bool:
    life = LIVES.get(alert.finding.kind, Life())
    if life.needs_person and alert.status is not Status.ACKNOWLEDGED:
        return False
    return now - alert.last_seen_at >= life.quiet_for
