"""What can still be lost, and when the cap ends it."""

from flowy_watch.core.history import History
from flowy_watch.core.stakes import stakes_of
from tests.builders import HOUR, MIDNIGHT, NOON, credit, history, snapshot


def at_pace(per_hour: float, spent: float, cap: float | None = None) -> History:
    """Read for an hour until noon."""
    return history(snapshot(spent - per_hour, NOON - HOUR, cap=cap), snapshot(spent, NOON, cap=cap))


def test_a_cap_that_is_hit_before_the_reset_has_a_time() -> None:
    stakes = stakes_of(at_pace(100, 400, 1000), credit(5000))

    assert (stakes.per_hour, stakes.cap_hit_at) == (credit(100), NOON + 6 * HOUR)


def test_a_cap_that_the_reset_forestalls_has_no_time() -> None:
    stakes = stakes_of(at_pace(100, 400, 2000), None)

    assert (stakes.cap_hit_at, stakes.resets_at) == (None, MIDNIGHT)


def test_a_cap_that_would_be_hit_at_the_very_reset_has_no_time() -> None:
    assert stakes_of(at_pace(100, 400, 1600), None).cap_hit_at is None


def test_a_cap_that_is_spent_has_no_time_and_nothing_left_to_lose_today() -> None:
    stakes = stakes_of(at_pace(100, 1000, 1000), credit(5000))

    assert (stakes.cap_hit_at, stakes.at_risk_today, stakes.at_risk_next_day) == (None, 0, credit(1000))


def test_a_key_that_stands_still_never_hits_its_cap() -> None:
    assert stakes_of(at_pace(0, 999, 1000), None).cap_hit_at is None


def test_the_cap_bounds_the_loss_today_and_again_after_the_reset() -> None:
    stakes = stakes_of(at_pace(100, 400, 1000), credit(5000))

    assert (stakes.at_risk_today, stakes.at_risk_next_day) == (credit(600), credit(1000))


def test_a_balance_smaller_than_the_cap_bounds_the_loss() -> None:
    stakes = stakes_of(at_pace(100, 400, 1000), credit(700))

    assert (stakes.at_risk_today, stakes.at_risk_next_day) == (credit(600), credit(100))


def test_without_a_cap_the_whole_balance_can_go_today() -> None:
    stakes = stakes_of(at_pace(100, 400), credit(700))

    assert (stakes.at_risk_today, stakes.at_risk_next_day) == (credit(700), 0)


def test_without_a_cap_and_a_balance_nothing_bounds_the_loss() -> None:
    stakes = stakes_of(at_pace(100, 400), None)

    assert (stakes.at_risk_today, stakes.at_risk_next_day) == (None, None)


def test_an_overdrawn_workspace_has_nothing_left_to_lose() -> None:
    stakes = stakes_of(at_pace(100, 400, 1000), credit(-50))

    assert (stakes.at_risk_today, stakes.at_risk_next_day) == (0, 0)
