"""Yesterday's counter shown after midnight is no spend of today; whatever can be honest is believed."""

from datetime import datetime

import pytest

from flowy_watch.core.history import History
from flowy_watch.core.stale import stale_counter
from tests.builders import HOUR, MIDNIGHT, MINUTE, history, snapshot


def yesterday(*, pace: float = 0, high: float = 900) -> History:
    """A key that stood at `high` five minutes before midnight, and spent so much an hour before that."""
    earlier = [snapshot(high - pace * n / 12, MIDNIGHT - (n + 1) * 5 * MINUTE) for n in range(12, -1, -1)]
    return history(*earlier)


BEFORE, AFTER = MIDNIGHT - 2 * MINUTE, MIDNIGHT + 2 * MINUTE


@pytest.mark.parametrize(
    ("pace", "spent", "minutes", "used"),
    [
        (0, 900, 1, MIDNIGHT - HOUR),  # a cache
        (0, 900, 29, MIDNIGHT - HOUR),
        (0, 903, 1, BEFORE),  # used once more before midnight
        (0, 1125, 10, BEFORE),
        (60, 901.5, 1, AFTER),  # goes on through midnight, by its own use
        (60, 911, 10, AFTER),
        (60, 901.5, 1, None),
        (60, 900, 1, AFTER),
        (60, 930, 25, AFTER),
    ],
)
def test_a_counter_that_goes_on_from_yesterday_is_stale(
    pace: float, spent: float, minutes: int, used: datetime | None
) -> None:
    at = MIDNIGHT + minutes * MINUTE
    assert stale_counter(yesterday(pace=pace), snapshot(spent, at, used=used))


@pytest.mark.parametrize(
    ("pace", "spent", "minutes", "used"),
    [
        (0, 0, 1, MIDNIGHT - HOUR),
        (0, 40, 1, BEFORE),  # what runs of yesterday still cost
        (0, 1200, 1, BEFORE),  # a heavy one
        (0, 900, 1, MIDNIGHT),  # used today, and lay still before: as every night
        (0, 900, 1, None),
        (0, 903, 1, AFTER),
        (60, 5, 5, AFTER),  # an ordinary night
        (60, 940, 5, AFTER),  # a leak that happens to be near yesterday's figure
        (60, 880, 5, AFTER),
        (0, 900, 30, MIDNIGHT - HOUR),  # too late in the day
        (60, 905, 30, AFTER),
        (60, 900, -1, MIDNIGHT - HOUR),  # yesterday itself
    ],
)
def test_a_counter_that_can_be_honest_is_believed(
    pace: float, spent: float, minutes: int, used: datetime | None
) -> None:
    at = MIDNIGHT + minutes * MINUTE
    assert not stale_counter(yesterday(pace=pace), snapshot(spent, at, used=used))


def test_a_key_that_began_to_burn_before_midnight_is_believed_after_it() -> None:
    burning = yesterday(pace=600, high=150)
    assert not stale_counter(burning, snapshot(160, MIDNIGHT + 5 * MINUTE, used=AFTER))


def test_a_leak_passes_the_band_in_one_poll() -> None:
    """Half a thousand credits a minute from midnight on, watched every minute."""
    key = yesterday(pace=60)
    spent = [(n, 450.0 * n + 3) for n in range(1, 6)]
    held = [n for n, so_far in spent if stale_counter(key, snapshot(so_far, MIDNIGHT + n * MINUTE, used=AFTER))]
    assert held == [2]


def test_a_new_key_and_one_whose_spend_is_not_known_are_believed() -> None:
    unknown = snapshot(0, MIDNIGHT + MINUTE, used=BEFORE)._replace(spent=None)
    assert not stale_counter(yesterday(pace=60), unknown)
    assert not stale_counter(history(unknown._replace(taken_at=BEFORE)), snapshot(900, MIDNIGHT + MINUTE, used=BEFORE))
