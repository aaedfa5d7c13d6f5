"""What the next message of a channel carries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from flowy_watch.channels.base import Channel
from flowy_watch.core.alert import Alert
from flowy_watch.core.bundle import Form, Waiting, apart, at_present, footless, moot, most_alone, next_bundle, overtaken
from flowy_watch.core.hours import Hours
from flowy_watch.core.message import Dialect
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.quiet import hushed
from flowy_watch.jobs.undelivered import recounted
from flowy_watch.store import Claimed, Page, Work


class Dealt(Protocol):
    """One of the messages about many."""

    @property
    def headline(self) -> str: ...

    @property
    def places(self) -> tuple[int, ...]:
        """Which of the notifications it tells."""
        ...


class Deals(Protocol):
    """Decides how many notifications are dealt out to few messages."""

    def pages(self, notifications: Sequence[Notification], dialect: Dialect, form: Form) -> Sequence[Dealt]: ...


def claim(
    work: Work,
    channel: Channel,
    deals: Deals,
    *,
    quiet: Hours | None = None,
    due_by: datetime | None = None,
    now: datetime,
    until: datetime,
) -> Claimed | None:
    """Lease the next message of a channel if it is due, and put it together first where that is still open.

    Due is what is due by now, or by `due_by`, where the clock was set back while that was waited for.
    What waited until quiet hours began waits for their end. With the caller's commit it is settled what the message
    carries: every try after it sends the very same one, until an answer says that nothing was taken. Its words are
    written down before the first try.
    """
    due_at = work.outbox.next_due(channel.name)
    if due_at is None or due_at > max(now, due_by or now):
        return None
    if work.outbox.composed(channel.name):
        claimed = work.outbox.claim(channel.name, now=now, until=until)
        if claimed is None or claimed.doubtful:
            return claimed
        claimed = _refreshed(work, claimed)
        if not (quiet and claimed.page > 1 and all(hushed(n, quiet, now) is not n for n in claimed.notifications)):
            return claimed
        work.outbox.loosen(channel.name)  # the rest of a list whose first page came before quiet hours began
    _compose(work, channel, deals, quiet, now)
    return work.outbox.claim(channel.name, now=now, until=until)


def _compose(work: Work, channel: Channel, deals: Deals, quiet: Hours | None, now: datetime) -> None:
    waiting = _loose(work, channel, now)
    present = _present(work, [notice.notification for notice in waiting])
    if work.outbox.add(apart(waiting, present)):
        waiting = _loose(work, channel, now)
    if quiet and quiet.cover(now):
        held = _too_late(waiting, present, quiet, now)
        work.outbox.hold(held)
        waiting = [notice for notice in waiting if notice.outbox_id not in held]
    work.outbox.overtake(overtaken(waiting, present))
    nowhere = {
        notice.outbox_id: f"{channel.name} has no message of its own to change" for notice in footless(waiting, present)
    }
    nowhere |= {
        notice.outbox_id: f"it is back, and {channel.name} was not told of it" for notice in moot(waiting, present)
    }
    nowhere |= _told_as_over(work, channel.name, waiting)
    work.outbox.withhold(nowhere)
    waiting = [recounted(work, notice, now) for notice in waiting if notice.outbox_id not in nowhere]
    if not waiting:
        return
    bundle = next_bundle(waiting, present, most=most_alone(waiting, changes=channel.traits.changes))
    members = bundle.members
    if bundle.form is Form.ALONE:
        work.outbox.compose([Page(bundle.form, members)])
        return
    pages = deals.pages([member.notification for member in members], channel.dialect, bundle.form)
    work.outbox.compose(Page(bundle.form, tuple(members[n] for n in page.places), page.headline) for page in pages)


def _loose(work: Work, channel: Channel, now: datetime) -> list[Waiting]:
    loose = (_as_channel_can(notice, channel) for notice in work.outbox.loose(channel.name, at=now))
    return [_once(work, notice) for notice in loose]


def _told_as_over(work: Work, channel: str, waiting: Sequence[Waiting]) -> dict[str, str]:
    ends = {n.outbox_id: n.notification.alert.id for n in waiting if n.notification.change.ends and n.heard}
    passed = work.outbox.passed(channel, ends.values()) if ends else frozenset()
    reason = f"{channel} was told that it came and went"
    return {outbox_id: reason for outbox_id, number in ends.items() if number in passed}


def _too_late(
    waiting: Sequence[Waiting], present: Mapping[int, Alert], quiet: Hours, now: datetime
) -> dict[str, Notification]:
    """What the channel had no chance to tell before quiet hours began, held back; not where worse of it is told."""
    held, free = {}, set()
    for notice in waiting:
        notification = notice.notification
        as_it_is = at_present(notification, present)
        late = hushed(as_it_is, quiet, now)
        hushed_now = late is not as_it_is  # it may have waited for the end of earlier quiet hours before
        if hushed_now and not notice.in_place and notification.alert.id:
            held[notice.outbox_id] = replace(notification, held_until=late.held_until, held_why=late.held_why)
        elif as_it_is.change.is_news:
            free.add(notification.alert.id)
    return {outbox_id: late for outbox_id, late in held.items() if late.alert.id not in free}


def _once(work: Work, notice: Waiting) -> Waiting:
    """Without those alerts told along that have news of their own since: it would tell them twice."""
    notification = notice.notification
    if not notification.also_ids or len(notification.also) != len(notification.also_ids):
        return notice
    told = work.outbox.news_since(notification.channel, notice.outbox_id, notification.also_ids)
    pairs = zip(notification.also, notification.also_ids, strict=True)
    kept = [(title, number) for title, number in pairs if number not in told]
    also, also_ids = tuple(title for title, _ in kept), tuple(number for _, number in kept)
    return replace(notice, notification=replace(notification, also=also, also_ids=also_ids))


def _as_channel_can(notice: Waiting, channel: Channel) -> Waiting:
    """Where the other side keeps each alert's state, what it was told of stands there, whatever message told it."""
    traits, manner = channel.traits, notice.notification.manner
    in_place = notice.stands and (traits.threads if manner is Manner.THREAD else traits.changes)
    tracked = notice.heard and traits.tracks and manner is not Manner.THREAD
    in_place_only = in_place and manner is not Manner.POST
    return replace(notice, stands=in_place or tracked, in_place=in_place_only, tracked=traits.tracks)


def _refreshed(work: Work, claimed: Claimed) -> Claimed:
    """A page that had to wait, with its alerts as they are now: what ended meanwhile is shown as ended."""
    present = _present(work, claimed.notifications)
    notices = (replace(n, notification=at_present(n.notification, present)) for n in claimed.notices)
    return replace(claimed, notices=tuple(notices))


def _present(work: Work, notifications: Sequence[Notification]) -> dict[int, Alert]:
    """These alerts and those told with them, as they are now."""
    wanted = {n.alert.id for n in notifications} | {number for n in notifications for number in n.also_ids}
    found = {alert.id: alert for alert in work.alerts.unresolved() if alert.id in wanted}
    over = [work.alerts.get(number) for number in wanted - found.keys() - {0}]
    return found | {alert.id: alert for alert in over if alert}
