"""Prices learned from how the balance fell."""

from datetime import timedelta
from random import Random

import pytest

from flowy_watch.core.prices import Interval, learn
from tests.builders import HOUR, credit

PRICES = {"video": 12.0, "image": 2.0, "text": 0.25}


def hours(count: int = 200, *, unseen: float = 0.0, noise: float = 0.0, together: bool = False) -> list[Interval]:
    """By a seed: each app ran its own number of times in each hour."""
    dice, made = Random(7), []
    for _ in range(count):
        runs = {app: dice.randrange(0, 9) for app in PRICES}
        if together:
            runs["image"] = runs["video"]
        fell = sum(PRICES[app] * many for app, many in runs.items()) + unseen + dice.uniform(0, noise)
        made.append(Interval(HOUR, credit(fell), {app: many for app, many in runs.items() if many}))
    return made


def test_prices_are_found_exactly_where_nothing_else_spends() -> None:
    found = learn(hours())

    assert {app: one.price / 1e6 for app, one in found.items()} == pytest.approx(PRICES, rel=1e-3)
    assert found["video"].intervals > 150


def test_what_is_spent_past_the_meter_is_not_charged_to_its_apps() -> None:
    found = learn(hours(unseen=40, noise=10))

    assert found["video"].price / 1e6 == pytest.approx(12, abs=0.5)
    for app in ("video", "image"):
        assert found[app].low <= credit(PRICES[app]) <= found[app].high


def test_a_few_hours_that_do_not_fit_hardly_matter() -> None:
    made = hours(noise=2)
    for n in range(0, 200, 25):
        made[n] = Interval(HOUR, made[n].fell + credit(5000), made[n].runs)

    assert learn(made)["video"].price / 1e6 == pytest.approx(12, abs=0.5)


def test_apps_that_always_run_together_have_no_price_of_their_own() -> None:
    made = hours(together=True, noise=20)

    assert "text" not in learn(made[:4])
    found = learn(made)
    both = sum(found[app].price for app in ("video", "image") if app in found)
    assert both == 0 or both / 1e6 == pytest.approx(14, abs=1)


@pytest.mark.parametrize("intervals", [[], hours(5), [Interval(timedelta(0), 0, {"video": 3})] * 9])
def test_of_too_little_nothing_is_learned(intervals: list[Interval]) -> None:
    assert learn(intervals) == {}
