"""Daily snapshots written by the hour read, at every moment, as if each poll had written them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from flowy_watch.core.usage import Snapshot
from flowy_watch.store import Store
from flowy_watch.store.days import Listed
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, credit, reading, snapshot

Open = Callable[[], Store]


class Watched:
    """A database that is polled by one process, which counts by the hour, or by many, which count every poll."""

    def __init__(self, store: Store, listed: Listed | None) -> None:
        self.store, self.listed = store, listed

    def poll(self, at: datetime, *snapshots: Snapshot, kind: str = "live") -> None:
        read = reading(*(one._replace(taken_at=at) for one in snapshots), at=at)
        with self.store.write() as work:
            poll_id = work.usage.add_poll(at, "good", kind=kind)
            after = self.listed if kind == "live" else None
            work.usage.add_snapshots(poll_id, read, work.usage.numbers(), after)

    def days(self) -> list[Any]:
        with self.store.read() as work:
            return work.usage.daily()

    def written(self) -> list[int]:
        """How many polls the table itself knows of."""
        with self.store.database.read() as connection:
            return list(connection.execute(text("SELECT polls FROM daily_snapshots")).scalars())


@pytest.fixture
def hourly(store: Store) -> Watched:
    return Watched(store, Listed())


def two(spent: float, **more: Any) -> tuple[Snapshot, Snapshot]:
    return snapshot(spent, cap=100, **more), snapshot(spent * 2, key_id="key_2", name="encode")


def test_polls_of_an_hour_are_read_before_they_are_written(hourly: Watched) -> None:
    hourly.poll(NOON, *two(1))
    hourly.poll(NOON + MINUTE, *two(3, used=NOON + MINUTE))
    assert hourly.written() == [1, 1]
    first, second = hourly.days()
    assert (first.spent_microcredits, first.last_used_at, first.polls) == (credit(3), NOON + MINUTE, 2)
    assert (second.spent_microcredits, second.last_taken_at, second.polls) == (credit(6), NOON + MINUTE, 2)

    hourly.poll(NOON + HOUR, *two(4))
    assert hourly.written() == [3, 3]


def test_the_last_poll_of_a_day_closes_it_at_once(hourly: Watched) -> None:
    for before in (10 * MINUTE, 5 * MINUTE, timedelta(seconds=10)):
        hourly.poll(MIDNIGHT - before, *two(5))
    assert [(row.polls, row.complete) for row in hourly.days()] == [(3, True), (3, True)]
    assert hourly.written() == [3, 3]


def test_a_poll_that_does_not_know_the_spend_takes_nothing_from_one_that_waits(hourly: Watched) -> None:
    hourly.poll(NOON, *two(1))
    hourly.poll(NOON + MINUTE, *two(3))
    for n in range(2, 5):
        first, second = two(3)
        hourly.poll(NOON + n * MINUTE, first._replace(spent=None), second)
    assert [(row.spent_microcredits, row.polls) for row in hourly.days()] == [(credit(3), 5), (credit(6), 5)]

    hourly.poll(NOON + 5 * MINUTE, *two(4))
    assert [(row.spent_microcredits, row.polls) for row in hourly.days()] == [(credit(4), 6), (credit(8), 6)]


def test_every_view_of_a_running_day_shows_the_latest_poll(hourly: Watched) -> None:
    for n in range(3):
        hourly.poll(NOON + n * MINUTE, *two(n + 1, used=NOON + n * MINUTE))
    today = NOON.date()
    with hourly.store.read() as work:
        views, usage = work.views, work.usage
        assert [(row.spent, row.cap) for row in views.keys(today)] == [(credit(3), credit(100)), (credit(6), None)]
        found = views.key("key_1")
        assert found is not None
        assert (found.day, found.spent, found.last_used_at) == (today, credit(3), NOON + 2 * MINUTE)
        assert views.spends([1, 2], [today]) == {1: {today: credit(3)}, 2: {today: credit(6)}}
        assert views.totals(today) == {today: credit(9)}
        assert [row.polls for row in views.days(2, [today])] == [3]
        assert [row.spent_microcredits for row in usage.keys_today(today)] == [credit(6), credit(3)]
        assert usage.days_of("key_1") == [(today, credit(3))]


def test_polls_that_wait_are_counted_before_they_are_forgotten(hourly: Watched) -> None:
    for n in range(3):
        hourly.poll(NOON + n * MINUTE, *two(n + 1))
    before = hourly.days()
    with hourly.store.write() as work:
        work.usage.prune(NOON + DAY)
    assert hourly.days() == before
    assert hourly.written() == [3, 3]


def test_whatever_happens_counting_by_the_hour_reads_as_counting_each_poll(open_store: Open, tmp_path: Any) -> None:
    hourly = Watched(open_store(), Listed())
    plain = Watched(Store(f"sqlite:///{tmp_path / 'plain.db'}"), None)
    plain.store.migrate()
    one, other = two(0)
    third = snapshot(key_id="key_3")
    at, step = MIDNIGHT - 2 * HOUR, 7 * MINUTE
    for n in range(60):
        at += step
        listed = [one, other]
        if 11 <= n < 14:
            listed = [one]  # half a list
        elif n >= 20:
            listed = [other, third] if n % 9 == 0 else [one, third, other]
        if n == 30:
            hourly.listed = Listed()  # the process was killed, and another began
        if n == 33:
            at += 3 * HOUR  # nobody polled
        shown = [s._replace(spent=credit(n) + i, last_used_at=at) for i, s in enumerate(listed)]
        late = n in (8, 40)
        for watched in (hourly, plain):
            watched.poll(at, *shown)
            if late:  # an import from before, and what a process that polls then makes of it
                watched.poll(at - 3 * MINUTE, *two(500), kind="import")
        if late:
            hourly.listed = Listed()
        assert hourly.days() == plain.days(), n
    plain.store.close()
