"""Who is told what: `plan` turns transitions into notifications, and says why where it does not."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flowy_watch.core.alert import LIVES, Alert, Change, Ending, Life, Status, Transition
from flowy_watch.core.notification import TOLD_WITH, Manner, Notification
from flowy_watch.core.route import Telling
from flowy_watch.core.silence import Silence


@dataclass(frozen=True, slots=True)
class Plan:
    notifications: tuple[Notification, ...]
    settled: tuple[Alert, ...]
    """Alerts whose present level is told, or withheld for good: they are not planned again until they get worse."""


Heard = Mapping[int, Collection[str]]
"""Which channels were told of an alert, or are to be, by its number."""

_HELD_BACK = "the silence or acknowledgement that held this back has ended"


def plan(
    transitions: Iterable[Transition],
    waiting: Iterable[Alert] = (),
    *,
    telling: Telling,
    silences: Iterable[Silence],
    heard: Heard,
    now: datetime,
) -> Plan:
    """Decide, for each transition and each alert still waiting to be told, which channels hear of it.

    `waiting` are open alerts whose level was never told and that did not change in this poll: once nothing silences
    them any more, they are told. Every transition yields at least one notification, if only a withheld one. What
    opened or grew for one key in one poll is one message per channel, under its worst alert. `heard` has to know all
    that ended or that people took on.
    """
    silences = tuple(silences)
    notifications: list[Notification] = []
    settled: list[Alert] = []
    news: list[tuple[Alert, Change]] = []
    for transition in transitions:
        alert, change = transition.alert, transition.change
        silence = _silenced(silences, alert, now)
        if change.ends:
            notifications += _end(transition, telling, silence, heard.get(alert.id, ()))
        elif change.takes_on:
            notifications += _taken_on(transition, telling, heard.get(alert.id, ()))
        elif silence:
            notifications.append(_withheld(transition, telling, _silence_words(silence)))
        else:
            news.append((alert, change))
    news += [
        (alert, Change.REPEATED)
        for alert in waiting
        if alert.status is Status.OPEN and not _silenced(silences, alert, now)
    ]
    for alert, change in sorted(news, key=lambda item: _worst_first(item[0])):
        notifications += _news(alert, change, telling, now)
        settled.append(alert)
    return Plan(_one_per_key(notifications, telling), tuple(settled))


def _news(alert: Alert, change: Change, telling: Telling, now: datetime) -> Iterable[Notification]:
    note = _HELD_BACK if change is Change.REPEATED else ""
    notice = Notification("", change, alert, now, telling.owner(alert.finding), note=note)
    channels = telling.channels(alert)
    return [replace(notice, channel=c) for c in channels] or [replace(notice, withheld="no route takes it")]


def _end(
    transition: Transition, telling: Telling, silence: Silence | None, heard: Collection[str]
) -> Iterable[Notification]:
    """An end is told where the alert was told. Where it is no news, only what stands there is brought up to date."""
    alert, change = transition.alert, transition.change
    if not alert.told_level:
        return [_withheld(transition, telling, "it was never told, so its end is no news")]
    ending = _life(alert).ending
    no_news = _silence_words(silence) if silence else ""
    if ending is Ending.NONE and change is not Change.STOPPED and not transition.by:
        no_news = "it ended by the calendar, which is no news"
    loud = ending is Ending.LOUD or change is Change.STOPPED
    notice = replace(_notice(transition, telling), manner=Manner.POST if loud else Manner.IN_PLACE)
    found = []
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


def _taken_on(transition: Transition, telling: Telling, heard: Collection[str]) -> Iterable[Notification]:
    """Somebody looks after it: no news, but what stands somewhere says so."""
    notice = replace(_notice(transition, telling), manner=Manner.IN_PLACE_ONLY)
    found = []
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


def _never_told(channel: str) -> str:
    return f"{channel} was never told of it"


def _cannot_change(channel: str) -> str:
    return f"{channel} cannot change a message, and this is no news for it"


def _worst_first(alert: Alert) -> tuple[int, bool, str]:
    """By severity; of equals the cap first: it says exactly how much is left."""
    finding = alert.finding
    return -finding.severity, finding.kind != "cap", finding.fingerprint


def _one_per_key(notifications: Iterable[Notification], telling: Telling) -> tuple[Notification, ...]:
    """Fold news of one key for one channel into the first, which is the worst."""
    out: list[Notification] = []
    first: dict[tuple[str, str], int] = {}
    for notification in notifications:
        place = notification.channel, notification.alert.finding.key_id or ""
        alone = notification.change.ends and notification.change is not Change.STOPPED
        if notification.withheld or alone or notification.manner is not Manner.POST or not place[1]:
            out.append(notification)
        elif place not in first:
            first[place] = len(out)
            out.append(notification)
        else:
            lead, other = out[first[place]], notification.alert
            out[first[place]] = replace(
                lead, also=(*lead.also, other.finding.title), also_ids=(*lead.also_ids, other.id)
            )
            out.append(_folded(notification, lead, telling))
    return tuple(out)


def _folded(notification: Notification, lead: Notification, telling: Telling) -> Notification:
    """News told with another alert's. What ended so is still shown as ended where it stands by itself."""
    if notification.change.ends and telling.traits_of(notification.channel).follows:
        return replace(notification, manner=Manner.IN_PLACE_ONLY)
    return replace(notification, withheld=f"{TOLD_WITH}{lead.alert.id}, which is about the same key")


def _life(alert: Alert) -> Life:
    return LIVES.get(alert.finding.kind, Life())


def _silenced(silences: Iterable[Silence], alert: Alert, now: datetime) -> Silence | None:
    return next((s for s in silences if s.covers(alert, at=now)), None)


def _silence_words(silence: Silence) -> str:
    by = f" by {silence.by}" if silence.by else ""
    kind = "marked as expected, " if silence.expected else ""
    return f"{kind}silence {silence.id} on {silence.pattern}{by} until {silence.until:%Y-%m-%d %H:%M} UTC"
