"""What was read comes back as it was read."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import text

from flowy_watch.core.usage import MOST, KeyStatus, Reading
from flowy_watch.core.watch import Watch
from flowy_watch.core.workspace import Health
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, credit, reading, snapshot

TOLERATED = timedelta(minutes=5)


def keep(store: Store, *readings: Reading, outcome: str = "good", **more: Any) -> None:
    """Each reading as one poll, in a transaction of its own."""
    for one in readings:
        with store.write() as work:
            poll_id = work.usage.add_poll(one.taken_at, outcome, **more)
            work.usage.add_snapshots(poll_id, one, work.usage.numbers())


def readings_of(store: Store) -> list[Reading]:
    with store.read() as work:
        return list(work.usage.readings())


def days_of(store: Store) -> list[Any]:
    with store.read() as work:
        return work.usage.daily()


def dumped(watch: Watch) -> dict[str, Any]:
    keys = {key_id: (one.dump(), one.baseline.pack()) for key_id, one in watch.histories.items()}
    return {"keys": keys, "workspace": watch.workspace.dump(), "taken_at": watch.taken_at}


def load(store: Store) -> Watch:
    with store.read() as work:
        return work.usage.load_watch()


def test_a_reading_comes_back_equal(store: Store) -> None:
    read = reading(
        snapshot(1.5, cap=40, used=NOON - MINUTE, created_at=NOON - DAY, last_four="9f3a", rate_limit=60),
        snapshot(0, key_id="key_2", name="ünïcode 🎬 <b>", status=KeyStatus.REVOKED),
        balance=1000.25,
    )
    keep(store, read)
    assert readings_of(store) == [read]


def test_instants_come_back_equal_and_in_utc(store: Store) -> None:
    at = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
    keep(store, reading(snapshot(1, at, used=at.astimezone(timezone(timedelta(hours=5, minutes=30)))), at=at))
    read = readings_of(store)[0]
    assert (read.taken_at, read.snapshots[0].last_used_at) == (at, at)
    assert (read.taken_at.utcoffset(), read.snapshots[0].last_used_at.utcoffset()) == (timedelta(), timedelta())


def test_the_largest_and_the_smallest_amounts_come_back_exactly(store: Store) -> None:
    small, large = snapshot()._replace(spent=1), snapshot(key_id="key_2")._replace(spent=MOST, daily_cap=MOST)
    keep(store, reading(small, large, balance=-0.000001))
    [read] = readings_of(store)
    assert [s.spent for s in read.snapshots] == [1, MOST]
    assert (read.snapshots[1].daily_cap, read.balance) == (MOST, -1)


def test_credits_are_integers_in_the_database(sqlite_store: Store) -> None:
    keep(sqlite_store, reading(snapshot(0.1, cap=0.3), balance=0.7))
    with sqlite_store.database.read() as connection:
        for table, column in (
            ("snapshots", "spent_microcredits"),
            ("snapshots", "daily_cap_microcredits"),
            ("daily_snapshots", "spent_microcredits"),
            ("daily_snapshots", "daily_cap_microcredits"),
            ("balances", "balance_microcredits"),
        ):
            assert connection.execute(text(f"SELECT typeof({column}) FROM {table}")).scalar() == "integer"


def test_a_key_that_was_renamed_is_known_by_its_new_name(store: Store) -> None:
    keep(store, reading(snapshot(1)))
    with store.write() as work:
        work.usage.rename([snapshot(1, name="renderer", last_four="0001")])
    assert [(s.name, s.last_four) for r in readings_of(store) for s in r.snapshots] == [("renderer", "0001")]


def test_readings_are_given_in_the_order_of_time_whenever_they_were_stored(store: Store) -> None:
    late, early = reading(snapshot(2, NOON + HOUR), at=NOON + HOUR), reading(snapshot(1))
    keep(store, late, early)
    assert readings_of(store) == [early, late]
    with store.read() as work:
        assert list(work.usage.readings(since=NOON)) == [late]
        assert list(work.usage.readings(key_ids=["nobody"])) == []


def test_a_daily_snapshot_holds_the_latest_figures_and_counts_the_polls(store: Store) -> None:
    later = NOON + HOUR
    keep(store, reading(snapshot(1, cap=10)))
    keep(store, reading(snapshot(5, later, cap=20, used=later, status=KeyStatus.REVOKED), at=later))
    [day] = days_of(store)
    assert (day.day, day.spent_microcredits, day.daily_cap_microcredits) == (date(2026, 3, 2), credit(5), credit(20))
    assert (day.last_used_at, day.status, day.polls, day.last_taken_at) == (later, "revoked", 2, later)
    assert not day.complete


def test_an_older_poll_that_comes_late_is_counted_and_changes_no_figure(store: Store) -> None:
    keep(store, reading(snapshot(5, cap=20, used=NOON)), reading(snapshot(1, NOON - HOUR), at=NOON - HOUR))
    [day] = days_of(store)
    assert (day.spent_microcredits, day.daily_cap_microcredits, day.polls) == (credit(5), credit(20), 2)
    assert (day.last_used_at, day.last_taken_at) == (NOON, NOON)


def test_a_day_is_complete_only_when_a_poll_fell_into_its_last_minute(store: Store) -> None:
    for n, seconds in enumerate((61, 60, 1, 86400)):
        at = MIDNIGHT + n * DAY - timedelta(seconds=seconds)
        keep(store, reading(snapshot(1, at), at=at))
    by_day = {day.day.isoformat(): day.complete for day in days_of(store)}
    assert by_day == {"2026-03-02": False, "2026-03-03": True, "2026-03-04": True, "2026-03-05": False}


def test_a_complete_day_stays_complete_when_an_older_poll_comes_late(store: Store) -> None:
    last = MIDNIGHT - timedelta(seconds=10)
    keep(store, reading(snapshot(5, last), at=last), reading(snapshot(1)))
    assert [(day.complete, day.spent_microcredits) for day in days_of(store)] == [(True, credit(5))]


def test_midnight_belongs_to_the_day_that_begins(store: Store) -> None:
    keep(store, reading(snapshot(3, MIDNIGHT), at=MIDNIGHT))
    assert [day.day for day in days_of(store)] == [date(2026, 3, 3)]


def test_keys_of_today_are_listed_most_spent_first_and_unseen_ones_last(store: Store) -> None:
    keep(store, reading(snapshot(9, NOON - DAY, key_id="old", name="old"), at=NOON - DAY))
    keep(store, reading(snapshot(1, key_id="a", name="a"), snapshot(2, key_id="b", name="b")))
    with store.read() as work:
        rows = work.usage.keys_today(NOON.date())
    assert [(row.name, row.spent_microcredits) for row in rows] == [("b", credit(2)), ("a", credit(1)), ("old", None)]


def test_the_last_balance_is_the_latest_and_the_same_instant_keeps_the_newer_figure(store: Store) -> None:
    with store.write() as work:
        work.usage.add_balance(NOON, credit(5))
        work.usage.add_balance(NOON - HOUR, credit(9))
        work.usage.add_balance(NOON, credit(-4))
    with store.read() as work:
        last = work.usage.last_balance()
    assert last is not None
    assert (last.taken_at, last.balance_microcredits) == (NOON, credit(-4))


def two_days() -> list[Reading]:
    """Half hours of a workspace with two keys: one comes later and is revoked on the way."""
    out = []
    for n in range(96):
        at = NOON + n * HOUR / 2
        since = (at - at.replace(hour=0, minute=0)) / HOUR
        status = KeyStatus.REVOKED if n > 70 else KeyStatus.ACTIVE
        one = snapshot(since * 3.7, at, cap=100, used=at - MINUTE)
        two = snapshot(min(since, 5), at, key_id="key_2", name="encode", status=status)
        out.append(reading(*([one, two] if n > 10 else [one]), at=at, balance=5000 - n))
    return out


def test_a_watch_read_from_saved_states_equals_one_that_was_never_reloaded(store: Store) -> None:
    readings, watch = two_days(), Watch()
    for n, one in enumerate(readings):
        watch.add(one)
        keep(store, one)
        if n in (5, 60):
            with store.write() as work:
                work.usage.save_states(watch, work.usage.numbers())
    assert dumped(load(store)) == dumped(watch)


def test_a_watch_without_saved_states_replays_everything(store: Store) -> None:
    watch = Watch()
    for one in two_days():
        watch.add(one)
        keep(store, one)
    with store.write() as work:
        work.usage.save_states(watch, work.usage.numbers())
        work.usage.forget_states(NOON)
    assert dumped(load(store)) == dumped(watch)


def test_forgetting_the_states_lets_an_older_import_be_seen(store: Store) -> None:
    watch = Watch()
    keep(store, reading(snapshot(5)))
    watch.add(reading(snapshot(5)))
    with store.write() as work:
        work.usage.save_states(watch, work.usage.numbers())
    keep(store, reading(snapshot(1, NOON - HOUR), at=NOON - HOUR), kind="import")
    assert load(store).histories["key_1"].first_at == NOON
    with store.write() as work:
        work.usage.forget_states(NOON - HOUR)
    assert load(store).histories["key_1"].first_at == NOON - HOUR


def test_states_of_another_version_are_not_believed(store: Store) -> None:
    watch = Watch()
    for one in two_days():
        watch.add(one)
        keep(store, one)
    with store.write() as work:
        work.usage.save_states(watch, work.usage.numbers())
    with store.database.write() as connection:
        connection.execute(text('UPDATE history_states SET state = \'{"of": "another version"}\''))
    assert dumped(load(store)) == dumped(watch)


def test_only_a_good_live_poll_makes_the_workspace_known(store: Store) -> None:
    keep(store, reading(snapshot(1, NOON - HOUR), at=NOON - HOUR), kind="import")
    assert not load(store).listed_before
    keep(store, reading(snapshot(1)))
    assert load(store).listed_before


def test_health_counts_the_polls_since_the_last_good_one(store: Store) -> None:
    with store.write() as work:
        assert work.usage.health(tolerance=TOLERATED) == Health(good=True)
        work.usage.add_poll(NOON, "good")
        work.usage.add_poll(NOON + MINUTE, "partial", reason="half")
        work.usage.add_poll(NOON + 2 * MINUTE, "failed", reason="401", refused=True)
        work.usage.add_poll(NOON + 3 * MINUTE, "good", kind="import")
        assert work.usage.health(tolerance=TOLERATED) == Health(
            good=False,
            failures=2,
            last_good_at=NOON,
            first_failure_at=NOON + MINUTE,
            reason="401",
            refused=True,
        )


def test_a_clock_is_off_for_as_many_polls_in_a_row_as_said_so(store: Store) -> None:
    with store.write() as work:
        for minutes in (9, 0, 6, -7):
            work.usage.add_poll(NOON + minutes * MINUTE, "good", clock_offset=minutes * MINUTE)
        work.usage.add_poll(NOON + HOUR, "failed")
        assert work.usage.health(tolerance=TOLERATED).skewed == 2


def test_pruning_forgets_old_polls_and_keeps_the_days(store: Store) -> None:
    keep(store, reading(snapshot(1, NOON - DAY), at=NOON - DAY), reading(snapshot(2)))
    with store.write() as work:
        assert work.usage.prune(NOON) == 1
    with store.read() as work:
        counts = work.usage.count()
    assert (counts["polls"], counts["snapshots"], counts["daily_snapshots"], counts["keys"]) == (1, 1, 2, 1)


def test_a_poll_is_known_by_its_instant(store: Store) -> None:
    keep(store, reading(snapshot(1)))
    with store.read() as work:
        assert work.usage.keys_at(NOON) == {"key_1"}
        assert work.usage.keys_at(NOON + MINUTE) == set()
