"""What one key's snapshots add up to, whatever the polls miss."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.core.baseline import Baseline, hour_number
from flowy_watch.core.history import History, stale_counter
from flowy_watch.core.usage import KeyStatus, Snapshot
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, credit, history, snapshot


def test_spend_is_the_difference_between_two_counters() -> None:
    assert history(snapshot(100)).add(snapshot(130, NOON + 5 * MINUTE)) == credit(30)


def test_what_was_spent_before_the_first_snapshot_is_not_counted() -> None:
    assert history(snapshot(100)).total == 0


def test_a_counter_that_starts_again_at_midnight_counts_from_zero() -> None:
    key = history(snapshot(900, MIDNIGHT - 5 * MINUTE))

    assert key.add(snapshot(40, MIDNIGHT + 5 * MINUTE)) == credit(40)


def test_a_new_day_that_stands_higher_than_the_old_one_counts_in_full() -> None:
    key = history(snapshot(10, MIDNIGHT - 5 * MINUTE))

    assert key.add(snapshot(40, MIDNIGHT + 5 * MINUTE)) == credit(40)


def test_polls_missing_around_midnight_count_only_what_the_new_day_shows() -> None:
    key = history(snapshot(900, MIDNIGHT - 6 * HOUR))

    assert key.add(snapshot(70, MIDNIGHT + 6 * HOUR)) == credit(70)


def test_a_counter_that_drops_out_within_a_day_is_no_spend_when_it_comes_back() -> None:
    key = history(snapshot(100))
    spent = [key.add(snapshot(s, NOON + n * 5 * MINUTE)) for n, s in enumerate((0, 80, 120), start=1)]

    assert (spent, key.total) == ([0, 0, credit(20)], credit(20))


def test_spend_within_an_hour_reaches_back_over_midnight() -> None:
    at = MIDNIGHT - 40 * MINUTE
    key = history(
        snapshot(500, at),
        snapshot(540, at + 20 * MINUTE),
        snapshot(560, MIDNIGHT - MINUTE),
        snapshot(10, MIDNIGHT + 20 * MINUTE),
    )

    assert key.spent_within(HOUR) == credit(40 + 20 + 10)


def test_spend_within_a_span_between_two_polls_is_taken_from_a_straight_line() -> None:
    key = history(snapshot(0), snapshot(60, NOON + HOUR))

    assert key.spent_within(15 * MINUTE) == credit(15)


def test_spend_within_a_span_ends_where_watching_began() -> None:
    key = history(snapshot(0), snapshot(60, NOON + HOUR))

    assert (key.spent_within(2 * HOUR), key.watched_for(2 * HOUR)) == (credit(60), HOUR)


def test_the_last_two_hours_are_still_known_after_a_day_of_polls() -> None:
    polls = [snapshot(n, NOON - 12 * HOUR + n * 5 * MINUTE) for n in range(144)]

    assert history(*polls).spent_within(2 * HOUR) == credit(24)


def test_polls_every_ten_seconds_add_up_like_any_other() -> None:
    polls = [snapshot(n, NOON + n * timedelta(seconds=10)) for n in range(361)]

    assert history(*polls).spent_within(30 * MINUTE) == credit(180)


def test_the_pace_is_that_of_the_last_half_hour() -> None:
    key = history(snapshot(0), snapshot(1000, NOON + HOUR), snapshot(1050, NOON + 90 * MINUTE))

    assert key.per_hour() == credit(100)


def test_the_pace_of_a_key_watched_for_ten_minutes_is_that_of_ten_minutes() -> None:
    assert history(snapshot(0), snapshot(10, NOON + 10 * MINUTE)).per_hour() == credit(60)


@pytest.mark.parametrize("polls", [(snapshot(5),), (snapshot(0), snapshot(5, NOON + timedelta(seconds=29)))])
def test_there_is_no_pace_before_half_a_minute_was_watched(polls: tuple[Snapshot, ...]) -> None:
    assert history(*polls).per_hour() == 0


def test_a_key_that_moves_after_long_says_how_long_it_lay_still() -> None:
    key = history(snapshot(used=NOON - 40 * DAY), snapshot(0, NOON + HOUR, used=NOON))

    assert (key.still_for, key.moved_at) == (40 * DAY, NOON)


def test_a_key_that_does_not_move_says_so() -> None:
    assert history(snapshot(used=NOON), snapshot(0, NOON + HOUR, used=NOON)).still_for is None


def test_a_key_that_was_never_used_lies_still_since_it_was_made() -> None:
    made = NOON - 10 * DAY

    assert history(snapshot(created_at=made), snapshot(0, NOON + HOUR, used=NOON)).still_for == 10 * DAY


def test_spend_is_a_sign_of_use_where_last_use_is_not_told() -> None:
    key = history(snapshot(0), snapshot(1, NOON + DAY / 4))

    assert (key.still_for, key.moved_at) == (6 * HOUR, NOON + 6 * HOUR)


def test_a_last_use_that_goes_back_is_no_use() -> None:
    key = history(snapshot(used=NOON), snapshot(0, NOON + HOUR, used=NOON - DAY))

    assert (key.still_for, key.moved_at) == (None, NOON)


def test_a_revoke_is_dated_from_the_first_poll_that_saw_it() -> None:
    gone = [snapshot(0, NOON + n * HOUR, status=KeyStatus.REVOKED) for n in (1, 2)]

    assert history(snapshot(), *gone).revoked_at == NOON + HOUR
    assert history(*gone).revoked_at == NOON + HOUR
    assert history(*gone, snapshot(0, NOON + 3 * HOUR)).revoked_at is None


def learned(key: History) -> list[float]:
    """The hours that the baseline knows, oldest first."""
    return [key.baseline.hours[h % 840] for h in range(key.baseline.since_hour, key.baseline.last_hour + 1)]


def test_only_hours_watched_from_start_to_end_are_learned() -> None:
    polls = [snapshot(n * 10, NOON + 30 * MINUTE + n * 10 * MINUTE) for n in range(16)]  # 12:30 to 15:00

    key = history(*polls)

    assert (key.baseline.since_hour, learned(key)) == (hour_number(NOON + HOUR), [60.0, 60.0])


def test_spend_between_two_polls_is_shared_by_the_hours_it_fell_in() -> None:
    key = history(
        snapshot(0), snapshot(0, NOON + HOUR), snapshot(90, NOON + 150 * MINUTE), snapshot(90, NOON + 3 * HOUR)
    )

    assert learned(key) == [60.0, 30.0]


def test_hours_that_nobody_watched_are_not_learned() -> None:
    key = history(snapshot(0), snapshot(0, NOON + HOUR), snapshot(600, NOON + 5 * HOUR), snapshot(600, NOON + 6 * HOUR))

    assert key.baseline.last_hour == 0


POLLS = st.lists(
    st.tuples(
        st.integers(1, 10_800),  # seconds since the poll before
        st.integers(0, 10**12),
        st.sampled_from(list(KeyStatus)),
        st.one_of(st.none(), st.integers(0, 10**6)),
        st.one_of(st.none(), st.integers(0, 10**12)),
    ),
    min_size=1,
    max_size=40,
)


def as_polled(polls: list[tuple[int, int, KeyStatus, int | None, int | None]]) -> list[Snapshot]:
    made, at = [], NOON
    for seconds, spent, status, used, cap in polls:
        at += timedelta(seconds=seconds)
        used_at = None if used is None else NOON + timedelta(seconds=used)
        made.append(Snapshot("key_1", "render", at, spent, used_at, cap, status, 60, NOON - DAY, "9f8e"))
    return made


def all_of(key: History) -> tuple[object, ...]:
    seen = (key.previous, key.still_for, key.spent_within(HOUR), key.per_hour(), key.watched_for(2 * HOUR))
    return key.dump(), key.baseline.pack(), key.baseline.bands(key.hour), seen


@settings(deadline=None)
@given(POLLS, POLLS)
def test_a_history_from_storage_goes_on_exactly_like_the_original(
    before: list[tuple[int, int, KeyStatus, int | None, int | None]],
    after: list[tuple[int, int, KeyStatus, int | None, int | None]],
) -> None:
    polls = as_polled(before + after)
    original = history(*polls[: len(before)])
    copy = History.load(json.loads(json.dumps(original.dump())), Baseline.unpack(original.baseline.pack()))

    assert [original.add(p) for p in polls[len(before) :]] == [copy.add(p) for p in polls[len(before) :]]
    assert all_of(original) == all_of(copy)


@settings(deadline=None)
@given(POLLS)
def test_spend_is_never_negative_and_adds_up_to_the_total(
    polls: list[tuple[int, int, KeyStatus, int | None, int | None]],
) -> None:
    first, *others = as_polled(polls)
    key = history(first)
    spent = [key.add(p) for p in others]

    assert min(spent, default=0) >= 0
    assert sum(spent) == key.total
    assert 0 <= key.spent_within(MINUTE) <= key.spent_within(HOUR) <= key.total


@pytest.mark.parametrize("state", [{}, {"latest": []}, {"latest": None}, history().dump() | {"first_at": "yesterday"}])
def test_a_state_that_is_not_ours_is_refused(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        History.load(state, Baseline())


YESTERDAY = snapshot(900, MIDNIGHT - 5 * MINUTE, used=MIDNIGHT - HOUR)


def test_yesterdays_counter_right_after_midnight_is_not_believed() -> None:
    assert stale_counter(YESTERDAY, snapshot(900, MIDNIGHT + MINUTE, used=MIDNIGHT - HOUR))


@pytest.mark.parametrize(
    ("spent", "at", "used"),
    [
        (0, MIDNIGHT + MINUTE, MIDNIGHT - HOUR),
        (40, MIDNIGHT + MINUTE, MIDNIGHT - HOUR),
        (900, MIDNIGHT + MINUTE, MIDNIGHT),
        (900, MIDNIGHT + MINUTE, None),
        (900, MIDNIGHT + 30 * MINUTE, MIDNIGHT - HOUR),
        (900, MIDNIGHT - MINUTE, MIDNIGHT - HOUR),
    ],
)
def test_a_counter_that_can_be_honest_is_believed(spent: float, at: datetime, used: datetime | None) -> None:
    assert not stale_counter(YESTERDAY, snapshot(spent, at, used=used))
