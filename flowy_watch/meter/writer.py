"""The thread that brings the tally to the ledger."""

from collections.abc import Callable
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Thread

import structlog

from flowy_watch.errors import StoreError
from flowy_watch.ledger import Batch, Ledger

_PRUNE = timedelta(hours=1)

log = structlog.get_logger()


class Writer:
    """Writes each batch in a transaction of its own. What cannot be written is kept and goes with the next one.

    While it fails, batches are added up to one, whose size is bounded by the keys, apps and origins there are.
    """

    def __init__(self, ledger: Ledger, now: Callable[[], datetime]) -> None:
        """`ledger` is this thread's own."""
        self._ledger, self._now = ledger, now
        self._queue: SimpleQueue[Batch | None] = SimpleQueue()
        self._kept = Batch()
        self._failing = False
        self._prune_at = now()
        self._thread = Thread(target=self._work, name="ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, batch: Batch) -> None:
        """An empty one is worth sending: with it, what is kept is tried again."""
        self._queue.put(batch)

    def close(self, patience: float) -> None:
        """Write what is left, and wait that many seconds for it."""
        self._queue.put(None)
        self._thread.join(patience)

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._write(batch)
        self._ledger.close()

    def _write(self, batch: Batch) -> None:
        try:
            self._kept.take_in(batch)
            if not self._kept:
                return
            self._ledger.add(self._kept)
            self._kept = Batch()
            if self._now() >= self._prune_at:
                self._prune_at = self._now() + _PRUNE
                self._ledger.prune(self._now())
        except StoreError as error:
            if not self._failing:
                log.warning("meter.ledger.unwritable", reason=str(error), consequence="counts are kept in memory")
            self._failing = True
            return
        except Exception:
            # Ours to mend, and no reason to write nothing from now on: this batch is given up.
            log.exception("meter.batch.lost")
            self._kept = Batch()
        if self._failing:
            log.info("meter.ledger.restored")
        self._failing = False
