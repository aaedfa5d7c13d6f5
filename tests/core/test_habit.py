"""At which times of day a key is used, and how odd a use at another is."""

from array import array
from math import nan

import pytest

from flowy_watch.core.baseline import SLOTS, hour_number
from flowy_watch.core.habit import Habit, habit_at, is_weekend
from tests.builders import DAY, MIDNIGHT

TONIGHT = hour_number(MIDNIGHT)  # the first hour of a Tuesday
SATURDAY = hour_number(MIDNIGHT + 4 * DAY)


def ring(*used: int, until: int, known: int = SLOTS) -> "array[float]":
    """One credit in each of the hours `used`, none in the others of the last `known`."""
    made = array("f", [nan]) * SLOTS
    for hour in range(until - known, until):
        made[hour % SLOTS] = float(hour in used)
    return made


def test_uses_within_three_hours_of_the_time_count_on_days_of_the_same_kind() -> None:
    week = TONIGHT - 168
    counted = (week - 3, week, week + 3)
    others = (week - 4, week + 4, TONIGHT - 48)  # the last a Sunday

    assert habit_at(TONIGHT, ring(*counted, *others, until=TONIGHT)).used == 3
    assert habit_at(SATURDAY, ring(SATURDAY - 168, SATURDAY - 24, until=SATURDAY)).used == 1
    assert (is_weekend(TONIGHT), is_weekend(SATURDAY)) == (False, True)


def test_the_last_day_does_not_count_since_it_may_be_the_incident() -> None:
    assert habit_at(TONIGHT, ring(*range(TONIGHT - 23, TONIGHT), until=TONIGHT)) == (0, 24 * 7 - 3)
    assert habit_at(TONIGHT, ring(TONIGHT - 24, until=TONIGHT)).used == 1


def test_hours_nobody_watched_are_not_seen() -> None:
    assert habit_at(TONIGHT, ring(until=TONIGHT, known=100)).seen < 50 < habit_at(TONIGHT, ring(until=TONIGHT)).seen


@pytest.mark.parametrize("hour", range(TONIGHT, TONIGHT + SLOTS, 31))
def test_wherever_the_ring_begins_the_same_hours_are_counted(hour: int) -> None:
    made = ring(*range(hour - SLOTS, hour), until=hour)

    assert habit_at(hour, made).used == habit_at(hour, made).seen > 50


def test_a_time_is_odder_the_more_a_key_is_used_at_others_and_the_longer_it_was_watched() -> None:
    busy, seldom, watched_briefly = Habit(0, 168).oddity(0.3), Habit(0, 168).oddity(0.01), Habit(0, 49).oddity(0.3)

    assert busy > 1.5 > 0.5 > seldom > 0 == watched_briefly
    assert Habit(50, 168).oddity(0.3) == Habit(0, 168).oddity(0) == 0
    assert Habit(0, 168).oddity(1.0) < 2.5
