"""What one channel has to send: each try, and what comes of it.

Longer than most: which answer leads to which next step is the promise that nothing is lost or doubled.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from random import SystemRandom
from threading import Event
from time import monotonic
from typing import Protocol

import structlog

from flowy_watch.channels.base import Channel, Envelope, Receipt, Settles
from flowy_watch.clock import Clock
from flowy_watch.core.alert import Alert, Change, Status
from flowy_watch.core.bundle import Form, Waiting
from flowy_watch.core.hours import Hours
from flowy_watch.core.message import Dialect, Message, Written
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.plan import MOST_UPDATES
from flowy_watch.core.story import follow_ups
from flowy_watch.errors import Doubtful, Refused, StoreError, TryLater
from flowy_watch.jobs.compose import Deals, claim
from flowy_watch.jobs.undelivered import tell_elsewhere, tell_of_recipient
from flowy_watch.store import Claimed, Store, Work

_LEASE = timedelta(seconds=5)
"""So long nobody asks what became of a try whose process died: what it had written may still be on its way. That no two
processes send at once is not the lease's doing but the channel's lock, which ends with its process."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(seconds=10)
"""The longest is what a channel that works again waits for its backlog, at worst: together with a post a second, a
backlog of 35 is told within a minute. One request in 5 to 10 seconds hammers at nobody."""
_LONGEST_FOR_ONE = timedelta(minutes=5)  # where only some recipients wait, whom the server has put off for now
_AFTER_DOUBT = timedelta(seconds=30)  # so long a message without an answer may still be on its way
_SET_BACK = 5.0  # seconds that a clock is put right by without its having been set back
_GIVE_UP = timedelta(days=1)
_SPACING = dict.fromkeys(
    (Dialect.SLACK, Dialect.SLACK_BUTTONS), 1.0
)  # seconds from one message to the next; Slack allows one a second in each channel

log = structlog.get_logger()
_dice = SystemRandom()


class _Unsettled(Enum):
    """Why there is no proof that an earlier try arrived."""

    UNTRIED = auto()
    ABSENT = auto()
    UNKNOWN = auto()


class Renders(Deals, Protocol):
    def render(self, notification: Notification, dialect: Dialect) -> Message: ...

    def render_page(
        self, notifications: Sequence[Notification], dialect: Dialect, *, headline: str, form: Form
    ) -> Message: ...

    def as_repeat(self, message: Message) -> Message: ...


class Delivery:
    """Sends what one channel has to send, in order. Only this loop is given a clock."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        renderer: Renders,
        clock: Clock,
        *,
        others: Iterable[str] = (),
        quiet: Hours | None = None,
        stopping: Event | None = None,
    ) -> None:
        """`others` are the channels that hear of it when this one refuses for good; `quiet` are its quiet hours."""
        self._store, self._channel, self._renderer, self._clock = store, channel, renderer, clock
        self._others, self._quiet = tuple(others), quiet
        self._stopping = stopping or Event()
        self._free_at = 0.0
        self._awaited: tuple[datetime | None, float] = None, 0.0
        """The instant that is waited for, and when it comes by a clock that nobody sets."""

    def send_due(self, *, most: int = 1000) -> int:
        """Send until nothing is due; returns how many messages were delivered. Raises StoreError only.

        While another process sends on this channel, all is left to it.
        """
        if not self._due():
            return 0
        delivered = 0
        with self._store.sending(self._channel.name) as mine:
            self._mind_the_pace()
            for _ in range(most if mine else 0):
                if not self._due() or not self._breathe():
                    break
                with self._store.write() as work:
                    now = self._clock.now()
                    claimed = claim(
                        work,
                        self._channel,
                        self._renderer,
                        quiet=self._quiet,
                        due_by=self._awaited[0],
                        now=now,
                        until=now + _LEASE,
                    )
                if claimed is None:
                    break
                delivered += self._send(claimed)
        return delivered

    def due_in(self) -> float | None:
        """Seconds until something may be sent; None when nothing waits."""
        with self._store.read() as work:
            comes = work.outbox.comes_next(self._channel.name)
        if comes is None:
            return None
        due_at, held, pause = comes
        left = (due_at - self._clock.now()).total_seconds()
        if pause is not None and not held:
            left = min(left, pause.total_seconds())  # the clock was set back before this process began
        awaited, ends = self._awaited
        if due_at != awaited:
            self._awaited = due_at, monotonic() + left
        elif not held and left > ends - monotonic() + _SET_BACK:
            left = ends - monotonic()  # the clock was set back: a pause lasts no longer for that
        return max(left, 0)

    def _due(self) -> bool:
        return self.due_in() == 0

    def _mind_the_pace(self) -> None:
        """The last message may be another process's, or that of a life before this one."""
        if not (spacing := _SPACING.get(self._channel.dialect)):
            return
        with self._store.read() as work:
            sent_at = work.outbox.last_sent_at(self._channel.name)
        ago = (self._clock.now() - sent_at).total_seconds() if sent_at else spacing
        if 0 <= ago < spacing:
            self._free_at = max(self._free_at, monotonic() + spacing - ago)

    def _breathe(self) -> bool:
        """Keep the other side's pace; False when there is no time left for it."""
        return not self._stopping.wait(max(self._free_at - monotonic(), 0))

    # ── the try ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, claimed: Claimed) -> bool:
        """Send with no transaction open, then record what came of it."""
        envelope = replace(_envelope(claimed), story=self._story(claimed))
        earlier: Receipt | _Unsettled | None = None
        try:
            earlier = self._settle(claimed, envelope)
            if earlier is _Unsettled.ABSENT:
                self._put_together_anew(claimed)
                return False
            if isinstance(earlier, Receipt):
                receipt = earlier
            else:
                written = self._written(claimed, envelope)
                message = written.message
                envelope = replace(envelope, first=written.first, after=written.after, written_at=written.at)
                seen_twice = earlier is _Unsettled.UNKNOWN and not envelope.update_of
                receipt = self._channel.send(self._renderer.as_repeat(message) if seen_twice else message, envelope)
        except Refused as error:
            self._bury(claimed, claimed.notices, str(error))
        except TryLater as error:
            pause = error.retry_after or _pause(claimed.tries)
            untaken = earlier is _Unsettled.UNTRIED and not error.settled and not self._goes_out_in_parts(claimed)
            if error.settled:
                pause = error.retry_after or _pause(claimed.tries, longest=_LONGEST_FOR_ONE)
            self._postpone(claimed, str(error), pause, untaken=untaken, settled=error.settled)
        except Doubtful as error:
            on_its_way = earlier is not None and not error.answered
            pause = error.retry_after or (_AFTER_DOUBT if on_its_way else _pause(claimed.tries))
            self._postpone(claimed, f"may have arrived: {error}", pause, untaken=False, settled=error.settled)
        except StoreError:
            raise
        except Exception as error:  # a notice that trips over a fault of ours must not block the others
            log.exception("notice.crashed", channel=self._channel.name, alerts=_alerts(claimed))
            reason = f"internal error ({type(error).__name__})"
            self._postpone(claimed, reason, _pause(claimed.tries), untaken=False, most=5)
        else:
            self._done(claimed, receipt)
            return True
        return False

    def _story(self, claimed: Claimed) -> str:
        """The alert's first message, for another one to point back to."""
        told, stands = claimed.notification, claimed.earlier
        alone = claimed.form is Form.ALONE and told.manner is not Manner.THREAD and not told.target
        if not (alone and stands and told.alert.id and self._channel.traits.threads):
            return ""
        with self._store.read() as work:
            first = work.outbox.first_message(self._channel.name, told.alert.id)
        return "" if told.manner is not Manner.POST and first == stands else first

    def _written(self, claimed: Claimed, envelope: Envelope) -> Written:
        """A message is written down before the first try: each further one says the same to the letter, though it is
        another process's, of another version or with another configuration, and others were told meanwhile."""
        if claimed.written:
            return claimed.written
        if claimed.form is Form.ALONE:
            message = self._renderer.render(claimed.notification, self._channel.dialect)
        else:
            message = self._renderer.render_page(
                claimed.notifications, self._channel.dialect, headline=claimed.headline, form=claimed.form
            )
        written = Written(message, self._clock.now(), envelope.first, envelope.after)
        with self._store.write() as work:
            work.outbox.freeze(claimed, written)
        return written

    def _settle(self, claimed: Claimed, envelope: Envelope) -> Receipt | _Unsettled:
        """What an earlier try may have delivered: asked before any resend, where the channel can be asked."""
        if not claimed.doubtful:
            return _Unsettled.UNTRIED
        if not isinstance(self._channel, Settles):
            return _Unsettled.UNKNOWN
        try:
            return self._channel.find(envelope, since=claimed.created_at) or _Unsettled.ABSENT
        except Refused as error:  # it may post but not read: a repeat is better than a loss
            log.warning("notice.unsettled", channel=self._channel.name, alerts=_alerts(claimed), reason=str(error))
            return _Unsettled.UNKNOWN

    def _goes_out_in_parts(self, claimed: Claimed) -> bool:
        """Where the other side is a program, a message about many may go out event by event."""
        return claimed.form is not Form.ALONE and self._channel.dialect is Dialect.FACTS

    # ── after the try ────────────────────────────────────────────────────────────────────────────────────────────

    def _done(self, claimed: Claimed, receipt: Receipt) -> None:
        self._free_at = monotonic() + _SPACING.get(self._channel.dialect, 0)
        now, tries, alerts = self._clock.now(), claimed.tries, _alerts(claimed)
        with self._store.write() as work:
            followers = self._followers(work, claimed, receipt)
            work.outbox.sent(claimed, at=now, remote_id=receipt.remote_id, refused=receipt.refused)
            work.outbox.add(followers)
            if claimed.form is Form.PASSED:
                work.alerts.settle(_lulled(work, claimed))
            if self._channel.dialect is Dialect.EMAIL:
                for whom, why in receipt.refused.items():
                    tell_of_recipient(work, self._channel.name, whom, why, self._others, now)
        missed = ", ".join(f"{whom} ({why})" for whom, why in receipt.refused.items())
        log.info("notice.sent", channel=self._channel.name, alerts=alerts, tries=tries, refused=missed)

    def _followers(self, work: Work, claimed: Claimed, receipt: Receipt) -> tuple[Notification, ...]:
        """What a channel with threads is sent besides, now that this was."""
        told = claimed.notification
        if claimed.form is not Form.ALONE:
            return self._listed(work, claimed)
        alone = told.manner is not Manner.THREAD and not told.target
        if not (alone and told.alert.id and self._channel.traits.threads and claimed.earlier):
            return ()
        first = work.outbox.first_message(self._channel.name, told.alert.id)
        return follow_ups(told, first=first, earlier=claimed.earlier, now=receipt.remote_id)

    def _listed(self, work: Work, claimed: Claimed) -> tuple[Notification, ...]:
        """What stands about an alert by itself says what the list does."""
        stands = work.outbox.standing(self._channel.name, [n.alert.id for n in claimed.notifications])
        news = [n for n in claimed.notifications if self._channel.traits.changes and n.alert.id in stands]
        return tuple(
            replace(n, change=Change.UPDATED, manner=Manner.IN_PLACE_ONLY, also=(), also_ids=(), held_until=None)
            for n in news[:MOST_UPDATES]
        )

    def _put_together_anew(self, claimed: Claimed) -> None:
        """It surely did not arrive: what is sent instead, at once, is what is true by now."""
        with self._store.write() as work:
            self._free(work, claimed)

    def _free(self, work: Work, claimed: Claimed, *, due_at: datetime | None = None, reason: str = "") -> None:
        """The later pages of a message whose first page was sent stay as they are."""
        if claimed.page > 1:
            work.outbox.keep(claimed, due_at=due_at or self._clock.now(), reason=reason)
        else:
            work.outbox.loosen(self._channel.name, at=self._clock.now(), due_at=due_at, reason=reason)

    def _postpone(
        self,
        claimed: Claimed,
        reason: str,
        pause: timedelta,
        *,
        untaken: bool,
        most: int = 0,
        settled: Mapping[str, str] | None = None,
    ) -> None:
        """Try again after a pause: for a day, or `most` times.

        What nobody can have seen is put together anew then, as things stand. What some recipients have was told, even
        when in the end others never get it.
        """
        settled = {**claimed.settled, **(settled or {})}
        reached = "" in settled.values()
        now = self._clock.now()
        old = [n for n in claimed.notices if now - n.notification.created_at > _GIVE_UP and claimed.tries > 10]
        if claimed.tries >= most if most else len(old) == len(claimed.notices):
            if reached:
                never = {whom: why for whom, why in settled.items() if why}
                never["some of its recipients"] = f"given up after {claimed.tries} tries: {reason}"
                self._done(claimed, Receipt(refused=never))
                return
            self._bury(claimed, claimed.notices, reason, given_up=True)
            return
        due_at = now + pause
        if untaken and old:
            self._bury(claimed, old, reason, given_up=True)
        with self._store.write() as work:
            if untaken:
                self._free(work, claimed, due_at=due_at, reason=reason)
            else:
                work.outbox.doubt(claimed, due_at=due_at, reason=reason, settled=settled)
            if reached:
                work.outbox.reached(claimed, at=now)
        log.warning(
            "notice.later",
            channel=self._channel.name,
            alerts=_alerts(claimed),
            tries=claimed.tries,
            reason=reason,
            pause=pause.total_seconds(),
        )

    def _bury(self, claimed: Claimed, notices: Sequence[Waiting], cause: str, *, given_up: bool = False) -> None:
        reason = f"given up after {claimed.tries} tries: {cause}" if given_up else cause
        now = self._clock.now()
        if claimed.notification.target:  # it only follows what was told
            with self._store.write() as work:
                work.outbox.withhold({claimed.outbox_id: reason})
            log.warning("notice.left", channel=self._channel.name, alerts=_alerts(claimed), reason=reason)
            return
        with self._store.write() as work:
            work.outbox.dead([notice.outbox_id for notice in notices], at=now, reason=reason)
            tell_elsewhere(work, self._channel.name, cause, [n.notification for n in notices], self._others, now)
        log.error("notice.dead", channel=self._channel.name, alerts=_alerts(claimed), reason=reason)


def _envelope(claimed: Claimed) -> Envelope:
    if claimed.form is not Form.ALONE:
        thread = f"roundup-{claimed.outbox_id}"
        return Envelope(claimed.outbox_id, thread=thread, tries=claimed.tries, settled=claimed.settled)
    notification = claimed.notification
    about = notification.about or notification.alert.id or claimed.outbox_id
    return Envelope(
        outbox_id=claimed.outbox_id,
        thread=f"alert-{about}",
        first=not claimed.notices[0].heard and not notification.about,
        update_of=claimed.earlier if notification.manner in (Manner.IN_PLACE, Manner.IN_PLACE_ONLY) else "",
        newer=claimed.latest if notification.target and notification.manner is not Manner.THREAD else "",
        or_nothing=notification.manner is Manner.IN_PLACE_ONLY,
        reply_to=claimed.earlier if notification.manner is Manner.THREAD else "",
        after=claimed.earlier,
        tries=claimed.tries,
        settled=claimed.settled,
    )


def _alerts(claimed: Claimed) -> str:
    """Their numbers, for the log."""
    numbers = [str(notification.alert.id) for notification in claimed.notifications]
    return ", ".join(numbers[:10]) + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")


def _lulled(work: Work, claimed: Claimed) -> Iterator[Alert]:
    """Alerts told among those that came and went which have not ended yet: the next poll that finds one tells it."""
    for notification in claimed.notifications:
        alert = work.alerts.get(notification.alert.id)
        if alert and alert.status is Status.OPEN and not alert.held_by:
            yield replace(alert, held_by="a lull")


def _pause(tries: int, *, longest: timedelta = _LONGEST_PAUSE) -> timedelta:
    """Exponential, with jitter so that several waiting daemons do not knock together."""
    grown: timedelta = min(_FIRST_PAUSE * (1 << min(tries - 1, 12)), longest)
    return grown * _dice.uniform(0.5, 1.0)
