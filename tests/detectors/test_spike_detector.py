"""Spend that is not to be expected. Ordinary here is 100 credits in every hour; one key, four false alarms a month."""

import pytest

from flowy_watch.core.baseline import Baseline
from flowy_watch.core.calibration import Calibration
from flowy_watch.core.finding import Finding, Severity, Small
from flowy_watch.core.usage import CREDIT, KeyStatus
from flowy_watch.detectors import KeyRules
from flowy_watch.detectors.spike import SpikeConfig, SpikeDetector
from tests.builders import HOUR, MINUTE, NOON, bursts, history, learned, ordinary, snapshot, view, workspace

SPIKE = SpikeDetector(SpikeConfig())


def steady(per_hour: float = 100) -> Baseline:
    return ordinary(21, per_hour=per_hour, until=NOON - HOUR)


def last_hour(
    spent: float,
    before: float = 1100,
    *,
    known: Baseline | None = None,
    cap: float | None = None,
    balance: float = 1e6,
    keys: int = 1,
    least: float = 10,
    **seen: object,
) -> list[Finding]:
    """A key that spends `spent` from 11:00 to 11:59, after three ordinary weeks unless `known` says otherwise."""
    baseline = steady() if known is None else known
    polls = (snapshot(before, NOON - HOUR, cap=cap), snapshot(before + spent, NOON - MINUTE, cap=cap))
    purse = workspace(balance)
    purse.calibration = Calibration(keys=keys)
    return list(
        SpikeDetector(SpikeConfig(least_credits=least)).examine(
            view(history(*polls, baseline=baseline), workspace=purse, **seen)
        )
    )


@pytest.mark.parametrize("spent", [0, 50, 100, 130, 150])
def test_an_ordinary_hour_is_quiet(spent: float) -> None:
    assert last_hour(spent) == []


@pytest.mark.parametrize("spent", [300, 500, 1000, 10_000])
def test_three_times_the_usual_of_a_key_that_never_strays_is_told(spent: float) -> None:
    assert len(last_hour(spent)) == 1


def test_a_key_that_strays_is_told_from_more() -> None:
    known = [learned(bursts(), 21, until=NOON - HOUR) for _ in range(2)]

    assert [len(last_hour(spent, known=one)) for spent, one in zip((250, 1000), known, strict=True)] == [0, 1]


def test_twenty_times_the_usual_is_critical_and_says_how_far() -> None:
    (found,) = last_hour(2000)

    assert (found.severity, found.level, found.suspicious_only) == (Severity.CRITICAL, 2, False)
    assert found.title == "render spent 2,000 credits in the last hour, 20 times the expected"
    usual, measure = found.evidence
    assert usual == (
        "2,000 credits in the last hour; on Mondays around 11:00 UTC usually 100–100 (2 times seen), 100 expected."
    )
    assert measure.startswith("Surprise 5.8; told from ")
    assert measure.endswith("; told from 2.8, for about 4 false alarms a month.")
    assert found.facts == {"spent": "2,000", "usual": "100–100", "span": "in the last hour"}


def test_what_is_odd_and_costs_less_than_half_a_day_is_a_warning() -> None:
    (found,) = last_hour(1200)

    assert (found.severity, found.level, found.suspicious_only) == (Severity.WARNING, 1, True)


def test_an_excess_of_half_a_usual_day_is_critical_or_of_half_the_cap_where_there_is_one() -> None:
    assert [found.level for spent in (1290, 1310) for found in last_hour(spent)] == [1, 2]
    assert [found.level for cap in (3000, 1500) for found in last_hour(1000, cap=cap)] == [1, 2]


def test_what_would_empty_the_purse_within_a_day_is_critical() -> None:
    assert [found.level for balance in (12_300, 12_100) for found in last_hour(500, balance=balance)] == [1, 2]


def test_a_problem_keeps_its_fingerprint_when_the_figures_grow() -> None:
    (small,), (large,) = last_hour(500), last_hour(2000)

    assert small.fingerprint == large.fingerprint == "spike/key_1/-"


def test_what_goes_on_for_a_day_is_told_by_the_day() -> None:
    at, key = NOON, history(snapshot(0), baseline=learned(bursts(), until=NOON))
    titles = []
    for n in range(1, 12):
        at = NOON + n * HOUR
        key.add(snapshot(220 * n, at))
        titles += [found.title for found in SPIKE.examine(view(key))]

    assert titles
    assert {title.split(" UTC, ")[0].split(" credits ")[1][:5] for title in titles} <= {"since"}


def test_use_at_a_time_that_is_usually_still_is_told_as_such() -> None:
    def mornings(hour: int) -> float:
        return bursts()(hour) if 6 <= hour % 24 < 10 else 0.0

    (found,) = last_hour(60, 400, known=learned(mornings, until=NOON - HOUR))

    assert found.title == "render spent 60 credits since 10:00 UTC, at a time when it is usually still"
    assert found.evidence[0].startswith("60 credits in usually still hours since 10:00 UTC; ")


def test_a_little_use_all_through_the_night_is_told_by_its_hours() -> None:
    def mornings(hour: int) -> float:
        return bursts()(hour) if 6 <= hour % 24 < 10 else 0.0

    key = history(snapshot(400, NOON), baseline=learned(mornings, until=NOON))
    for n in range(1, 12):
        key.add(snapshot(400 + n * 0.2, NOON + n * HOUR - MINUTE))
    (found,) = SPIKE.examine(view(key))

    assert found.title == "render was used in 9 hours since 14:00 UTC in which it is usually still"
    assert found.evidence[0].startswith("Was used in 9 hours since 14:00 UTC in which it is usually still; ")
    assert found.suspicious_only is False


def told_hourly(spends: list[float], known: Baseline) -> list[Finding]:
    """What each hour after noon has told at its end."""
    key, total, out = history(snapshot(0), baseline=known), 0.0, []
    for n, spent in enumerate(spends):
        total += spent
        key.add(snapshot(total, NOON + (n + 1) * HOUR - MINUTE))
        out += SPIKE.examine(view(key))
    return out


def test_hours_none_of_which_is_odd_enough_are_told_together() -> None:
    told = told_hourly([200] * 12, learned(bursts(), until=NOON))

    added_up = next(found for found in told if " Hour after hour it was more than expected." in found.evidence[0])
    assert added_up.began_at == NOON
    assert " since 12:00 UTC, " in added_up.title


def test_an_even_pace_makes_more_than_the_usual_odd_and_is_said() -> None:
    def quarters(*spends: float) -> list[Finding]:
        key, total, out = history(snapshot(0), baseline=learned(bursts(), until=NOON)), 0.0, []
        for n, spent in enumerate(spends):
            total += spent
            key.add(snapshot(total, NOON + (n + 1) * 15 * MINUTE - MINUTE))
            out += SPIKE.examine(view(key))
        return out

    uneven, even = quarters(54, 6, 84, 36, 57, 51), quarters(*[48] * 6)

    assert uneven == []
    assert "at an even pace, as by a machine: " in even[0].evidence[0]


def test_a_time_of_day_at_which_a_key_is_not_used_is_said() -> None:
    by_day = learned(lambda hour: bursts()(hour) if 8 <= hour % 24 < 18 else 0.0, until=NOON)

    told = told_hourly([0] * 10 + [80] * 2, by_day)

    assert told[0].evidence[0].endswith(" Around 22:00 UTC on working days it was used in 0 of 140 hours.")


def test_the_share_of_the_cap_that_is_gone_makes_odd_spend_odder_and_is_said() -> None:
    def verdict(cap: float | None) -> tuple[float, str]:
        key = history(snapshot(0, cap=cap), baseline=learned(bursts(), until=NOON))
        key.add(snapshot(900, NOON + HOUR - MINUTE, cap=cap))
        (found,) = SPIKE.examine(view(key))
        assert key.verdict is not None
        return key.verdict.surprise, found.evidence[0]

    (without, unsaid), (near, said), (far, _) = verdict(None), verdict(1000), verdict(100_000)

    assert without + 0.9 == pytest.approx(near)
    assert without < far < without + 0.1
    assert said.endswith(" 90% of its daily cap of 1,000 credits is gone.")
    assert "cap" not in unsaid


def test_a_few_credits_are_no_alert_however_unusual_but_a_small_finding() -> None:
    def found(spent: float, least: float = 10) -> Small | None:
        (only,) = last_hour(spent, 0, known=steady(0.01), least=least)
        return only.small

    assert [found(11), found(21, 20)] == [None, None]
    assert [found(9), found(11, 20)] == [Small(8_990_000, 10 * CREDIT), Small(10_990_000, 20 * CREDIT)]


def test_a_key_that_usually_spends_next_to_nothing_has_no_times() -> None:
    (found,) = last_hour(60, 0, known=steady(0.01))

    assert found.title == "render spent 60 credits in the last hour, where none was expected"


def test_a_key_that_never_spent_is_treated_as_a_new_one() -> None:
    assert [len(last_hour(spent, 0, known=steady(0), cap=1000)) for spent in (499, 500)] == [0, 1]


def test_the_same_spend_is_told_among_few_keys_and_not_among_many() -> None:
    assert [len(last_hour(250, keys=keys)) for keys in (1, 10_000)] == [1, 0]


def test_who_accepts_fewer_false_alarms_is_told_from_more() -> None:
    assert [len(last_hour(250, keys=30, false_alarms_per_month=knob)) for knob in (4.0, 0.01)] == [1, 0]


def test_a_key_of_little_sensitivity_is_told_from_more_than_the_others() -> None:
    found = [last_hour(250, keys=30, rules=KeyRules(sensitivity=share)) for share in (1.0, 0.01, 100.0)]

    assert [len(one) for one in found] == [1, 0, 1]
    assert "told from 2.8" in found[2][0].evidence[1]


def test_what_a_revoked_key_is_charged_is_not_told_here() -> None:
    polls = [snapshot(1100, NOON - HOUR), snapshot(1100, NOON - 30 * MINUTE, status=KeyStatus.REVOKED)]
    polls += [snapshot(3100, NOON - MINUTE, status=status) for status in (KeyStatus.REVOKED, KeyStatus.ACTIVE)]
    found = [list(SPIKE.examine(view(history(*polls[:2], last, baseline=steady())))) for last in polls[2:]]

    assert [len(one) for one in found] == [0, 1]


def test_a_new_key_is_quiet_below_half_its_cap_in_two_hours() -> None:
    new = Baseline()

    assert [len(last_hour(spent, 0, known=new, cap=1000)) for spent in (499, 500)] == [0, 1]


def test_a_new_key_that_burns_half_its_cap_is_critical() -> None:
    (found,) = last_hour(600, 0, known=Baseline(), cap=1000)

    assert (found.severity, found.level) == (Severity.CRITICAL, 2)
    assert found.title == "render spent 600 credits within 59 min, 60% of its daily cap of 1,000"


def test_a_new_key_that_takes_longer_than_two_hours_is_quiet() -> None:
    polls = [snapshot(n * 10, NOON + n * 10 * MINUTE, cap=1000) for n in range(60)]

    assert list(SPIKE.examine(view(history(*polls)))) == []


def test_a_new_key_without_a_cap_is_measured_by_the_balance() -> None:
    quiet, loud = (last_hour(spent, 0, known=Baseline(), balance=10_000) for spent in (999, 1000))

    assert quiet == []
    assert loud[0].title.endswith("10% of the workspace's balance, and it has no cap")


def test_a_new_key_without_a_cap_or_a_balance_is_quiet() -> None:
    assert last_hour(9000, 0, known=Baseline(), balance=0) == []


def test_a_few_credits_of_a_new_key_with_a_tiny_cap_are_no_spike() -> None:
    assert [len(last_hour(spent, 0, known=Baseline(), cap=12)) for spent in (9, 10)] == [0, 1]


def test_one_snapshot_shows_no_spend() -> None:
    assert list(SPIKE.examine(view(history(snapshot(9000, cap=9000))))) == []
