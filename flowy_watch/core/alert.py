"""The life of a problem: `reconcile` compares what is open with what was found.

Longer than most: what can happen to an alert, and when it does, is one machine and is read together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.stop import Stop, Use, checked, is_over
from flowy_watch.core.usage import Microcredits, day_of
from flowy_watch.core.wobble import STEADY, WINDOW, Wobble


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Change(StrEnum):
    """What just happened to an alert; the first eight come from polls, the others from people."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    REOPENED = "reopened"
    """It had ended a short while ago and is found again."""
    FLAPPING = "flapping"
    """It comes and goes: nothing is told of that any more but that it is so."""
    RESOLVED = "resolved"
    STOPPED = "stopped"
    """The key is revoked and was seen quiet since; the alert lives on until that has lasted a day."""
    STOP_FAILED = "stop_failed"
    """The key was used after somebody had reported it revoked."""
    STOP_REPORTED = "stop_reported"
    """Somebody says that the key is revoked."""
    ACKNOWLEDGED = "acknowledged"
    SECONDED = "seconded"
    """Acknowledged by a second person: the first one keeps it."""
    EXPECTED = "expected"
    SILENCED = "silenced"
    """Somebody asked of this alert not to be told of its key; its status stays."""
    DISMISSED = "dismissed"
    """Resolved by somebody as no anomaly: the key is judged more leniently for a while."""
    UPDATED = "updated"
    """Nothing happened but that the numbers moved: what stands somewhere is brought up to date. Never recorded."""

    @property
    def ends(self) -> bool:
        return self in (Change.RESOLVED, Change.DISMISSED)

    @property
    def takes_on(self) -> bool:
        """Somebody looks after it."""
        return self in (Change.ACKNOWLEDGED, Change.EXPECTED, Change.SILENCED, Change.STOP_REPORTED)

    @property
    def follows_up(self) -> bool:
        """It is said only where the alert was told."""
        return self.ends or self.takes_on or self in (Change.STOPPED, Change.FLAPPING)

    @property
    def is_news(self) -> bool:
        """People are to look."""
        return self in (
            Change.OPENED,
            Change.ESCALATED,
            Change.REPEATED,
            Change.REOPENED,
            Change.STOP_FAILED,
        )


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
    by_day: bool = False
    """Its period is a UTC day, with which it ends at once, and that is no news."""
    flaps: bool = True
    """It rests on a line that figures can cross to and fro; what rests on a span of time does not."""
    settles_after: timedelta = timedelta(hours=2)
    """The quiet time of one that flaps, or that had ended and came back."""


LIVES: dict[str, Life] = {
    "cap": Life(quiet_for=timedelta(minutes=30), by_day=True),
    "spike": Life(quiet_for=timedelta(hours=6), flaps=False),
    "ramp": Life(quiet_for=timedelta(hours=24), flaps=False),
    "last_used": Life(quiet_for=timedelta(hours=1), needs_person=True, flaps=False),
    "new_origin": Life(quiet_for=timedelta(hours=1), needs_person=True, flaps=False),
    "new_app": Life(quiet_for=timedelta(hours=1), needs_person=True, flaps=False),
    "balance": Life(quiet_for=timedelta(minutes=30)),
    "unattributed": Life(quiet_for=timedelta(hours=2)),
    "safeguard": Life(quiet_for=timedelta(hours=24), ending=Ending.NONE, flaps=False),
    "blind": Life(ending=Ending.LOUD, settles_after=timedelta(minutes=30)),
}

OF_SPEND = frozenset({"cap", "spike", "ramp"})
"""Kinds about which a poll that does not know what a key spent says nothing."""


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
    began_at: datetime | None = None
    """The first odd use that its opening rested on, where that is known."""
    stop: Stop | None = None
    """What is known of the key's revoke, once somebody reported it or the source shows it."""
    wobble: Wobble = STEADY

    @property
    def fingerprint(self) -> str:
        return self.finding.fingerprint

    @property
    def life(self) -> Life:
        return LIVES.get(self.finding.kind, Life())

    @property
    def is_away(self) -> bool:
        """The last poll that could have seen the problem did not: the alert waits only for its quiet time to pass."""
        return self.status is not Status.RESOLVED and self.wobble.gone_since is not None

    def ends_by_calendar(self, at: datetime) -> bool:
        """Whether its period has passed."""
        return self.life.by_day and self.finding.period != day_of(at).isoformat()


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

Uses = Callable[[Finding], Use | None]
"""What this poll knows of the use of a finding's key (see `core.stop`)."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    transitions: tuple[Transition, ...]
    seen: tuple[Alert, ...]
    """Alerts that live on without news: only their latest state moved."""


def reconcile(
    unresolved: Iterable[Alert],
    findings: Iterable[Finding],
    *,
    evaluated: Evaluated,
    uses: Uses = lambda _: None,
    ended: Iterable[Alert] = (),
    now: datetime,
) -> Reconciled:
    """Compare the unresolved alerts with what was found, and say what happened.

    A new fingerprint opens at its highest level; a higher level escalates, also through an acknowledgement; an
    alert that is not found again resolves after its kind's quiet time, but only if `evaluated` says that this poll
    could have seen it: missing data never resolves anything, and where figures cross a line, one look after a gap is no
    quiet time. What `ended` by itself a short while ago and is found
    again is the same alert. A revoked key's alert ends when the key has been quiet for a day and the problem is
    not found any more: else the next poll would open it anew. A small finding is no alert.
    """
    findings = tuple(finding for finding in findings if finding.small is None)
    worst = _worst_by_fingerprint(findings)
    used_after_revoke = frozenset(finding.key_id for finding in findings if finding.period == "revoked")
    transitions: list[Transition] = []
    seen: list[Alert] = []
    for alert in unresolved:
        finding = worst.pop(alert.fingerprint, None)
        could_see = evaluated(alert.finding)
        if finding is None and not could_see:
            continue
        step = _stop_step(alert, finding, uses(alert.finding), used_after_revoke, now) if could_see else None
        step = step or _step(alert, finding, now)
        if isinstance(step, Transition):
            transitions.append(step)
        else:
            seen.append(step)
    before = {alert.fingerprint: alert for alert in ended}
    transitions += [_begin(finding, before.get(finding.fingerprint), now) for finding in worst.values()]
    return Reconciled(tuple(transitions), tuple(seen))


def _worst_by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    worst: dict[str, Finding] = {}
    for finding in findings:
        known = worst.get(finding.fingerprint)
        if known is None or finding.level > known.level:
            worst[finding.fingerprint] = finding
    return worst


def _begin(finding: Finding, before: Alert | None, now: datetime) -> Transition:
    if before is None or not before.life.flaps or before.resolved_at is None or now - before.resolved_at > WINDOW:
        began_at = min(finding.began_at or now, now)
        new = Alert(0, finding, Status.OPEN, finding.level, opened_at=now, last_seen_at=now, began_at=began_at)
        return Transition(new, Change.OPENED, now)
    again = replace(
        _worse(before, finding, now), level=max(before.level, finding.level), resolved_at=None, told_level=0
    )
    wobble = replace(before.wobble.found(now), ends=before.wobble.ends + 1)
    return Transition(replace(again, wobble=wobble), Change.REOPENED, now, why=wobble.words)


def _step(alert: Alert, finding: Finding | None, now: datetime) -> Alert | Transition:
    """What a poll that could see an alert makes of it: the same with its latest state, or what happened."""
    if finding is None:
        if alert.life.flaps:
            gone = alert.wobble.gone(now, seen_at=alert.last_seen_at, wanted=_quiet_for(alert))
            alert = replace(alert, wobble=gone)
        if not _over(alert, now):
            return alert
        over = replace(alert, status=Status.RESOLVED, resolved_at=now)
        return Transition(over, Change.RESOLVED, now, why=alert.wobble.words)
    wobble = alert.wobble.found(now)
    flaps_now = wobble.flapping_since is not None and alert.wobble.flapping_since is None
    if finding.level > alert.level:
        return Transition(replace(_worse(alert, finding, now), wobble=wobble), Change.ESCALATED, now)
    alert = replace(alert, finding=_keep_severity(finding, alert), last_seen_at=now, wobble=wobble)
    return Transition(alert, Change.FLAPPING, now, why=wobble.words) if flaps_now else alert


def _stop_step(
    alert: Alert, finding: Finding | None, use: Use | None, used_after_revoke: frozenset[str | None], now: datetime
) -> Alert | Transition | None:
    """The same for one whose key is said or seen to be revoked; None for all others."""
    before = alert.stop
    stop = checked(before, alert.finding, use, now) if use else before
    if stop is None or use is None:
        return None
    alert = replace(alert, stop=stop)
    if stop.used_at:
        # Where the source shows it revoked, the use is an alert of its own; that one tells it.
        known = (before and before.used_at) or (not stop.by and alert.finding.key_id in used_after_revoke)
        if not known:
            return Transition(_failed(alert, finding, now), Change.STOP_FAILED, now, why=stop.words)
    elif finding and use.told and finding.level > alert.level:
        # The key was not used any more: what is charged now ran before, and is no news.
        told_level = finding.level if alert.told_level else 0
        alert = replace(alert, finding=finding, level=finding.level, told_level=told_level)
    if stop.holds and not (before and before.holds):
        alert = replace(alert, finding=_keep_severity(finding, alert)) if finding else alert
        quiet = replace(alert, status=Status.ACKNOWLEDGED, acknowledged_until=None)
        return Transition(quiet, Change.STOPPED, now, why=stop.words)
    if is_over(stop, now) and finding is None:
        over = replace(alert, status=Status.RESOLVED, resolved_at=now)
        return Transition(over, Change.RESOLVED, now, why=stop.words)
    step = _step(alert, finding, now)
    return alert if isinstance(step, Transition) and step.change.ends else step


def _failed(alert: Alert, finding: Finding | None, now: datetime) -> Alert:
    """Open and critical, whatever it was, and told once more."""
    finding = replace(finding or alert.finding, severity=Severity.CRITICAL)
    level = max(alert.level, finding.level)
    return replace(_worse(alert, finding, now), level=level, told_level=0, last_seen_at=alert.last_seen_at)


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
    life = alert.life
    if life.needs_person and alert.status is not Status.ACKNOWLEDGED:
        return False
    if alert.ends_by_calendar(now):
        return True
    # A poll tells what was spent since the last one, but not on which side of a line a figure was in between.
    quiet = alert.wobble.quiet if life.flaps else now - alert.last_seen_at
    return quiet >= _quiet_for(alert)


def _quiet_for(alert: Alert) -> timedelta:
    life, wobble = alert.life, alert.wobble
    unsteady = wobble.flapping_since is not None or wobble.ends > 0
    return max(life.quiet_for, life.settles_after) if unsteady else life.quiet_for
