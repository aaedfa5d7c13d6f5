"""Catching up with what is stored: after a start, after an import, after an upgrade that learns anew."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

import structlog

from flowy_watch.core.watch import Watch
from flowy_watch.errors import Interrupted
from flowy_watch.store import Store, Work

_STRETCH = 100_000
"""Snapshots replayed in one go: about seven seconds' work, which is what a restart loses at most."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """All that a poll goes by, as it stands after the poll `poll_id`."""

    watch: Watch
    numbers: dict[str, int]
    poll_id: int


def replay(
    store: Store, *, leaving: Event, alive: Callable[[], object] = lambda: None, stretch: int = _STRETCH
) -> Known:
    """Everything known: the saved states moved forward by the polls stored since.

    No lock is held while polls are read. How far it came is saved after every stretch but the last, and `alive` called,
    so that nobody waits for the whole, and a restart goes on from there. What is stored meanwhile, even an import that
    lies in the past, is taken in. Raises Interrupted once `leaving` is set.
    """
    watch, since, poll_id = Watch(), None, -1
    while True:
        with store.read() as work:
            if poll_id != work.usage.last_poll_id():
                watch, poll_id = work.usage.load_states(), work.usage.last_poll_id()
                since = watch.taken_at
            until = work.usage.stretch_end(since, stretch)
            for reading in work.usage.readings(since, until=until):
                watch.add(reading)
                if leaving.is_set():
                    raise Interrupted("stopped while stored polls were replayed; the next start goes on from there")
            numbers = work.usage.numbers()
            if until is None:
                return Known(_completed(work, watch), numbers, poll_id)
            left = work.usage.polls_after(until)
        with store.write() as work:
            if poll_id == work.usage.last_poll_id():  # otherwise what was saved before is read again
                work.usage.save_states(watch, numbers)
        since = until
        alive()
        log.info("replay", up_to=until.isoformat(), polls_left=left)


def learn(store: Store) -> None:
    """Save what the next start would have to replay; for when no daemon runs, which learns by itself."""
    known = replay(store, leaving=Event())
    with store.write() as work:
        if known.poll_id == work.usage.last_poll_id():
            work.usage.save_states(known.watch, known.numbers)


def _completed(work: Work, watch: Watch) -> Watch:
    watch.listed_before = work.usage.listed_live()
    watch.provenance = work.knowledge.provenances()
    return watch
