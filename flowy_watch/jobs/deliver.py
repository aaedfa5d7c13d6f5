"""Delivery: a loop per channel that reads only the outbox."""

from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

import structlog

from flowy_watch.channels.base import Channel
from flowy_watch.clock import Clock
from flowy_watch.core.hours import Hours
from flowy_watch.errors import StoreError
from flowy_watch.jobs.send import Delivery, Renders
from flowy_watch.store import Store

_GLANCE_EVERY = 0.1  # seconds; another process may have put something into the outbox
_LOOK_EVERY = 1.0  # seconds; nothing rings when a time comes, and the clock may have been set

log = structlog.get_logger()


class Postman:
    """One thread per channel: a channel that hangs holds up nobody else."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        renderer: Renders,
        clock: Clock,
        *,
        quiet_hours: Mapping[str, Hours] | None = None,
    ) -> None:
        quiet = quiet_hours or {}
        self._store = store
        self._stopping = Event()
        self._deliveries = {
            name: Delivery(
                store, channel, renderer, clock, others=channels, quiet=quiet.get(name), stopping=self._stopping
            )
            for name, channel in channels.items()
        }
        self._bells = {name: Event() for name in channels}
        self._threads: list[Thread] = []

    def start(self) -> None:
        self._threads = [
            Thread(target=self._work, args=(name,), name=f"deliver-{name}", daemon=True) for name in self._deliveries
        ]
        self._threads.append(Thread(target=self._listen, name="deliver", daemon=True))
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Something was put into the outbox: look now."""
        for bell in self._bells.values():
            bell.set()

    def stop(self, *, within: timedelta) -> None:
        """Let what is being sent finish for at most `within`; what is left is settled and sent later."""
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

    def _listen(self) -> None:
        """Ring whenever anybody committed something."""
        with closing(self._store.commits()) as commits:
            while not self._stopping.wait(_GLANCE_EVERY):
                try:
                    if commits.moved():
                        self.ring()
                except StoreError:  # each channel's own look says what is wrong
                    self._stopping.wait(_LOOK_EVERY)

    def _work(self, name: str) -> None:
        while not self._stopping.is_set():
            wait = self._once(name)
            self._bells[name].wait(wait)
            self._bells[name].clear()

    def _once(self, name: str) -> float:
        """Send what is due; returns the seconds after which to look again."""
        try:
            if self._deliveries[name].send_due():
                return 0
            due_in = self._deliveries[name].due_in()
        except StoreError as error:
            log.error("deliver.failed", channel=name, reason=str(error))
        except Exception as error:  # the job wrapper: one channel's fault must not end its thread
            log.exception("deliver.crashed", channel=name, error=type(error).__name__)
        else:
            # What is due and was not sent is another process's to send.
            return min(due_in or _LOOK_EVERY, _LOOK_EVERY)
        return _LOOK_EVERY
