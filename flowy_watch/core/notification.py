"""Who is told what: `plan` turns transitions into notifications, and says why where it does not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from flowy_watch.core.alert import LIVES, Alert, Change, Ending, Life, Status, Transition
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.pattern import matches
from flowy_watch.core.silence import Silence


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go to which channels; an empty selector selects everything."""

    channels: tuple[str, ...]
    severities: frozenset[Severity] = frozenset()
    kinds: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()

    def takes(self, alert: Alert) -> bool:
        finding = alert.finding
        return (
            (not self.severities or finding.severity in self.severities)
            and (not self.kinds or finding.kind in self.kinds)
            and (not self.keys or _is_key(finding, self.keys))
        )


@dataclass(frozen=True, slots=True)
class Notification:
    """The facts meant for one channel. With `withheld` it is only a line in the story: nobody is told, and why."""

    channel: str
    """Empty when no route takes the alert."""
    change: Change
    alert: Alert
    created_at: datetime
    owner: str = ""
    quiet: bool = False
    """Bring the earlier message up to date where the channel can, instead of posting a new one."""
    withheld: str = ""
    note: str = ""
    """Why people hear of it now, where that is not plain from the change."""
    also: tuple[str, ...] = ()
    """Titles of other alerts of the same key that opened or grew in the same poll and are told with this one."""
    also_ids: tuple[int, ...] = ()
    """The numbers of those alerts."""


@dataclass(frozen=True, slots=True)
class Plan:
    notifications: tuple[Notification, ...]
    settled: tuple[Alert, ...]
    """Alerts whose present level is told, or withheld for good: they are not planned again until they get worse."""


UNDELIVERED = "undelivered"
"""The kind of what is told where another channel refuses: it has no alert of its own in the store."""

_HELD_BACK = "the silence or acknowledgement that held this back has ended"

Owners = Callable[[str, str], str]
"""Key id and name to the owner to show; empty when nobody is named."""


def plan(
    transitions: Iterable[Transition],
    waiting: Iterable[Alert],
    *,
    routes: Iterable[Route],
    silences: Iterable[Silence],
    owner_of: Owners,
    now: datetime,
) -> Plan:
    """Decide, for each transition and each alert still waiting to be told, which channels hear of it.

    `waiting` are open alerts whose level was never told and that did not change in this poll: once nothing silences
    them any more, they are told. Every transition yields at least one notification, if only a withheld one. What
    opened or grew for one key in one poll is one message per channel, under its worst alert.
    """
    routes, silences = tuple(routes), tuple(silences)
    notifications: list[Notification] = []
    settled: list[Alert] = []
    news: list[tuple[Alert, Change]] = []

    def tell(alert: Alert, change: Change, *, withheld: str = "", quiet: bool = False, note: str = "") -> None:
        owner = owner_of(alert.finding.key_id or "", alert.finding.key_name)
        channels = _channels(routes, alert)
        if not channels:
            withheld = withheld or "no route takes it"
        notifications.extend(
            Notification(channel, change, alert, now, owner, quiet, withheld, note)
            for channel in ([""] if withheld else channels)
        )

    for transition in transitions:
        alert, change = transition.alert, transition.change
        silence = _silenced(silences, alert, now)
        if change.ends:
            quiet = _life(alert).ending is Ending.QUIET and change is not Change.STOPPED
            tell(alert, change, withheld=_why_not_ended(alert, change, silence), quiet=quiet, note=transition.why)
        elif silence:
            tell(alert, change, withheld=_silence_words(silence))
        else:
            news.append((alert, change))
    news += [
        (alert, Change.REPEATED)
        for alert in waiting
        if alert.status is Status.OPEN and not _silenced(silences, alert, now)
    ]
    for alert, change in sorted(news, key=lambda item: _worst_first(item[0])):
        tell(alert, change, note=_HELD_BACK if change is Change.REPEATED else "")
        settled.append(alert)
    return Plan(_one_per_key(notifications), tuple(settled))


def undelivered(channel: str, *, tell: str, cause: str, alerts: int, now: datetime) -> Notification:
    """What channel `tell` hears when another one refuses for good. Its fingerprint is the channel and the cause."""
    many = {0: "notices are", 1: "1 alert was"}.get(alerts, f"{alerts} alerts were")
    finding = Finding(
        kind=UNDELIVERED,
        severity=Severity.CRITICAL,
        title=f"{channel} could not be told: {many} not delivered there",
        period=f"{channel}: {cause}",
        evidence=(cause, f"What {channel} missed is not sent there again."),
        facts={"channel": channel, "cause": cause},
    )
    alert = Alert(0, finding, Status.OPEN, finding.level, opened_at=now, last_seen_at=now)
    return Notification(tell, Change.OPENED, alert, now)


def _worst_first(alert: Alert) -> tuple[int, bool, str]:
    """By severity; of equals the cap first: it says exactly how much is left."""
    finding = alert.finding
    return -finding.severity, finding.kind != "cap", finding.fingerprint


def _one_per_key(notifications: Iterable[Notification]) -> tuple[Notification, ...]:
    """Fold news of one key for one channel into the first, which is the worst."""
    out: list[Notification] = []
    first: dict[tuple[str, str], int] = {}
    for notification in notifications:
        place = notification.channel, notification.alert.finding.key_id or ""
        alone = notification.change.ends and notification.change is not Change.STOPPED
        if notification.withheld or alone or not place[1]:
            out.append(notification)
        elif place not in first:
            first[place] = len(out)
            out.append(notification)
        else:
            lead = out[first[place]]
            other = notification.alert
            out[first[place]] = replace(
                lead, also=(*lead.also, other.finding.title), also_ids=(*lead.also_ids, other.id)
            )
            out.append(replace(notification, withheld=f"told with alert {lead.alert.id}, which is about the same key"))
    return tuple(out)


def _life(alert: Alert) -> Life:
    return LIVES.get(alert.finding.kind, Life())


def _why_not_ended(alert: Alert, change: Change, silence: Silence | None) -> str:
    if not alert.told_level:
        return "it was never told, so its end is no news"
    if _life(alert).ending is Ending.NONE and change is not Change.STOPPED:
        return "it ended by the calendar, which is no news"
    return _silence_words(silence) if silence else ""


def _silenced(silences: Iterable[Silence], alert: Alert, now: datetime) -> Silence | None:
    return next((s for s in silences if s.covers(alert, at=now)), None)


def _silence_words(silence: Silence) -> str:
    by = f" by {silence.by}" if silence.by else ""
    kind = "marked as expected, " if silence.expected else ""
    return f"{kind}silence {silence.id} on {silence.pattern}{by} until {silence.until:%Y-%m-%d %H:%M} UTC"


def _channels(routes: Iterable[Route], alert: Alert) -> list[str]:
    """Each channel once, in the order of the routes."""
    return list(dict.fromkeys(channel for route in routes if route.takes(alert) for channel in route.channels))


def _is_key(finding: Finding, patterns: Iterable[str]) -> bool:
    return finding.key_id is not None and any(matches(p, finding.key_name, finding.key_id) for p in patterns)
