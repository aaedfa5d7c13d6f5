"""The meter as a whole: it listens, looks after its connections, and goes when it is told to."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from flowy_watch.clock import Clock
from flowy_watch.errors import StoreError
from flowy_watch.ledger import Ledger
from flowy_watch.meter.client import Client
from flowy_watch.meter.config import MeterConfig
from flowy_watch.meter.guard import Guard
from flowy_watch.meter.origin import OriginLabels
from flowy_watch.meter.tally import Tally
from flowy_watch.meter.upstream import Pool
from flowy_watch.meter.writer import Writer

_FLUSH = 0.5  # seconds between two batches to the ledger: what a SIGKILL costs at most
_SWEEP = 1.0
_LAST_WRITE = 10.0  # seconds for the last batch
_BUSY = 0.0  # the event loop waits for no other process
_BACKLOG = 1024

log = structlog.get_logger()


class Meter:
    """Made and used inside a running event loop."""

    def __init__(self, config: MeterConfig, clock: Clock, *, alive: Callable[[], None] = lambda: None) -> None:
        """`alive` is called once a second while the loop turns."""
        self.clock, self.target, self.limits = clock, config.target, config.limits
        self.seconds: Callable[[], float] = asyncio.get_running_loop().time
        self.moment = self.seconds()
        """As it was at most half a second ago: good enough for time-outs, and free."""
        self.labels = OriginLabels(config.origins, config.origins_key)
        self.tally = Tally(config)
        self._ledger = Ledger(config.ledger, busy_seconds=_BUSY)
        self.guard = Guard(self.tally, self._ledger, lambda: self.seconds())
        self.pool = Pool(self)
        self.draining = False
        self._config, self._alive = config, alive
        self.clients: set[Client] = set()
        self.writer = Writer(Ledger(config.ledger), clock.now)
        self._empty = asyncio.Event()

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve on `listener` until `stop` is set, then let what is under way come to its end."""
        self._resume()
        self.writer.start()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Client(self), sock=listener, backlog=_BACKLOG)
        ticking = loop.create_task(self._tick())
        try:
            await stop.wait()
        finally:
            server.close()
            await self._drain()
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            self.pool.close()
            self.flush()
            await loop.run_in_executor(None, self.writer.close, _LAST_WRITE)
            self._ledger.close()

    def admit(self, client: Client) -> bool:
        """False for one too many."""
        if len(self.clients) >= self.limits.connections:
            return False
        self.clients.add(client)
        return True

    def forget(self, client: Client) -> None:
        self.clients.discard(client)
        if not self.clients:
            self._empty.set()

    def _resume(self) -> None:
        """A ledger that cannot be read stops nobody's work."""
        try:
            with Ledger(self._config.ledger) as ledger:
                ledger.configure_prices(dict(self._config.prices))
                today = self.clock.now().date()
                keys = ledger.keys(today)
            self.guard.resume(keys, today)
            for key in keys:
                if key.last_used_at:
                    self.tally.know(key.fingerprint, key.last_four)
        except StoreError as error:
            log.warning("meter.ledger.unreadable", reason=str(error), consequence="caps begin at zero")
        self.guard.refresh()

    async def _drain(self) -> None:
        self.draining = True
        self._empty.clear()
        self.sweep()
        if self.clients:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), self.limits.drain_seconds)
        for client in list(self.clients):
            client.abort()

    def flush(self) -> None:
        """Hand over what was counted, to be written."""
        self.writer.add(self.tally.take())

    def sweep(self) -> None:
        """Give up on everybody who has done nothing for too long."""
        loop, seconds = asyncio.get_running_loop(), self.seconds()
        self.moment = seconds
        self.pool.sweep(seconds)
        for client in list(self.clients):
            loop.call_soon(client.sweep, seconds)  # each by itself: one that fails must not take the others with it

    async def _tick(self) -> None:
        swept = self.seconds()
        while True:
            await asyncio.sleep(_FLUSH)
            self.moment = self.seconds()
            self.flush()
            if self.seconds() - swept >= _SWEEP:
                swept = self.seconds()
                self.sweep()
                self._alive()
