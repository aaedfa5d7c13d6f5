"""Spend far above what is usual. Ordinary here is 100 credits in every hour; the bar is three times that."""

from flowy_watch.core.baseline import Baseline
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.detectors.spike import SpikeConfig, SpikeDetector
from tests.builders import HOUR, MINUTE, NOON, history, ordinary, snapshot, view, workspace


def last_hour(
    spent: float, before: float = 1100, *, known: Baseline | None = None, cap: float | None = None, balance: float = 1e6
) -> list[Finding]:
    """A key that spends `spent` from 11:00 to noon, after three ordinary weeks unless `known` says otherwise."""
    baseline = ordinary(21) if known is None else known
    key = history(snapshot(before, NOON - HOUR, cap=cap), snapshot(before + spent, NOON, cap=cap), baseline=baseline)
    return list(SpikeDetector(SpikeConfig()).examine(view(key, workspace=workspace(balance))))


def test_an_ordinary_hour_is_quiet() -> None:
    assert last_hour(100) == []


def test_three_times_the_usual_is_still_quiet_and_a_little_more_is_not() -> None:
    assert [len(last_hour(spent)) for spent in (300, 301)] == [0, 1]


def test_twenty_times_the_usual_is_critical_and_says_how_far() -> None:
    (found,) = last_hour(2000)

    assert (found.severity, found.level, found.suspicious_only) == (Severity.CRITICAL, 2, False)
    assert found.title == "render spent 2,000 credits in the last hour, 20 times its usual most"
    assert found.evidence == (
        "2,000 credits in the last hour; on Mondays around 12:00 UTC usually 100–100 (8 times seen).",
    )


def test_five_times_the_usual_is_a_warning() -> None:
    (found,) = last_hour(500)

    assert (found.severity, found.level, found.suspicious_only) == (Severity.WARNING, 1, True)


def test_what_would_empty_the_purse_within_a_day_is_critical() -> None:
    assert [found.level for balance in (12_000, 11_999) for found in last_hour(500, balance=balance)] == [1, 2]


def test_a_problem_keeps_its_fingerprint_when_the_figures_grow() -> None:
    (small,), (large,) = last_hour(500), last_hour(2000)

    assert small.fingerprint == large.fingerprint == "spike/key_1/-"


def test_a_day_above_its_bar_is_told_while_the_hour_shows_life() -> None:
    (found,) = last_hour(200, 4000)  # usual by 12:59 is 1,300, the bar 3,900

    assert found.title == "render spent 4,200 credits today, 3 times its usual most"


def test_a_day_above_its_bar_that_has_been_quiet_for_an_hour_is_over() -> None:
    assert last_hour(0, 4200) == []


def test_a_few_credits_are_never_a_spike_however_unusual() -> None:
    known = ordinary(21, per_hour=0)

    assert [len(last_hour(spent, 0, known=known)) for spent in (49, 50)] == [0, 1]


def test_a_key_that_usually_spends_nothing_has_no_times() -> None:
    (found,) = last_hour(60, 0, known=ordinary(21, per_hour=0))

    assert found.title == "render spent 60 credits in the last hour, where it usually spends nothing"


def test_a_new_key_is_quiet_below_half_its_cap_in_two_hours() -> None:
    new = Baseline()

    assert [len(last_hour(spent, 0, known=new, cap=1000)) for spent in (499, 500)] == [0, 1]


def test_a_new_key_that_burns_half_its_cap_is_critical() -> None:
    (found,) = last_hour(600, 0, known=Baseline(), cap=1000)

    assert (found.severity, found.level) == (Severity.CRITICAL, 2)
    assert found.title == "render spent 600 credits within 60 min, 60% of its daily cap of 1,000"


def test_a_new_key_that_takes_longer_than_two_hours_is_quiet() -> None:
    polls = [snapshot(n * 10, NOON + n * 10 * MINUTE, cap=1000) for n in range(60)]

    assert list(SpikeDetector(SpikeConfig()).examine(view(history(*polls)))) == []


def test_a_new_key_without_a_cap_is_measured_by_the_balance() -> None:
    quiet, loud = (last_hour(spent, 0, known=Baseline(), balance=10_000) for spent in (999, 1000))

    assert quiet == []
    assert loud[0].title.endswith("10% of the workspace's balance, and it has no cap")


def test_a_new_key_without_a_cap_or_a_balance_is_quiet() -> None:
    assert last_hour(9000, 0, known=Baseline(), balance=0) == []


def test_a_new_key_with_a_tiny_cap_is_no_spike() -> None:
    assert last_hour(40, 0, known=Baseline(), cap=50) == []


def test_one_snapshot_shows_no_spend() -> None:
    assert list(SpikeDetector(SpikeConfig()).examine(view(history(snapshot(9000, cap=9000))))) == []
