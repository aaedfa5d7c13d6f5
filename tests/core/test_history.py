"""What one key's snapshots add up to, whatever the polls miss."""

import json
from datetime import datetime, timedelta
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.baseline import SLOTS, Baseline, hour_number
from flowy_watch.core.history import History
from flowy_watch.core.usage import KeyStatus, Snapshot
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, bursts, credit, history, learned, ordinary, snapshot


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


def test_spend_shortly_before_a_long_gap_is_not_spread_over_the_gap() -> None:
    polls = (snapshot(0, NOON), snapshot(970, NOON + MINUTE / 6), snapshot(0, MIDNIGHT + 2 * MINUTE))
    key = history(*polls, snapshot(400, MIDNIGHT + 3 * MINUTE))

    assert key.spent_within(2 * HOUR) == credit(400)


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


def hours_learned(key: History) -> list[tuple[int, float]]:
    """The hours that the baseline knows, as hours after noon, oldest first."""
    noon, hours = hour_number(NOON), key.baseline.hours
    return [(n, hours[(noon + n) % SLOTS]) for n in range(-24, 24) if not isnan(hours[(noon + n) % SLOTS])]


def test_only_hours_watched_from_start_to_end_are_learned() -> None:
    polls = [snapshot(n * 10, NOON + 30 * MINUTE + n * 10 * MINUTE) for n in range(16)]  # 12:30 to 15:00

    assert hours_learned(history(*polls)) == [(1, 60), (2, 60)]


def test_spend_between_two_polls_is_shared_by_the_hours_it_fell_in() -> None:
    key = history(
        snapshot(0), snapshot(0, NOON + HOUR), snapshot(90, NOON + 150 * MINUTE), snapshot(90, NOON + 3 * HOUR)
    )

    assert hours_learned(key) == [(0, 0), (1, 60), (2, 30)]


def test_hours_that_nobody_watched_are_not_learned() -> None:
    polls = (snapshot(600, NOON + 5 * HOUR), snapshot(600, NOON + 6 * HOUR), snapshot(630, NOON + 7 * HOUR))

    assert hours_learned(history(snapshot(0), snapshot(0, NOON + HOUR), *polls)) == [(0, 0), (5, 0), (6, 30)]


# --- what is said about the spend: ordinary is 100 credits an hour ---


def watched(*spent: float, step: timedelta = 15 * MINUTE, start: datetime = NOON) -> list[History]:
    """A key after each of these polls, that spent 100 in the hour before the first and much the same for weeks."""
    polls = [snapshot(1000, start - HOUR), snapshot(1100, start)]
    polls += [snapshot(1100 + more, start + n * step) for n, more in enumerate(spent, start=1)]
    return [history(*polls[: n + 3], baseline=learned(bursts(), until=start - HOUR)) for n in range(len(spent))]


def surprises(*keys: History) -> list[float]:
    return [key.verdict.surprise if key.verdict else 0.0 for key in keys]


def test_a_poll_that_sees_odd_spend_says_so_and_a_poll_that_sees_none_judges_nothing() -> None:
    before, told, still, again = watched(25, 600, 600, 601)

    assert before.verdict is still.verdict is None
    assert told.verdict is not None
    assert again.verdict is not None
    assert (told.verdict.hours, told.verdict.actual) == (1, pytest.approx(100 / 2 + 600))


def test_a_key_that_was_not_watched_long_enough_is_not_judged() -> None:
    key = history(snapshot(0), snapshot(9000, NOON + HOUR), baseline=ordinary(2))

    assert (key.verdict, key.drift) == (None, None)


def test_spend_over_a_long_gap_is_judged_by_the_hours_of_the_gap() -> None:
    quiet, loud = watched(500, step=5 * HOUR)[0], watched(5000, step=5 * HOUR)[0]

    assert quiet.verdict is None
    assert loud.verdict is not None
    assert (loud.verdict.actual, loud.verdict.expected) == (5000, pytest.approx(500, rel=0.2))


def test_a_gap_over_midnight_is_judged_from_midnight_on() -> None:
    start = MIDNIGHT - 5 * HOUR
    key = history(snapshot(900, start), snapshot(5000, MIDNIGHT + 5 * HOUR), baseline=learned(bursts(), until=start))

    assert key.verdict is not None
    assert (key.verdict.actual, key.verdict.expected) == (5000, pytest.approx(500, rel=0.2))


def test_after_a_gap_odd_spend_in_the_rest_of_the_hour_is_told() -> None:
    after_gap = snapshot(1550, NOON + 4.5 * HOUR)
    told = history(snapshot(1100), after_gap, snapshot(3600, NOON + 5 * HOUR - MINUTE), baseline=learned(bursts()))

    assert told.verdict is not None


def test_the_drift_of_three_days_is_judged_beside_the_verdict() -> None:
    key, at, spent = history(snapshot(0, MIDNIGHT), baseline=learned(bursts(), until=MIDNIGHT)), MIDNIGHT, 0.0
    drifts = []
    for _ in range(3 * 24):
        at += HOUR
        spent = 0 if at.hour == 0 else spent + 200
        key.add(snapshot(spent + (200 if at.hour == 0 else 0), at))
        drifts.append(key.drift)

    assert drifts[0] is None
    assert drifts[-2] is not None
    assert (drifts[-2].hours, drifts[-2].stream) == (72, 0)
    assert key.drift_peak >= drifts[-2].surprise


def test_the_highest_surprise_of_a_day_is_its_peak_and_four_days_are_kept() -> None:
    key = watched(200, 900, 925)[-1]
    today = key.peaks[-1]

    assert today >= max(surprises(key)) > 3
    assert [key.close_day(day) for day in range(5)] == [max(today, 0.0), 0, 0, 0, 0]
    assert key.peaks == [0, 0, 0, 0]


def test_a_peak_is_kept_for_three_days_after_its_own() -> None:
    key = watched(900)[-1]
    top, seen = key.peaks[-1], []
    for day in range(4):
        seen.append(max(key.peaks))
        key.close_day(day)

    assert seen == [top] * 4
    assert max(key.peaks) == 0


def rested(*days: float) -> History:
    """Used after rests of so many days."""
    at, key = NOON, history(snapshot(used=NOON))
    for rest in days:
        at += rest * DAY
        key.add(snapshot(0, at + MINUTE, used=at))
    return key


def test_the_longest_rest_is_that_of_all_but_the_last_time() -> None:
    assert [rested(*days).longest_still for days in ((), (9,), (9, 4), (4, 9), (4, 9, 2))] == [
        0 * DAY, 0 * DAY, 9 * DAY, 4 * DAY, 9 * DAY
    ]  # fmt: skip


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
    said = (key.verdict, key.drift, key.peaks, key.drift_peak, key.longest_still, key.revoked_at, key.moved_at)
    return key.dump(), key.baseline.pack(), key.baseline.usual(key.hour, 4), seen, said


@given(POLLS, POLLS, st.booleans())
def test_a_history_from_storage_goes_on_exactly_like_the_original(
    before: list[tuple[int, int, KeyStatus, int | None, int | None]],
    after: list[tuple[int, int, KeyStatus, int | None, int | None]],
    weeks: bool,
) -> None:
    polls = as_polled(before + after)
    original = history(*polls[: len(before)], baseline=learned(bursts(0.0001), 4, until=NOON) if weeks else None)
    copy = History.load(json.loads(json.dumps(original.dump())), Baseline.unpack(original.baseline.pack()))

    for poll in polls[len(before) :]:
        assert original.add(poll) == copy.add(poll)
        assert (original.verdict, original.drift) == (copy.verdict, copy.drift)
    assert all_of(original) == all_of(copy)


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


def test_a_key_that_was_often_surprising_must_be_more_so() -> None:
    fresh, wolf = watched(900)[-1], watched(900)[-1]
    today = int(wolf.latest.taken_at.timestamp()) // 86400
    for key in (fresh, wolf):
        key.peaks = [0.0] * 4
    wolf.surprising_days = [today - 40, today - 20, today - 10, today - 1]  # the first is forgotten, the last goes on
    for key in (fresh, wolf):
        key.add(key.latest._replace(taken_at=key.latest.taken_at + 5 * MINUTE, spent=key.latest.spent + credit(900)))

    assert fresh.verdict is not None
    assert wolf.verdict is not None
    assert fresh.verdict.surprise - wolf.verdict.surprise == pytest.approx(1.0)


def test_a_surprising_day_is_remembered_once_for_its_run() -> None:
    key = watched(200)[-1]
    key.surprising_days = []
    for day, highest in enumerate((3.7, 3.8, 5.0, 0.0, 4.0)):
        key.peaks[-1] = highest
        key.close_day(day)
    assert key.surprising_days == [1, 4]


def test_an_incident_beyond_doubt_does_not_make_the_next_one_harder_to_see() -> None:
    key = watched(200)[-1]
    key.surprising_days = []
    for day, highest in enumerate((8.0, 4.0, 4.0, 0.0, 4.9)):
        key.peaks[-1] = highest
        key.close_day(day)
    assert key.surprising_days == [2, 4]
