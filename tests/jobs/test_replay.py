"""Stored polls are replayed a stretch at a time: nobody waits for the whole, and a kill loses a stretch at most."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from flowy_watch.core.usage import Reading
from flowy_watch.core.watch import Watch
from flowy_watch.errors import FlowyWatchError
from flowy_watch.jobs.replay import learn, replay
from flowy_watch.store import Store
from tests.builders import HOUR, MINUTE, NOON, reading, snapshot

from .rigs import Rig

POLLS = 96


def polls() -> list[Reading]:
    """Two days of two keys, every half hour."""
    out = []
    for n in range(POLLS):
        at = NOON + n * HOUR / 2
        hours = (at - at.replace(hour=0)) / HOUR
        one = snapshot(3.7 * hours, at, cap=100, used=at - MINUTE)
        out.append(reading(one, snapshot(min(hours, 5), at, key_id="key_2", name="encode"), at=at, balance=5000 - n))
    return out


def keep(store: Store, *readings: Reading, outcome: str = "good") -> None:
    with store.write() as work:
        numbers = work.usage.numbers()
        for one in readings:
            poll_id = work.usage.add_poll(one.taken_at, outcome, kind="import", keys=len(one.snapshots))
            work.usage.add_snapshots(poll_id, one, numbers)
            work.usage.forget_states(one.taken_at)


def dumped(watch: Watch) -> dict[str, Any]:
    keys = {key_id: (one.dump(), one.baseline.pack()) for key_id, one in watch.histories.items()}
    return {"keys": keys, "workspace": watch.workspace.dump(), "taken_at": watch.taken_at}


def plain(readings: list[Reading]) -> dict[str, Any]:
    watch = Watch()
    for one in readings:
        watch.add(one)
    return dumped(watch)


def saved_at(store: Store) -> datetime | None:
    with store.read() as work:
        return work.usage.load_states().taken_at


@pytest.mark.parametrize("stretch", [1, 20, 191, 192, 193, 10_000])
def test_stretches_come_to_what_one_replay_does(store: Store, stretch: int) -> None:
    keep(store, *polls())
    assert dumped(replay(store, leaving=Event(), stretch=stretch).watch) == plain(polls())


def test_polls_that_listed_nothing_do_not_hold_it_up(store: Store) -> None:
    keep(store, *polls()[:3])
    keep(store, *(reading(at=NOON + 2 * HOUR + n * MINUTE) for n in range(9)))
    keep(store, *polls()[9:12])
    found = replay(store, leaving=Event(), stretch=1)
    assert dumped(found.watch) == plain([*polls()[:3], *polls()[9:12]])


def test_others_may_write_while_it_reads(store: Store, open_store: Callable[[], Store]) -> None:
    other = open_store()

    class Asked(Event):
        def is_set(self) -> bool:
            with other.write():  # would wait half a minute for a lock
                return False

    keep(store, *polls()[:10])
    assert replay(store, leaving=Asked(), stretch=8).watch.taken_at == polls()[9].taken_at


KILLED = """
import os, signal, sys
from threading import Event
from flowy_watch.jobs.replay import learn, replay
from flowy_watch.store import Store
stretches = iter(range(3))
die = lambda: next(stretches) == 2 and os.kill(os.getpid(), signal.SIGKILL)
replay(Store(sys.argv[1]), leaving=Event(), alive=die, stretch=40)
"""


def test_killed_in_the_middle_it_goes_on_from_there(store: Store, tmp_path: Path) -> None:
    keep(store, *polls())
    code = subprocess.run([sys.executable, "-c", KILLED, f"sqlite:///{tmp_path / 'watch.db'}"], check=False).returncode
    assert code == -signal.SIGKILL
    assert saved_at(store) == polls()[3 * 20 - 1].taken_at
    assert dumped(replay(store, leaving=Event(), stretch=40).watch) == plain(polls())


def test_what_is_imported_meanwhile_is_taken_in(store: Store) -> None:
    earlier = [reading(snapshot(1, at), at=at) for at in (NOON - HOUR, NOON + 7 * MINUTE)]
    keep(store, *polls())
    late = iter([earlier])
    alive = lambda: [keep(store, *more) for more in late]  # noqa: E731  # once, after the first stretch
    found = replay(store, leaving=Event(), alive=alive, stretch=40)
    assert dumped(found.watch) == plain(sorted([*earlier, *polls()], key=lambda one: one.taken_at))


def test_a_process_that_ends_stops_it_and_keeps_what_is_done(store: Store) -> None:
    keep(store, *polls())
    leaving = Event()
    with pytest.raises(FlowyWatchError, match="the next start goes on from there"):
        replay(store, leaving=leaving, alive=leaving.set, stretch=40)
    assert saved_at(store) == polls()[19].taken_at


def test_an_import_of_later_polls_leaves_what_was_saved(store: Store) -> None:
    keep(store, *polls()[:40])
    replay(store, leaving=Event(), stretch=60)
    assert saved_at(store) == polls()[29].taken_at
    keep(store, *polls()[40:])
    assert saved_at(store) == polls()[29].taken_at


def test_a_poll_of_another_process_meanwhile_is_seen_before_ours_is_recorded(rig: Rig) -> None:
    rig.spend(NOON, 10)
    other = Rig(rig.store)
    pull = rig.source.pull

    def meanwhile(now: datetime) -> Reading:
        other.spend(NOON + MINUTE, 85)
        return pull(now)

    rig.source.pull = meanwhile  # type: ignore[method-assign]
    assert rig.spend(NOON + 2 * MINUTE, 86).outcome == "good"
    assert rig.told() == [("cap", "opened", 80)]


def test_what_was_learned_need_not_be_replayed(store: Store) -> None:
    keep(store, *polls())
    learn(store)
    with store.read() as work:
        assert dumped(work.usage.load_states()) == plain(polls())
