"""Delivery: a loop per channel that reads only the outbox."""

from collections.abc import Mapping
from datetime import timedelta
from random import SystemRandom
from threading import Event, Thread
from time import monotonic
from typing import Protocol

import structlog

from flowy_watch.channels.base import Channel, Envelope, Receipt, Settles
from flowy_watch.clock import Clock
from flowy_watch.core.message import Dialect, Message
from flowy_watch.core.notification import Notification
from flowy_watch.errors import Doubtful, Refused, StoreError, TryLater
from flowy_watch.store import Claimed, Store

_LEASE = timedelta(seconds=90)  # longer than any channel's timeout
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
_AFTER_DOUBT = timedelta(seconds=30)
_GIVE_UP = timedelta(days=1)
_LOOK_EVERY = 1.0  # seconds; another process may have put something into the outbox

log = structlog.get_logger()
_dice = SystemRandom()


class Renders(Protocol):
    def render(self, notification: Notification, dialect: Dialect) -> Message: ...


class Delivery:
    """Sends what one channel has to send, in order. Only this loop is given a clock."""

    def __init__(self, store: Store, channel: Channel, renderer: Renders, clock: Clock) -> None:
        self._store, self._channel, self._renderer, self._clock = store, channel, renderer, clock

    def send_due(self, *, most: int = 1000) -> int:
        """Send until nothing is due; returns how many were delivered. Raises StoreError only."""
        delivered = 0
        for _ in range(most):
            now = self._clock.now()
            with self._store.write() as work:
                claimed = work.outbox.claim(self._channel.name, now=now, until=now + _LEASE)
            if claimed is None:
                break
            delivered += self._send(claimed)
        return delivered

    def _send(self, claimed: Claimed) -> bool:
        """Send with no transaction open, then record what came of it."""
        notification = claimed.notification
        envelope = Envelope(
            outbox_id=claimed.outbox_id,
            thread=f"alert-{claimed.alert_id}",
            first=not claimed.earlier,
            update_of=claimed.earlier if notification.quiet else "",
        )
        try:
            receipt = self._settle(claimed, envelope) or self._channel.send(
                self._renderer.render(notification, self._channel.dialect), envelope
            )
        except Refused as error:
            self._bury(claimed, str(error))
        except TryLater as error:
            self._postpone(claimed, str(error), error.retry_after or _pause(claimed.tries))
        except Doubtful as error:
            self._postpone(claimed, f"may have arrived: {error}", _AFTER_DOUBT)
        except StoreError:
            raise
        except Exception as error:  # a notice that trips over a fault of ours must not block the others
            log.exception("notice.crashed", channel=self._channel.name, alert=claimed.alert_id)
            self._postpone(claimed, f"internal error ({type(error).__name__})", _pause(claimed.tries), most=5)
        else:
            self._done(claimed, receipt)
            return True
        return False

    def _settle(self, claimed: Claimed, envelope: Envelope) -> Receipt | None:
        """What an earlier try may have delivered: asked before any resend, where the channel can be asked."""
        if claimed.tries == 1 or not isinstance(self._channel, Settles):
            return None
        try:
            return self._channel.find(envelope, since=claimed.created_at)
        except Refused as error:  # it may post but not read: a repeat is better than a loss
            log.warning("notice.unsettled", channel=self._channel.name, alert=claimed.alert_id, reason=str(error))
            return None

    def _done(self, claimed: Claimed, receipt: Receipt) -> None:
        reason = f"refused for good: {', '.join(receipt.refused)}" if receipt.refused else ""
        with self._store.write() as work:
            work.outbox.sent(claimed.outbox_id, at=self._clock.now(), remote_id=receipt.remote_id, reason=reason)
        log.info("notice.sent", channel=self._channel.name, alert=claimed.alert_id, tries=claimed.tries, refused=reason)

    def _postpone(self, claimed: Claimed, reason: str, pause: timedelta, *, most: int = 0) -> None:
        """Try again after a pause: for a day, or `most` times."""
        now = self._clock.now()
        over = claimed.tries >= most if most else now - claimed.created_at > _GIVE_UP and claimed.tries > 10
        if over:
            self._bury(claimed, f"given up after {claimed.tries} tries: {reason}")
            return
        with self._store.write() as work:
            work.outbox.later(claimed.outbox_id, due_at=now + pause, reason=reason)
        log.warning(
            "notice.later",
            channel=self._channel.name,
            alert=claimed.alert_id,
            tries=claimed.tries,
            reason=reason,
            pause=pause.total_seconds(),
        )

    def _bury(self, claimed: Claimed, reason: str) -> None:
        with self._store.write() as work:
            work.outbox.dead(claimed.outbox_id, reason=reason)
        log.error("notice.dead", channel=self._channel.name, alert=claimed.alert_id, reason=reason)


def _pause(tries: int) -> timedelta:
    """Exponential, with jitter so that several waiting daemons do not knock together."""
    longest: timedelta = min(_FIRST_PAUSE * (1 << min(tries - 1, 12)), _LONGEST_PAUSE)
    return longest * _dice.uniform(0.5, 1.0)


class Postman:
    """One thread per channel: a channel that hangs holds up nobody else."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], renderer: Renders, clock: Clock) -> None:
        self._deliveries = {name: Delivery(store, channel, renderer, clock) for name, channel in channels.items()}
        self._bells = {name: Event() for name in channels}
        self._stopping = Event()
        self._threads: list[Thread] = []

    def start(self) -> None:
        self._threads = [
            Thread(target=self._work, args=(name,), name=f"deliver-{name}", daemon=True) for name in self._deliveries
        ]
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Something was put into the outbox: look now."""
        for bell in self._bells.values():
            bell.set()

    def stop(self, *, within: timedelta) -> None:
        """Let what is being sent finish for at most `within`; what is left keeps its lease and is sent later."""
        self._stopping.set()
        self.ring()
        until = monotonic() + within.total_seconds()
        for thread in self._threads:
            thread.join(max(until - monotonic(), 0))

    def deliver_due(self, *, within: timedelta) -> None:
        """For one-shot commands: send what is due on all channels side by side, then return."""
        threads = [Thread(target=self._once, args=(name,), daemon=True) for name in self._deliveries]
        for thread in threads:
            thread.start()
        until = monotonic() + within.total_seconds()
        for thread in threads:
            thread.join(max(until - monotonic(), 0))

    def _work(self, name: str) -> None:
        while not self._stopping.is_set():
            self._once(name)
            self._bells[name].wait(_LOOK_EVERY)
            self._bells[name].clear()

    def _once(self, name: str) -> None:
        try:
            self._deliveries[name].send_due()
        except StoreError as error:
            log.error("deliver.failed", channel=name, reason=str(error))
        except Exception as error:  # the job wrapper: one channel's fault must not end its thread
            log.exception("deliver.crashed", channel=name, error=type(error).__name__)
