"""What the next days will probably cost, and how sure that is."""

from random import Random

import pytest

from flowy_watch.core.forecast import Expected, Forecast, Runway, percentile

WEEK = [10, 20, 30, 40, 50, 6, 4]


def forecast(*totals: int | None) -> Forecast:
    made = Forecast.of(totals)
    assert made
    return made


def test_a_weekday_is_expected_as_it_was() -> None:
    made = forecast(*WEEK * 4)
    assert [made.next(n).amount for n in (1, 2, 7)] == [10, 30, 160]
    assert made.next(7, already=1000) == Expected(1160, 1160, 1160)  # it never differed, so it is sure


def test_less_than_two_weeks_foretell_nothing() -> None:
    assert Forecast.of(WEEK[:7] + WEEK[:6]) is None
    assert Forecast.of([]) is None


def test_only_days_after_the_last_unknown_one_count() -> None:
    assert Forecast.of([*WEEK * 3, None, *WEEK]) is None
    made = forecast(*[1000] * 7, None, *WEEK * 2)
    assert made.next(7).amount == 160


def test_the_range_holds_about_four_of_five() -> None:
    dice, held, tries = Random(1), 0, 400
    for _ in range(tries):
        days = [round(dice.gauss(100, 20)) for _ in range(35)]
        held += forecast(*days[:28]).next(7).holds(sum(days[28:]))
    assert 0.74 < held / tries < 0.88


def test_a_runway_is_the_whole_days_that_a_balance_pays_for() -> None:
    assert forecast(*[10] * 28).runway(105) == Runway(10, 10, 10)
    assert forecast(*[10] * 28).runway(9) == Runway(0, 0, 0)
    assert forecast(*[0] * 28).runway(1) == Runway(None, None, None)


def test_a_runway_is_shorter_if_days_turn_out_dear() -> None:
    made = forecast(*[5, 15] * 14).runway(200)
    assert made.least is not None
    assert made.days is not None
    assert made.most is not None
    assert made.least < made.days < made.most


def test_sums_of_the_largest_amounts_there_are_do_not_break() -> None:
    made = forecast(*[9 * 10**18] * 28)
    assert made.next(7).amount == pytest.approx(63 * 10**18)
    assert made.runway(10**18).days == 0


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile(range(1, 101), 0.95) == 95
    assert percentile([7], 0.95) == 7
    with pytest.raises(ValueError):
        percentile([], 0.5)
