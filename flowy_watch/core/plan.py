"""Who is told what: `plan` turns transitions into notifications, and says why where it does not.

Longer than most: every reason for which somebody is told, or is not, stands here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flowy_watch.core.alert import Alert, Change, Ending, Status, Transition
from flowy_watch.core.due import has_moved, may_remind, reminders, shown_now
from flowy_watch.core.inhibit import Inhibitors, Knowable
from flowy_watch.core.notification import TOLD_WITH, Manner, Notification, Past, Told
from flowy_watch.core.quiet import hushed
from flowy_watch.core.route import Telling
from flowy_watch.core.silence import Silence

MOST_UPDATES = 30
"""Messages brought up to date after one poll. A channel that bears one a second is done with them in half a minute."""


@dataclass(frozen=True, slots=True)
class Plan:
    notifications: tuple[Notification, ...]
    settled: tuple[Alert, ...]
    """Alerts of which something was told, or is held back, with the record of it."""


def plan(
    transitions: Iterable[Transition],
    standing: Iterable[Alert] = (),
    *,
    telling: Telling,
    silences: Iterable[Silence],
    past: Callable[[Iterable[int]], Past],
    knowable: Knowable = lambda finding: True,
    now: datetime,
) -> Plan:
    """Decide, for each transition and each alert to which nothing happened, which channels hear of it.

    `standing` are all other unresolved alerts. What silences, acknowledgements or other alerts held back is told once
    nothing holds it any more; reminders, calls to somebody else and figures that moved are due by what was told
    before. Every transition yields at least one notification, if only a withheld one. News of one key in one poll is
    one message per channel, under its worst alert. `past` is asked once, for the alerts of which it matters.
    """
    transitions, standing = tuple(transitions), tuple(standing)
    unresolved = (*standing, *(transition.alert for transition in transitions))
    planner = _Planner(telling, tuple(silences), Inhibitors(unresolved, knowable), now)
    planner.past = past(planner.asks(transitions, standing))
    for transition in transitions:
        planner.happened(transition)
    for alert in standing:
        planner.stands(alert)
    return planner.plan()


@dataclass(frozen=True, slots=True)
class _News:
    alert: Alert
    change: Change
    why: str = ""
    channels: tuple[str, ...] | None = None
    """Of a reminder; None: where the routes lead."""


class _Planner:
    """Takes in one poll's alerts one by one."""

    def __init__(self, telling: Telling, silences: tuple[Silence, ...], inhibitors: Inhibitors, now: datetime) -> None:
        self._telling, self._silences, self._inhibitors, self._now = telling, silences, inhibitors, now
        self.past: Past = {}
        self._notifications: list[Notification] = []
        self._settled: dict[int, Alert] = {}
        self._news: list[_News] = []
        self._moved: list[Alert] = []

    def asks(self, transitions: Iterable[Transition], standing: Iterable[Alert]) -> Iterator[int]:
        """The alerts of which it matters what was told before: few, in most polls."""
        for transition in transitions:
            alert, change = transition.alert, transition.change
            if change.follows_up or _told_before(change):
                yield alert.id
            if not change.follows_up and (inhibitor := self._inhibitors.of(alert)):
                yield inhibitor.id
        for alert in standing:
            held_back = bool(alert.held_by) or alert.told_level < alert.level
            if held_back or may_remind(alert, self._telling, self._now) or self._has_moved(alert):
                yield alert.id

    def happened(self, transition: Transition) -> None:
        alert, change = transition.alert, transition.change
        silence = _silenced(self._silences, alert, self._now)
        told = self.past.get(alert.id, {})
        if change.ends or change is Change.STOPPED:
            self._notifications += _end(transition, self._telling, silence, told)
        elif change is Change.SECONDED:
            self._notifications.append(_withheld(transition, self._telling, "somebody looks after it already"))
        elif change.takes_on or change is Change.FLAPPING:
            self._notifications += _taken_on(transition, self._telling, told)
        elif silence:
            self._notifications.append(_withheld(transition, self._telling, _silence_words(silence)))
            self._hold(alert, silence.label)
        elif change is not Change.STOP_FAILED and (inhibitor := self._inhibitors.of(alert)):
            self._inhibit(transition, inhibitor)
        else:
            self._news.append(_News(alert, change))

    def stands(self, alert: Alert) -> None:
        """Nothing happened to it in this poll."""
        if alert.status is not Status.OPEN:
            return
        if silence := _silenced(self._silences, alert, self._now):
            if alert.held_by != silence.label:
                self._hold(alert, silence.label)
        elif alert.held_by or alert.told_level < alert.level:
            self._tell_again(alert)
        else:
            self._tell_due(alert)

    def plan(self) -> Plan:
        for news in sorted(self._news, key=lambda each: _worst_first(each.alert)):
            self._tell(news)
        for alert in sorted(self._moved, key=lambda one: _worst_first(one))[:MOST_UPDATES]:
            self._update(alert)
        told = _one_per_key(self._notifications, self._telling, self.past)
        hours = self._telling.quiet_hours
        told = tuple(hushed(one, hours.get(one.channel), self._now) for one in told)
        return Plan(told, tuple(self._settled.values()))

    def _tell(self, news: _News) -> None:
        alert, now = news.alert, self._now
        notice = Notification("", news.change, alert, now, self._telling.owner(alert.finding), note=news.why)
        channels = self._telling.channels(alert) if news.channels is None else news.channels
        told = [replace(notice, channel=channel) for channel in channels]
        self._notifications += told or [replace(notice, withheld="no route takes it")]
        self._settle(alert, told_at=now if news.channels is None else alert.told_at)

    def _settle(self, alert: Alert, *, told_at: datetime | None) -> None:
        shown = shown_now(alert, self._now)
        self._settled[alert.id] = replace(alert, told_level=alert.level, told_at=told_at, shown=shown, held_by="")

    def _hold(self, alert: Alert, by: str) -> None:
        self._settled[alert.id] = replace(alert, held_by=by)

    def _inhibit(self, transition: Transition, inhibitor: Alert) -> None:
        """Where somebody heard of it in the other alert's thread, it is told; else it waits for that one's end."""
        notices = list(self._inhibited(transition, inhibitor))
        self._notifications += notices
        if all(notice.withheld for notice in notices):
            self._hold(transition.alert, f"alert {inhibitor.id}")
        else:
            own = self.past.get(transition.alert.id, {})
            self._notifications += [told for one in notices for told in _brought_up_to_date(one, self._telling, own)]
            self._settle(transition.alert, told_at=self._now)

    def _inhibited(self, transition: Transition, inhibitor: Alert) -> Iterator[Notification]:
        """A line in the thread of the alert that says the same and worse: one that rings nowhere, where that can be.

        A mail goes into the other's conversation. A program that keeps every alert's state would wake somebody anew.
        """
        notice, told = _notice(transition, self._telling), self.past.get(inhibitor.id, {})
        reason = f"inhibited by alert {inhibitor.id}, a critical spike of the same key"
        for channel in self._telling.channels(transition.alert):
            traits = self._telling.traits_of(channel)
            if traits.tracks:
                yield replace(notice, channel=channel, withheld=reason)
            elif channel in told and told[channel].stands and traits.threads:
                yield replace(notice, channel=channel, manner=Manner.THREAD, about=inhibitor.id)
            else:
                yield replace(notice, channel=channel, about=inhibitor.id)
        if not self._telling.channels(transition.alert):
            yield replace(notice, withheld=reason)

    def _tell_again(self, alert: Alert) -> None:
        """Something held it back. Does it still? What is away is no news, until it is back."""
        if alert.is_away:
            return
        if inhibitor := self._inhibitors.of(alert):
            if alert.held_by != (by := f"alert {inhibitor.id}"):
                self._hold(alert, by)
            return
        if blind := self._inhibitors.blind_to(alert):
            self._wait_for_sight(alert, blind)
            return
        why = f"{alert.held_by} has ended and it is still open" if alert.held_by else "it could not be told before"
        self._news.append(_News(alert, Change.REPEATED, why))

    def _tell_due(self, alert: Alert) -> None:
        """Reminders, or the figures that moved."""
        told, due = self.past.get(alert.id, {}), []
        if may_remind(alert, self._telling, self._now):
            due = list(reminders(alert, self._telling, told, self._now))
        if due and (blind := self._inhibitors.blind_to(alert)):
            self._wait_for_sight(alert, blind)
            return
        for why in dict.fromkeys(reminder.why for reminder in due):
            channels = tuple(reminder.channel for reminder in due if reminder.why == why)
            self._news.append(_News(alert, Change.REPEATED, why, channels))
        if not due and self._has_moved(alert) and not self._inhibitors.blind_to(alert):
            self._moved.append(alert)

    def _wait_for_sight(self, alert: Alert, blind: Alert) -> None:
        """A reminder of what nobody can know now. It leaves one line, not one per poll."""
        by = f"alert {blind.id}"
        if alert.held_by == by:
            return
        reason = f"inhibited by alert {blind.id}: nothing new is known of it"
        owner = self._telling.owner(alert.finding)
        self._notifications.append(Notification("", Change.REPEATED, alert, self._now, owner, withheld=reason))
        self._hold(alert, by)

    def _has_moved(self, alert: Alert) -> bool:
        return any(traits.changes for traits in self._telling.traits.values()) and has_moved(alert, self._now)

    def _update(self, alert: Alert) -> None:
        """Bring messages up to date where they stand. Elsewhere this is not worth a word, not even in the story."""
        owner = self._telling.owner(alert.finding)
        for channel, told in self.past.get(alert.id, {}).items():
            if told.stands and self._telling.traits_of(channel).changes:
                notice = Notification(channel, Change.UPDATED, alert, self._now, owner, Manner.IN_PLACE_ONLY)
                self._notifications.append(notice)
        self._settled[alert.id] = replace(alert, shown=shown_now(alert, self._now))


def _end(
    transition: Transition, telling: Telling, silence: Silence | None, past: Mapping[str, Told]
) -> Iterable[Notification]:
    """An end is told where the alert was told. Where it is no news, only what stands there is brought up to date."""
    alert, change = transition.alert, transition.change
    if not alert.told_level:
        return [_withheld(transition, telling, "it was never told, so its end is no news")]
    ending = alert.life.ending
    no_news = _silence_words(silence) if silence else ""
    by_itself = not transition.by and alert.stop is None and change is not Change.STOPPED
    if by_itself and (ending is Ending.NONE or alert.ends_by_calendar(transition.at)):
        no_news = "it ended by the calendar, which is no news"
    loud = ending is Ending.LOUD or change is Change.STOPPED
    notice = replace(_notice(transition, telling), manner=Manner.POST if loud else Manner.IN_PLACE)
    heard, found = _heard(past), []
    for channel in telling.channels(alert, heard=heard):
        told = replace(notice, channel=channel)
        if channel not in heard:
            told = replace(told, withheld=_never_told(channel))
        elif no_news and telling.traits_of(channel).follows:
            told = replace(told, manner=Manner.IN_PLACE_ONLY)
        elif no_news:
            told = replace(told, withheld=no_news)
        found.append(told)
    return found or [replace(notice, withheld=no_news or "no route takes it")]


def _taken_on(transition: Transition, telling: Telling, past: Mapping[str, Told]) -> Iterable[Notification]:
    """Somebody looks after it, or it flaps: no news, but what stands somewhere says so."""
    notice = replace(_notice(transition, telling), manner=Manner.IN_PLACE_ONLY)
    heard, found = _heard(past), []
    for channel in telling.channels(transition.alert, heard=heard):
        told = replace(notice, channel=channel)
        if channel not in heard:
            told = replace(told, withheld=_never_told(channel))
        elif not telling.traits_of(channel).follows:
            told = replace(told, withheld=_cannot_change(channel))
        found.append(told)
    return found or [replace(notice, withheld="no route takes it")]


def _notice(transition: Transition, telling: Telling) -> Notification:
    alert = transition.alert
    owner = telling.owner(alert.finding)
    return Notification("", transition.change, alert, transition.at, owner, note=transition.why)


def _withheld(transition: Transition, telling: Telling, reason: str) -> Notification:
    return replace(_notice(transition, telling), withheld=reason)


def _heard(past: Mapping[str, Told]) -> list[str]:
    return [channel for channel, told in past.items() if told.reached]


def _never_told(channel: str) -> str:
    return f"{channel} was never told of it"


def _cannot_change(channel: str) -> str:
    return f"{channel} cannot change a message, and this is no news for it"


def _worst_first(alert: Alert) -> tuple[int, bool, str]:
    """By severity; of equals the cap first: it says exactly how much is left."""
    finding = alert.finding
    return -finding.severity, finding.kind != "cap", finding.fingerprint


def _told_before(change: Change) -> bool:
    """It is news of an alert of which a message may stand already."""
    return change.is_news and change is not Change.OPENED


def _one_per_key(notifications: Iterable[Notification], telling: Telling, past: Past) -> tuple[Notification, ...]:
    """Fold news of one key for one channel into the first, which is the worst."""
    out: list[Notification] = []
    first: dict[tuple[str, str, bool], int] = {}
    for notification in notifications:
        good = notification.change is Change.STOPPED
        place = notification.channel, notification.alert.finding.key_id or "", good
        if notification.withheld or notification.change.ends or notification.manner is not Manner.POST or not place[1]:
            out.append(notification)
        elif place not in first:
            first[place] = len(out)
            out.append(notification)
        else:
            lead, other = out[first[place]], notification.alert
            out[first[place]] = replace(
                lead, also=(*lead.also, other.finding.title), also_ids=(*lead.also_ids, other.id)
            )
            out += _folded(notification, lead, telling, past.get(other.id, {}))
    return tuple(out)


def _folded(
    notification: Notification, lead: Notification, telling: Telling, told: Mapping[str, Told]
) -> Iterator[Notification]:
    """News told with another alert's. Where a message of its own stands, that shows what became of it all the same."""
    if notification.change is Change.STOPPED and telling.traits_of(notification.channel).follows:
        yield replace(notification, manner=Manner.IN_PLACE_ONLY)
        return
    yield replace(notification, withheld=f"{TOLD_WITH}{lead.alert.id}, which is about the same key")
    yield from _brought_up_to_date(notification, telling, told)


def _brought_up_to_date(news: Notification, telling: Telling, told: Mapping[str, Told]) -> Iterator[Notification]:
    """The message of its own that stands where news of the alert was told in the message of another one."""
    channel = news.channel
    if _told_before(news.change) and telling.traits_of(channel).changes and channel in told and told[channel].stands:
        yield replace(news, change=Change.UPDATED, manner=Manner.IN_PLACE_ONLY, note="", about=0)


def _silenced(silences: Iterable[Silence], alert: Alert, now: datetime) -> Silence | None:
    return next((s for s in silences if s.covers(alert, at=now)), None)


def _silence_words(silence: Silence) -> str:
    kind = "marked as expected, " if silence.expected else ""
    return f"{kind}{silence.label} until {silence.until:%Y-%m-%d %H:%M} UTC"
