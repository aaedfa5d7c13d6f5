"""The purse: a floor, a share, a runway, and empty."""

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.workspace import WorkspaceHistory
from flowy_watch.detectors import View
from flowy_watch.detectors.balance import BalanceConfig, BalanceDetector
from tests.builders import HOUR, MIDNIGHT, MINUTE, NOON, credit, history, replay, snapshot, view, workspace

FLOOR = BalanceConfig(floor_credits=500)


def found(purse: WorkspaceHistory, config: BalanceConfig | None = None) -> list[Finding]:
    return list(BalanceDetector(config or BalanceConfig()).examine(view(workspace=purse)))


def levels(purse: WorkspaceHistory, config: BalanceConfig | None = None) -> list[int]:
    return [one.level for one in found(purse, config)]


@pytest.mark.parametrize(("balance", "level"), [(500, []), (499.99, [1])])
def test_a_balance_below_the_floor_is_a_warning(balance: float, level: list[int]) -> None:
    assert levels(workspace(balance), FLOOR) == level


@pytest.mark.parametrize(("balance", "level"), [(500, []), (499, [1]), (100, [1]), (99, [2])])
def test_a_balance_is_measured_by_its_recent_high(balance: float, level: list[int]) -> None:
    assert levels(workspace(10_000, balance)) == level


@pytest.mark.parametrize(("balance", "level"), [(301, []), (300, [1]), (101, [1]), (100, [2])])
def test_a_balance_is_measured_by_how_long_it_lasts(balance: float, level: list[int]) -> None:
    assert levels(workspace(balance, per_day=(100, 100, 100))) == level


@pytest.mark.parametrize("balance", [0, -20])
def test_an_empty_purse_is_the_worst(balance: float) -> None:
    (one,) = found(workspace(balance, per_day=(100, 100, 100)))

    assert (one.level, one.severity, one.title) == (3, Severity.CRITICAL, "Workspace balance is used up")
    assert one.evidence[0] == "At zero, every run of every key stops, whatever the caps say."


def test_a_pace_that_empties_the_purse_within_two_hours_is_critical() -> None:
    key = history(snapshot(0, NOON - HOUR), snapshot(1000))
    seen = [view(key, workspace=workspace(balance, per_day=(10, 10, 10), spent=1000)) for balance in (2000, 1999)]

    assert [one.level for purse in seen for one in BalanceDetector(BalanceConfig()).examine(purse)] == [2]


def test_right_after_midnight_the_pace_of_yesterdays_last_minutes_counts() -> None:
    night = MIDNIGHT + 5 * MINUTE
    key = history(snapshot(0, MIDNIGHT - 30 * MINUTE), snapshot(800, MIDNIGHT - MINUTE), snapshot(0, night))
    purses = [workspace(1000, at=night, per_day=(before, 10, 10)) for before in (800, 10)]
    seen = [view(key, workspace=purse) for purse in purses]

    assert [[one.level for one in BalanceDetector(BalanceConfig()).examine(purse)] for purse in seen] == [[2], []]


def test_where_spend_is_not_known_the_pace_is_that_of_the_balance() -> None:
    falls = (2500, 2400, 2300)  # by 1,200 an hour

    assert levels(workspace(*falls, spent=None)) == [2]
    assert levels(workspace(*falls, spent=200)) == []


def test_the_words_say_how_much_how_long_and_who() -> None:
    keys = [history(snapshot(s, key_id=k, name=k)) for k, s in (("a", 5), ("b", 0), ("c", 70), ("d", 9), ("e", 1))]
    purse = workspace(250, per_day=(100, 100, 100))
    (one,) = BalanceDetector(BalanceConfig()).examine(view(*keys, workspace=purse))

    assert one.title == "Workspace balance is low: 250 credits, about 2 days at the expected burn"
    assert one.evidence == (
        "It lasts 2 days at the expected burn (limit 3 days).",
        "Expected burn: 100 credits a day.",
        "Most spent today: c 70, d 9, a 5.",
    )
    assert (one.key_id, one.fingerprint) == (None, "balance/-/-")


def test_worse_is_told_again_and_a_top_up_ends_it() -> None:
    views = [purse_at(n, balance) for n, balance in enumerate((600, 400, 50, 0, *[5000] * 6))]

    assert replay(BalanceDetector(BalanceConfig(floor_credits=500, floor_share=0.05)), views) == [
        (Change.OPENED, 1),
        (Change.ESCALATED, 2),
        (Change.ESCALATED, 3),
        (Change.RESOLVED, 3),
    ]


def purse_at(polls: int, balance: float) -> View:
    """Of 10,000 once held, `balance` is left at the n-th poll of five minutes."""
    at = NOON + polls * 5 * MINUTE
    return view(at=at, workspace=workspace(10_000, balance, at=at))


def test_a_balance_from_an_earlier_poll_is_not_judged() -> None:
    purse = workspace(5, at=NOON - MINUTE)
    purse.add(NOON, credit(5), None, moved=True)

    assert found(purse, FLOOR) == []


def test_a_floor_and_a_share_of_zero_leave_it_to_the_runway() -> None:
    assert levels(workspace(10_000, 1), BalanceConfig(floor_share=0)) == []
