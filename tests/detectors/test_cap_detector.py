"""Spend today against the cap."""

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.detectors import View
from flowy_watch.detectors.cap import CapConfig, CapDetector
from tests.builders import DAY, MINUTE, NOON, history, replay, snapshot, view

CAP = CapDetector(CapConfig())


def at(*spent: float, cap: float | None = 100) -> list[View]:
    """One view per figure, a minute apart."""
    return [view(history(snapshot(s, NOON + n * MINUTE, cap=cap))) for n, s in enumerate(spent)]


def found(spent: float, cap: float | None = 100) -> list[Finding]:
    return list(CAP.examine(*at(spent, cap=cap)))


def test_a_day_from_nothing_to_the_cap_is_told_at_80_95_and_100_per_cent() -> None:
    assert replay(CAP, at(*range(101))) == [(Change.OPENED, 80), (Change.ESCALATED, 95), (Change.ESCALATED, 100)]


def test_a_jump_from_40_to_97_per_cent_is_told_once_as_95() -> None:
    assert replay(CAP, at(40, 97, 98)) == [(Change.OPENED, 95)]


def test_a_cap_that_is_spent_again_the_next_utc_day_is_told_again() -> None:
    days = [view(history(snapshot(100, NOON + n * DAY, cap=100))) for n in range(2)]

    assert replay(CAP, days) == [(Change.OPENED, 100), (Change.RESOLVED, 100), (Change.OPENED, 100)]


@pytest.mark.parametrize("cap", [None, 0])
def test_a_key_without_a_cap_is_at_no_level_of_it(cap: float | None) -> None:
    assert found(9000, cap) == []


@pytest.mark.parametrize(
    ("spent", "levels"), [(79.999999, []), (80, [80]), (94.999999, [80]), (95, [95]), (99.999999, [95]), (250, [100])]
)
def test_levels_are_exact_to_the_micro_credit(spent: float, levels: list[int]) -> None:
    assert [one.level for one in found(spent)] == levels


def test_the_warning_becomes_critical_at_95_per_cent() -> None:
    severities = [one.severity for spent in (80, 95, 100) for one in found(spent)]

    assert severities == [Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL]


def test_the_words_say_how_much_of_what() -> None:
    (near,), (over,) = found(4100, 5000), found(5000, 5000)

    assert near.title == "render is at 82 % of its daily cap (4,100 of 5,000 credits)"
    assert over.title == "render has spent its daily cap (5,000 of 5,000 credits)"
    assert near.evidence == ("82 % of the cap is spent; told at 80, 95 and 100 %.",)
    assert over.evidence[1:] == ("Flowy refuses its new runs (402) until 00:00 UTC.",)


def test_levels_may_be_given_in_any_order_and_twice() -> None:
    detector = CapDetector(CapConfig(levels=(100, 50, 50)))

    assert replay(detector, at(40, 50, 99, 100)) == [(Change.OPENED, 50), (Change.ESCALATED, 100)]


def test_a_single_level_is_told_as_one() -> None:
    (one,) = CapDetector(CapConfig(levels=(90,))).examine(*at(90))

    assert one.evidence == ("90 % of the cap is spent; told at 90 %.",)


@pytest.mark.parametrize("levels", [(), (0,), (-5, 80), (80, 1001)])
def test_levels_that_make_no_sense_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="between 1 and 1000"):
        CapConfig(levels=levels)
