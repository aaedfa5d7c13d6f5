"""Spend that drifts up over days. Ordinary is about 100 credits an hour, in lumps; 30 keys accept 4 false alarms."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.baseline import hour_number
from flowy_watch.core.calibration import Calibration
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import CREDIT
from flowy_watch.detectors import View
from flowy_watch.detectors.ramp import RampConfig, RampDetector
from flowy_watch.detectors.spike import SpikeConfig, SpikeDetector
from tests.builders import HOUR, MIDNIGHT, MINUTE, history, learned, replay, snapshot, view, workspace

Spends = Callable[[int], float]
START = hour_number(MIDNIGHT)
DRIFTS = [(4, 9, 1.5, 99.0), (2, 5, 1.6, 99.0), (4, 2, 2.0, 0.3)]
"""Lumps per hour, seed, how many times the ordinary in the end, and by how much more each day."""


def lumpy(lumps: float, seed: int) -> Spends:
    return lambda hour: Random(seed * 7919 + hour).gammavariate(lumps, 100 / lumps)


def drifting(lumps: float, seed: int, times: float, daily: float) -> Spends:
    ordinary = lumpy(lumps, seed)
    return lambda hour: ordinary(hour) * min(times, 1 + daily * (hour - START) / 24)


def days(spends: Spends, ordinary: Spends, *, days: int = 5, false_alarms_per_month: float = 4.0) -> Iterator[View]:
    """Hourly polls after four ordinary weeks."""
    purse = workspace(1e6)
    purse.calibration = Calibration(keys=30)
    key, spent = history(snapshot(0, MIDNIGHT), baseline=learned(ordinary, until=MIDNIGHT)), 0.0
    for n in range(1, days * 24 + 1):
        at = MIDNIGHT + n * HOUR
        spent = spends(START + n - 1) + (0 if n % 24 == 1 else spent)
        key.add(snapshot(spent, at if n % 24 else at - MINUTE))
        yield view(key, workspace=purse, false_alarms_per_month=false_alarms_per_month)


def found(views: Iterator[View], least: float = 100) -> list[Finding]:
    detector = RampDetector(RampConfig(least_credits=least))
    return [one for seen in views for one in detector.examine(seen)]


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_drift_of_days_is_told_once_as_a_ramp_and_not_as_a_spike(drift: tuple[float, int, float, float]) -> None:
    ordinary = lumpy(*drift[:2])

    told = replay(RampDetector(RampConfig()), days(drifting(*drift), ordinary))

    assert [change for change, _ in told] in ([Change.OPENED], [Change.OPENED, Change.RESOLVED])
    assert replay(SpikeDetector(SpikeConfig()), days(drifting(*drift), ordinary)) == []


def test_a_ramp_says_what_three_days_came_to_beside_what_was_expected() -> None:
    one = found(days(drifting(*DRIFTS[0]), lumpy(*DRIFTS[0][:2])))[0]

    assert (one.kind, one.severity, one.level, one.suspicious_only) == ("ramp", Severity.WARNING, 1, True)
    assert one.fingerprint == "ramp/key_1/-"
    assert one.title.startswith("render spent ")
    assert " UTC, 1." in one.title
    assert one.title.endswith(" times the expected")
    assert one.evidence[1].endswith("told from 3.5, for about 4 false alarms a month.")
    assert one.facts["span"].startswith("since ")


def test_an_ordinary_week_is_no_ramp() -> None:
    assert found(days(lumpy(4, 4), lumpy(4, 4), days=7)) == []


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_drift_after_a_spike_that_was_told_is_not_told_again(drift: tuple[float, int, float, float]) -> None:
    drifts = drifting(*drift)

    def with_spike(hour: int) -> float:
        return 2000.0 if hour == START + 4 else drifts(hour)

    assert found(days(with_spike, lumpy(*drift[:2]), days=3)) == []


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_is_told_as_a_ramp_was_at_no_time_of_those_days_a_spike(seed: int) -> None:
    detector = RampDetector(RampConfig())
    for seen in days(drifting(4, seed, 1.8, 0.25), lumpy(4, seed)):
        (key,) = seen.histories
        if list(detector.examine(seen)):
            assert max(key.peaks) < seen.threshold(key) <= key.drift.surprise  # type: ignore[union-attr]


def test_a_drift_worth_less_than_the_least_is_no_alert() -> None:
    drift, ordinary = drifting(*DRIFTS[0]), lumpy(*DRIFTS[0][:2])

    assert found(days(drift, ordinary), least=1) != []
    small = found(days(drift, ordinary), least=10_000)
    assert small
    assert all(one.small and one.small.excess < one.small.least == 10_000 * CREDIT for one in small)


def test_who_accepts_fewer_false_alarms_hears_of_fewer_drifts() -> None:
    drift, ordinary = drifting(*DRIFTS[0]), lumpy(*DRIFTS[0][:2])

    assert found(days(drift, ordinary, false_alarms_per_month=0.01)) == []
