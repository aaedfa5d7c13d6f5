"""Which of the waiting notices travel together, and how those that are out of date are told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.notification import Manner, Notification

MOST_ALONE = 5
"""So many news in one go are a message each, with all that can be done about it; more become one list."""
MOST_AFTER_OUTAGE = 35
"""So many are a message each, one a second, where a channel that was down works again: each can be changed later."""
_OUTAGE = 3  # tries that failed, from which on it is not only a pause


class Form(StrEnum):
    """How a bundle is told."""

    ALONE = "alone"  # one notice in full
    ROUNDUP = "roundup"  # many alerts at once, a line each
    PASSED = "passed"  # came and went before the channel could be told: a line each


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice of one channel that is to be sent."""

    outbox_id: str
    notification: Notification
    heard: bool = False
    """The channel was told of this alert before."""
    tries: int = 0
    """How often it was tried in vain."""
    stands: bool = False
    """A message stands there that this one can change, or be a line of its thread."""

    held: bool = False
    """It waited for the end of quiet hours."""
    in_place: bool = False
    """It only changes or follows what stands there, and bothers nobody."""
    tracked: bool = False
    """The other side keeps the alert's state: it is told that it is open for as long as it is."""
    away: bool = False
    """It is news of what is not there now, though the alert has not ended."""

    @property
    def follows(self) -> bool:
        """It says what became of an alert that people know: it is told even after news that waited just as long."""
        return self.notification.change.takes_on or self.ends_what_was_told

    @property
    def ends_what_was_told(self) -> bool:
        return self.notification.change.ends and (self.heard or self.stands)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is sent next, and in which form."""

    form: Form
    members: tuple[Waiting, ...]
    """Each with the present state of its alert."""


def overtaken(waiting: Iterable[Waiting], present: Mapping[int, Alert]) -> dict[str, str]:
    """Notices that another one of the same alert makes needless, each with the one that is told instead.

    An alert that several notices wait for is told once: by its end when it has one, else by its latest news. What
    people did after that news is told after it; so is an end, where the news also tells of others that are not over.
    """
    told_by: dict[str, str] = {}
    for rows in _by_alert(waiting):
        leader = _leader(rows, present)
        later = rows[rows.index(leader) + 1 :] if leader.notification.change.is_news else []
        follower = next((row for row in reversed(later) if row.follows), leader)
        told_by |= {row.outbox_id: leader.outbox_id for row in rows if row is not leader and row is not follower}
    return told_by


def footless(waiting: Iterable[Waiting], present: Mapping[int, Alert]) -> list[Waiting]:
    """Notices that could only change a message, or be a line of its thread, where none stands nor is about to."""
    return [
        leader
        for leader in (_leader(rows, present) for rows in _by_alert(waiting))
        if leader.notification.manner.needs_message and not leader.stands
    ]


def moot(waiting: Iterable[Waiting], present: Mapping[int, Alert]) -> list[Waiting]:
    """Ends of alerts that are back by now, where nobody heard of them."""
    leaders = (_leader(rows, present) for rows in _by_alert(waiting))
    ends = (leader for leader in leaders if leader.notification.change.ends)
    unheard = ((row, present.get(row.notification.alert.id)) for row in ends if not row.heard)
    return [row for row, alert in unheard if alert and alert.status is not Status.RESOLVED]


def apart(waiting: Iterable[Waiting], present: Mapping[int, Alert]) -> list[Notification]:
    """News of their own for alerts that were to be told along with one which is away by now, and was never told.

    Of each such group the worst, with the others that still matter. The one that is away then came and went alone.
    """
    found = []
    for rows in _by_alert(waiting):
        leader = _leader(rows, present)
        told = leader.notification
        by_number = len(told.also) == len(told.also_ids)
        if leader.heard or leader.tracked or not (told.change.is_news and by_number):
            continue
        matters = [other for other in _others(told, present) if not other.is_away]
        alert = present.get(told.alert.id, told.alert)
        if alert.is_away and matters:
            worst = max(matters, key=lambda other: other.finding.severity)
            along = [other for other in matters if other is not worst]
            titles, numbers = tuple(other.finding.title for other in along), tuple(other.id for other in along)
            found.append(replace(told, alert=worst, also=titles, also_ids=numbers))
    return found


def most_alone(waiting: Sequence[Waiting], *, changes: bool) -> int:
    """How many news may be a message each; `changes` where the channel can change its messages later.

    What quiet hours held back is one summary. A storm, which is more than a few of one poll, is told as a list; not so
    what came little by little or had to wait for the end of an outage.
    """
    at_once = Counter(row.notification.created_at for row in waiting if row.notification.change.is_news)
    if sum(row.held and row.notification.change.is_news for row in waiting) > 1:
        return 1  # one summary of the quiet hours
    storm = max(at_once.values(), default=0) > MOST_ALONE
    outage = any(row.tries >= _OUTAGE for row in waiting)
    return MOST_AFTER_OUTAGE if changes and (outage or not storm) else MOST_ALONE


def next_bundle(waiting: Sequence[Waiting], present: Mapping[int, Alert], *, most: int = MOST_ALONE) -> Bundle:
    """What to send next of the notices of one channel, which are at least one and stand oldest first.

    `present` are the alerts as they are now. Nothing is told as news that is over: an alert that ended without the
    channel having heard of it becomes a line among those that came and went, and so does one whose problem is away by
    now, though its quiet time has not passed yet. More than `most` news at once are told
    together; what only brings an earlier message up to date comes after them, one by one.
    """
    leaders = [_told(rows, present) for rows in _by_alert(waiting)]
    passed = {row.notification.alert.id for row in leaders if _passed(row)}
    live = [_without(row, passed) for row in leaders if not _passed(row)]
    news = [row for row in live if not row.in_place]
    crowd = [row for row in news if row.notification.alert.id]  # what is about no alert has a message of its own
    if len(crowd) > most:
        return Bundle(Form.ROUNDUP, tuple(crowd))
    if live:
        return Bundle(Form.ALONE, ((news or live)[0],))
    return Bundle(Form.PASSED, tuple(leaders))


def at_present(notification: Notification, present: Mapping[int, Alert]) -> Notification:
    """The notification with its alert as it is now; an alert that is over is no longer told as news.

    Where it is over and others of the same key, told with it, are not, the worst of those takes its place.
    """
    alert = present.get(notification.alert.id, notification.alert)
    if alert.status is not Status.RESOLVED or not notification.change.is_news:
        return replace(notification, alert=alert)
    others = _others(notification, present)
    if not others:
        return replace(notification, alert=alert, change=Change.RESOLVED)
    worst = max(others, key=lambda other: other.finding.severity)
    also = tuple(other.finding.title for other in others if other is not worst)
    return replace(notification, alert=worst, change=Change.OPENED, also=also)


def _others(notification: Notification, present: Mapping[int, Alert]) -> list[Alert]:
    """Those told with it that are not over."""
    others = (present[number] for number in notification.also_ids if number in present)
    return [other for other in others if other.status is not Status.RESOLVED]


def _by_alert(waiting: Iterable[Waiting]) -> list[list[Waiting]]:
    """In the order in which the first notice of each was made."""
    rows: dict[object, list[Waiting]] = {}
    for row in waiting:
        alone = bool(row.notification.target)  # a line of the story is told beside whatever else waits
        rows.setdefault((not alone and row.notification.alert.id) or row.outbox_id, []).append(row)
    return list(rows.values())


def _leader(rows: Sequence[Waiting], present: Mapping[int, Alert]) -> Waiting:
    again = [n for n, row in enumerate(rows) if row.notification.change is Change.REOPENED]
    rows = rows[again[-1] :] if again else rows  # what ended and came back has not ended
    news = [row for row in rows if row.notification.change.is_news]
    ends = [row for row in rows if row.notification.change.ends]
    if news:  # an end that could only change a message leaves it to the news that is over to say so
        ends = [row for row in ends if row.stands or not row.notification.manner.needs_message]
    if ends and ends[-1].ends_what_was_told:
        of_others = [row for row in news if _others(row.notification, present)]
        if of_others:
            return of_others[-1]
    return (ends or news or [row for row in rows if row.follows] or rows)[-1]


def _told(rows: Sequence[Waiting], present: Mapping[int, Alert]) -> Waiting:
    """The one notice of an alert that speaks for all of them."""
    leader = _leader(rows, present)
    notification = leader.notification
    news = [row.notification for row in rows if row.notification.change.is_news]
    if news and not notification.change.ends:
        notification = replace(
            notification,
            change=Change.OPENED if news[0].change is Change.OPENED else notification.change,
            manner=next((each.manner for each in news if each.manner is Manner.POST), notification.manner),
        )
    notification = replace(
        notification,
        also=tuple(dict.fromkeys(title for row in rows for title in row.notification.also)),
        also_ids=tuple(dict.fromkeys(number for row in rows for number in row.notification.also_ids)),
    )
    if notification.change.ends and news and notification.also_ids:
        notification = replace(notification, change=news[0].change)  # the others of its key may not be over
    told = at_present(notification, present)
    away = told.alert.is_away and told.change.is_news and not _others_live(told, present)
    leader = replace(leader, away=away and not leader.tracked)
    return replace(leader, notification=told, in_place=leader.in_place and told.manner is not Manner.POST)


def _others_live(told: Notification, present: Mapping[int, Alert]) -> bool:
    """Whether another alert that is told with this one still matters."""
    others = [present[number] for number in told.also_ids if number in present]
    return any(other.status is not Status.RESOLVED and not other.is_away for other in others)


def _without(row: Waiting, passed: Set[int]) -> Waiting:
    """Not telling along what is told among those that came and went."""
    told = row.notification
    if passed.isdisjoint(told.also_ids) or len(told.also) != len(told.also_ids):
        return row
    kept = [(title, number) for title, number in zip(told.also, told.also_ids, strict=True) if number not in passed]
    also, also_ids = tuple(title for title, _ in kept), tuple(number for _, number in kept)
    return replace(row, notification=replace(told, also=also, also_ids=also_ids))


def _passed(row: Waiting) -> bool:
    notification = row.notification
    over = notification.change.ends and notification.alert.status is Status.RESOLVED
    return (over or row.away) and not row.heard and not row.in_place
