"""The balance, the burn, and how long nothing has moved."""

import json
from datetime import timedelta

import pytest

from flowy_watch.core.workspace import WorkspaceHistory
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, credit, workspace


def test_the_burn_is_the_mean_of_the_days_before() -> None:
    assert workspace(per_day=(100, 200, 300)).burn_per_day(NOON) == credit(200)


def test_the_burn_looks_back_seven_days_and_no_further() -> None:
    assert workspace(per_day=(70,) * 7 + (9000,) * 3).burn_per_day(NOON) == credit(70)


def test_with_two_days_known_todays_pace_counts_as_a_third() -> None:
    seen = workspace(per_day=(100, 200))
    seen.add(NOON, credit(150), None, moved=True)

    assert seen.burn_per_day(NOON) == credit((100 + 200 + 300) / 3)


def test_on_the_first_day_the_burn_is_todays_pace() -> None:
    seen = workspace()
    seen.add(NOON, credit(150), None, moved=True)

    assert seen.burn_per_day(NOON) == credit(300)


def test_less_than_an_hour_of_a_day_says_nothing_about_its_pace() -> None:
    first, second = WorkspaceHistory(), workspace(per_day=(100,), at=NOON)
    for seen in (first, second):
        seen.add(MIDNIGHT + 30 * MINUTE, credit(80), None, moved=True)

    assert first.burn_per_day(MIDNIGHT + 30 * MINUTE) is None
    assert second.burn_per_day(NOON - 12 * HOUR + 30 * MINUTE) == credit(100)


def test_where_spend_is_not_known_the_burn_is_by_how_much_the_balance_falls() -> None:
    seen = WorkspaceHistory()
    for n in range(5 * 24):
        topped_up = 10_000 * (n >= 60)
        seen.add(MIDNIGHT + n * HOUR, None, credit(1000 - 5 * n + topped_up), moved=True)
    first_whole_day = MIDNIGHT + 2 * DAY - HOUR

    assert seen.burn_per_day(MIDNIGHT + 5 * DAY - HOUR) == credit((120 + 115 + 120) / 3)
    assert seen.burn_per_day(MIDNIGHT + 23 * HOUR) is None
    assert seen.fall.per_hour() == credit(5)
    assert first_whole_day.date() in seen.fall.days


def test_a_total_that_is_no_longer_known_is_not_kept_as_it_was() -> None:
    seen = workspace(spent=None)
    seen.add(NOON, credit(150), None, moved=True)
    seen.add(NOON + HOUR, None, None, moved=True)

    assert seen.burn_per_day(NOON + HOUR) is None


def test_a_workspace_that_was_never_read_burns_nothing_known() -> None:
    assert WorkspaceHistory().burn_per_day(NOON - 11.5 * HOUR) is None


def test_a_poll_without_a_balance_keeps_the_last_one_and_its_time() -> None:
    seen = workspace(500)
    seen.add(NOON + HOUR, 0, None, moved=False)

    assert (seen.balance, seen.balance_at) == (credit(500), NOON)


def test_the_highest_balance_is_what_a_full_purse_looked_like() -> None:
    assert workspace(300, 900, 100).highest_balance == credit(900)


def test_days_of_more_than_two_weeks_ago_are_forgotten() -> None:
    seen = workspace(per_day=(1,) * 40)
    seen.add(NOON, 0, None, moved=True)

    assert len(seen.day_totals) == 15


def test_the_longest_time_without_movement_is_remembered() -> None:
    seen = WorkspaceHistory()
    for hours, moved in ((0, True), (1, True), (5, False), (9, True), (10, True)):
        seen.add(NOON + hours * HOUR, 0, None, moved=moved)

    assert (seen.longest_still, seen.moved_at) == (8 * HOUR, NOON + 10 * HOUR)


def test_a_balance_that_changes_is_movement() -> None:
    seen = workspace(500)
    seen.add(NOON + HOUR, 0, credit(500), moved=False)
    seen.add(NOON + 2 * HOUR, 0, credit(400), moved=False)

    assert (seen.longest_still, seen.moved_at) == (2 * HOUR, NOON + 2 * HOUR)


@pytest.mark.parametrize("seen", [WorkspaceHistory(), workspace(500, 400, per_day=(10, 20))])
def test_a_workspace_comes_back_from_storage_as_it_was(seen: WorkspaceHistory) -> None:
    assert WorkspaceHistory.load(json.loads(json.dumps(seen.dump()))) == seen


@pytest.mark.parametrize("state", [{}, WorkspaceHistory().dump() | {"day_totals": {"yesterday": 1}}])
def test_a_state_that_is_not_ours_is_refused(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        WorkspaceHistory.load(state)


def test_nothing_has_lain_still_before_the_second_reading() -> None:
    assert workspace(500).longest_still == timedelta()
