"""What is due on an alert to which nothing happened: reminders, calls to somebody else, figures that moved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowy_watch.core.alert import Alert, Shown, Status
from flowy_watch.core.finding import Severity
from flowy_watch.core.notification import Told
from flowy_watch.core.route import Telling
from flowy_watch.core.words import span_words

MOVED = 0.1
"""So large a share of what was spent is worth bringing a message up to date."""
UPDATE_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A channel to be told again, and why."""

    channel: str
    why: str


def reminders(alert: Alert, telling: Telling, past: Mapping[str, Told], now: datetime) -> Iterator[Reminder]:
    """Each channel once: those that a critical alert nobody acknowledged is handed on to, then repeats.

    Reckoned from what was planned before, so that no restart tells anybody twice. A channel that heard of the alert
    at this level is not handed it again.
    """
    if alert.told_at is None:
        return
    handed_on = set()
    for route in telling.routes_of(alert):
        after = route.escalate_after
        if after is None or alert.finding.severity < Severity.CRITICAL or now - alert.told_at < after:
            continue
        for channel in route.escalate_to:
            told = past.get(channel)
            if channel not in handed_on and (told is None or told.at < alert.told_at):
                handed_on.add(channel)
                first = ", ".join(route.channels)
                yield Reminder(channel, f"nobody has acknowledged this in {span_words(after)}; {first} was told first")
    every: dict[str, timedelta] = {}
    for route in telling.routes_of(alert):
        if route.repeat is not None:
            every |= {channel: min(route.repeat, every.get(channel, route.repeat)) for channel in route.channels}
    for channel, repeat in every.items():
        told = past.get(channel)
        if channel not in handed_on and now - (told.at if told else alert.told_at) >= repeat:
            yield Reminder(channel, f"nobody has acknowledged this; it is told again every {span_words(repeat)}")


def may_remind(alert: Alert, telling: Telling, now: datetime) -> bool:
    """Whether a reminder can be due at all: most alerts need no look at what was told before."""
    if alert.status is not Status.OPEN or alert.told_at is None:
        return False
    spans = [span for route in telling.routes_of(alert) for span in (route.repeat, route.escalate_after) if span]
    return bool(spans) and now - alert.told_at >= min(spans)


def has_moved(alert: Alert, now: datetime) -> bool:
    """Whether what an alert's messages say is out of date enough to be brought up to date."""
    shown = alert.shown
    if alert.status is not Status.OPEN or shown is None or now - shown.at < UPDATE_EVERY:
        return False
    if alert.finding.title != shown.title:
        return True
    spent, before = spent_of(alert), shown.spent
    return spent is not None and before is not None and spent != before and abs(spent - before) >= MOVED * before


def spent_of(alert: Alert) -> int | None:
    return alert.finding.stakes.spent_today if alert.finding.stakes else None


def shown_now(alert: Alert, now: datetime) -> Shown:
    return Shown(now, alert.finding.title, spent_of(alert))
