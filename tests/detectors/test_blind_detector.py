"""The watcher that cannot see says so."""

from datetime import timedelta
from typing import Any

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.workspace import Health, WorkspaceHistory
from flowy_watch.detectors import View
from flowy_watch.detectors.blind import BlindConfig, BlindDetector
from tests.builders import DAY, HOUR, MINUTE, NOON, history, replay, snapshot, view

BLIND = BlindDetector(BlindConfig())


def failed(times: int, **more: Any) -> View:
    """The n-th poll in a row that failed; the last good one was at noon."""
    given = {"last_good_at": NOON, "first_failure_at": NOON + 5 * MINUTE, "reason": "timed out"} | more
    return view(at=NOON + times * 5 * MINUTE, health=Health(good=False, failures=times, **given))


def found(seen: View) -> list[Finding]:
    return list(BLIND.examine(seen))


def test_three_failed_polls_are_told_and_two_are_not() -> None:
    assert [len(found(failed(times))) for times in (1, 2, 3, 4)] == [0, 0, 1, 1]


def test_blindness_is_dated_from_the_last_good_poll() -> None:
    (one,) = found(failed(3))

    assert (one.title, one.severity) == ("Blind since 2026-03-02 12:00 UTC: timed out", Severity.CRITICAL)
    assert (one.facts["what"], one.fingerprint) == ("no_poll", "blind/-/-")


def test_a_watcher_that_never_saw_is_blind_since_its_first_failure() -> None:
    (one,) = found(failed(3, last_good_at=None))

    assert one.title == "Blind since 2026-03-02 12:05 UTC: timed out"


def test_a_refused_credential_is_told_at_once() -> None:
    (one,) = found(failed(1, refused=True, reason="the token was refused (401)"))

    assert one.title == "Blind since 2026-03-02 12:00 UTC: the token was refused (401)"


def test_an_outage_is_told_once_with_one_recovery() -> None:
    outage = [failed(times) for times in range(1, 9)]
    recovered = [view(at=NOON + HOUR), view(at=NOON + HOUR + 5 * MINUTE)]

    assert replay(BLIND, outage + recovered) == [(Change.OPENED, 1), (Change.RESOLVED, 1)]


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (timedelta(minutes=10), "this machine's clock is 10 min behind the source's: set it (NTP)"),
        (timedelta(minutes=-10), "this machine's clock is 10 min ahead of the source's: set it (NTP)"),
    ],
)
def test_a_clock_that_is_off_for_three_polls_is_told(offset: timedelta, words: str) -> None:
    off = [view(health=Health(good=True, skewed=polls, clock_offset=offset)) for polls in (2, 3)]

    assert [one.facts["reason"] for seen in off for one in found(seen)] == [words]


def still(hours: float, *, watched_days: float = 20, longest_still: timedelta = HOUR) -> View:
    """Good polls that have shown nothing new for so long."""
    seen = WorkspaceHistory(
        moved_at=NOON - hours * HOUR, first_at=NOON - watched_days * DAY, longest_still=longest_still
    )
    return view(workspace=seen)


def test_figures_that_stand_still_for_longer_than_six_hours_are_frozen() -> None:
    assert [len(found(still(hours))) for hours in (6, 6.1)] == [0, 1]


def test_frozen_figures_are_dated_from_the_last_movement() -> None:
    (one,) = found(still(10))

    assert one.title == "Blind since 2026-03-02 02:00 UTC: the source repeats the same figures: nothing has moved since"


def test_a_workspace_that_rests_for_nights_is_frozen_after_twice_as_long() -> None:
    assert [len(found(still(hours, longest_still=12 * HOUR))) for hours in (24, 25)] == [0, 1]


def test_nothing_is_called_frozen_in_the_first_two_weeks() -> None:
    assert [len(found(still(100, watched_days=days))) for days in (13.9, 14)] == [0, 1]


def test_a_failed_poll_is_not_called_frozen() -> None:
    frozen = still(100)

    assert list(BLIND.examine(view(workspace=frozen.workspace, health=Health(good=False, failures=1)))) == []


def test_keys_of_which_no_counter_is_told_cannot_stand_still() -> None:
    still = WorkspaceHistory(first_at=NOON - 40 * DAY, moved_at=NOON - 30 * DAY)
    seen = view(history(snapshot()._replace(spent=None)), workspace=still)
    assert list(BlindDetector(BlindConfig()).examine(seen)) == []
    counted = view(history(snapshot()), workspace=still)
    assert [one.facts["what"] for one in BlindDetector(BlindConfig()).examine(counted)] == ["frozen"]
