"""From the false alarms people accept to a threshold, and back."""

import json
from random import Random
from statistics import mean as mean_of

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.calibration import MONTH, Calibration
from flowy_watch.core.surprise import TOLD_FROM

LOWEST, HIGHEST = TOLD_FROM + 0.25, 11.0
SHAPE = 0.06


def watched(days: int = 35, *, keys: int = 50, share: float = 0.1, mean: float = 0.6, seed: int = 1) -> Calibration:
    """After days on which a share of the keys had a peak, this far above TOLD_FROM, in a tail of the shape believed."""
    made, rng = Calibration(), Random(seed)
    for day in range(days):
        made.close_day(day, ordinary_day(rng, keys=keys, share=share, mean=mean))
    return made


def ordinary_day(rng: Random, *, keys: int, share: float, mean: float) -> dict[str, float]:
    def excess() -> float:
        return mean * (1 - SHAPE) / SHAPE * (rng.paretovariate(1 / SHAPE) - 1)

    return {f"key_{n}": TOLD_FROM + excess() if rng.random() < share else 0.0 for n in range(keys)}


def test_who_accepts_more_false_alarms_is_told_from_less() -> None:
    found = [watched().threshold(knob) for knob in (0.1, 0.5, 1, 4, 20)]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 5


def test_the_same_number_of_false_alarms_over_more_keys_asks_for_a_higher_threshold() -> None:
    found = [watched(keys=keys).threshold(4) for keys in (5, 25, 100, 400)]

    assert found == sorted(found)
    assert found[-1] > found[0] + 1


def test_a_workspace_given_to_flashes_is_told_from_more() -> None:
    calm, restless, wild = (watched(share=s, mean=m).threshold(4) for s, m in ((0.02, 0.3), (0.2, 0.3), (0.2, 0.9)))

    assert calm < restless < wild


@given(st.floats(1e-9, 1e9), st.integers(0, 2000), st.floats(0, 1), st.floats(0.05, 3))
def test_a_threshold_stays_where_surprises_mean_something(knob: float, keys: int, share: float, mean: float) -> None:
    assert LOWEST <= watched(2, keys=keys % 100, share=share, mean=mean).threshold(knob) <= HIGHEST


@pytest.mark.parametrize(("share", "mean"), [(0.03, 0.4), (0.03, 0.6), (0.2, 0.5)])
@pytest.mark.parametrize("knob", [1.0, 4.0, 16.0])
def test_ordinary_days_raise_about_as_many_false_alarms_as_are_accepted(share: float, mean: float, knob: float) -> None:
    told = []
    for seed in range(5):
        threshold = watched(70, keys=100, share=share, mean=mean, seed=seed).threshold(knob)
        rng = Random(1000 + seed)
        days = (ordinary_day(rng, keys=100, share=share, mean=mean) for _ in range(round(10 * MONTH)))
        told.append(sum(peak >= threshold for day in days for peak in day.values()) / 10)

    assert knob / 2 < mean_of(told) < knob * 2


def test_before_anything_was_seen_a_fit_begins_from_what_other_workspaces_have_shown() -> None:
    new = Calibration(keys=30)

    assert 3 < new.threshold(4) < 4


def after(*days: dict[str, float]) -> Calibration:
    made = Calibration()
    for n, highest in enumerate(days):
        made.close_day(n, highest)
    return made


def test_a_day_beyond_doubt_does_not_make_the_watch_duller() -> None:
    assert after({"a": 9.0}).threshold(0.1) == after({"a": 0.0}).threshold(0.1) < after({"a": 4.0}).threshold(0.1)


def test_the_two_days_after_one_beyond_doubt_are_left_out_too_and_the_third_is_not() -> None:
    def peaks(*highest: float) -> float:
        return after(*({"a": one} for one in highest)).peaks

    assert (peaks(9, 4), peaks(9, 0, 4), peaks(9, 0, 0, 4)) == (0, 0, 1)
    assert peaks(9, 0, 9, 4) == 0


def test_an_incident_of_one_key_leaves_the_others_in() -> None:
    assert after({"a": 9.0, "b": 4.0}, {"a": 4.0, "b": 4.0}).peaks == pytest.approx(2, rel=0.05)


def test_an_excess_counts_only_up_to_a_limit() -> None:
    assert after({"a": TOLD_FROM + 2}).excess == after({"a": TOLD_FROM + 1}).excess == 1


def test_what_was_is_forgotten_within_months() -> None:
    restless = watched(35, share=0.5, mean=0.8)
    now, rng = restless.threshold(4), Random(3)
    for day in range(35, 215):
        restless.close_day(day, ordinary_day(rng, keys=50, share=0.0, mean=0.8))

    assert restless.threshold(4) < now - 1


def test_keys_that_could_not_be_surprising_are_not_counted() -> None:
    made = watched(keys=50)
    made.close_day(99, {})

    assert (made.keys, made.threshold(4)) == (0, LOWEST)


def test_it_comes_back_from_storage_as_it_was() -> None:
    made = after({"a": 9.0, "b": 3.5}, {"a": 4.0, "b": 0.0})
    again = Calibration.load(json.loads(json.dumps(made.dump())))

    assert again == made
    for one in (made, again):
        one.close_day(2, {"a": 4.0, "b": 3.0})
    assert again == made


@pytest.mark.parametrize("state", [{}, {"sums": [1, 2, 3], "keys": 0, "left_out": {}}, {"sums": None}])
def test_a_state_that_is_not_ours_is_refused(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Calibration.load(state)
