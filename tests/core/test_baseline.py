"""What is normal for a key, and how soon it can be said."""

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.baseline import SLOTS, Baseline, hour_number
from tests.builders import HOUR, NOON, ordinary

NOW = hour_number(NOON)


@pytest.mark.parametrize("days", [0, 2])
def test_nothing_is_usual_for_a_key_in_its_first_three_days(days: float) -> None:
    assert ordinary(days).bands(NOW) == (None, None)


def test_after_four_days_every_days_same_hour_is_usual() -> None:
    in_hour, in_day = ordinary(4.5, per_hour=10).bands(NOW)

    assert in_hour is not None
    assert (in_hour.low, in_hour.high, in_hour.bar, in_hour.when) == (10, 10, 30, "around 12:00 UTC")
    assert in_day is not None
    assert (in_day.low, in_day.high, in_day.bar, in_day.when) == (130, 130, 390, "by 12:59 UTC")


def test_after_twenty_days_the_same_hour_of_the_week_is_usual() -> None:
    in_hour, _ = ordinary(20, per_hour=10).bands(NOW)

    assert in_hour is not None
    assert (in_hour.bar, in_hour.when, in_hour.observations) == (30, "on Mondays around 12:00 UTC", 6)


def test_after_four_weeks_the_same_day_of_the_week_is_usual() -> None:
    _, in_day = ordinary(28, per_hour=10).bands(NOW)

    assert in_day is not None
    assert (in_day.bar, in_day.when, in_day.observations) == (390, "on Mondays by 12:59 UTC", 3)


def test_a_burst_that_every_monday_has_is_usual_on_mondays() -> None:
    baseline = Baseline()
    for hour in range(NOW - 21 * 24, NOW):
        baseline.learn(hour, 1000 if (NOW - hour) % 168 == 0 else 10)

    in_hour, _ = baseline.bands(NOW)

    assert in_hour is not None
    assert in_hour.high == 1000


def test_an_hour_that_nobody_watched_stays_unknown() -> None:
    baseline = Baseline()
    baseline.learn(1000, 5)
    baseline.learn(1003, 7)

    assert [baseline.hours[h % SLOTS] for h in (1000, 1003)] == [5, 7]
    assert isnan(baseline.hours[1001 % SLOTS])
    assert isnan(baseline.hours[1002 % SLOTS])


def test_a_day_with_an_unknown_hour_has_no_total() -> None:
    baseline = Baseline()
    for hour in range(NOW - 108, NOW):  # four and a half days
        baseline.learn(hour, nan if hour % 24 == 3 and hour < NOW - 24 else 10)

    in_hour, in_day = baseline.bands(NOW)

    assert in_hour is not None
    assert in_day is None


def test_five_weeks_of_silence_leave_nothing_of_what_was_before() -> None:
    baseline = ordinary(21)
    baseline.learn(NOW + SLOTS, 5)

    assert [v for v in baseline.hours if not isnan(v)] == [5]


def test_an_hour_is_learned_once_and_never_again() -> None:
    baseline = Baseline()
    for hour, spent in ((1000, 5), (1001, 6), (1000, 99), (1001, 99)):
        baseline.learn(hour, spent)

    assert [baseline.hours[h % SLOTS] for h in (1000, 1001)] == [5, 6]


def test_an_incident_of_one_hour_does_not_blunt_the_watch_for_the_next() -> None:
    baseline = Baseline()
    for hour in range(NOW - 21 * 24, NOW):
        baseline.learn(hour, 5000 if hour == NOW - 24 else 10)

    in_hour, in_day = baseline.bands(NOW)

    assert in_hour is not None
    assert in_hour.bar == 30
    assert in_day is not None
    assert in_day.bar == 390


def test_a_bar_is_kept_for_the_hour_it_was_asked_in() -> None:
    baseline = ordinary(21, per_hour=10)

    assert baseline.bands(NOW) is baseline.bands(NOW)
    assert baseline.bands(NOW) is not baseline.bands(NOW + 1)


def test_a_key_that_spends_nothing_has_a_bar_of_nothing() -> None:
    in_hour, in_day = ordinary(21, per_hour=0).bands(NOW)

    assert in_hour is not None
    assert in_day is not None
    assert (in_hour.bar, in_day.bar) == (0, 0)


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1e9, width=32)), max_size=60))
def test_a_baseline_comes_back_from_storage_as_it_was(steps: list[tuple[int, float]]) -> None:
    baseline, hour = Baseline(), NOW - 60 * 60
    for hours_on, spent in steps:
        hour += hours_on
        baseline.learn(hour, spent)

    again = Baseline.unpack(baseline.pack())

    assert again.pack() == baseline.pack()
    assert again.bands(hour + 1) == baseline.bands(hour + 1)


@pytest.mark.parametrize("packed", [b"", b"\0" * 16, Baseline().pack() + b"\0"])
def test_bytes_that_are_no_baseline_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="not a baseline of this version"):
        Baseline.unpack(packed)


def test_days_known_run_from_the_first_hour_learned() -> None:
    assert Baseline().days_known(NOW) == 0
    assert ordinary(2.5).days_known(hour_number(NOON + 12 * HOUR)) == 3
