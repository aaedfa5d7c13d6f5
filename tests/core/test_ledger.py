"""Whether the balance falls by what the keys spend."""

import json

from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.ledger import Ledger
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON

POLL = 5 * MINUTE


def ledger(*steps: tuple[int, int | None]) -> Ledger:
    """Spend and balance of polls from noon on."""
    made = Ledger()
    for n, (spent, balance) in enumerate(steps):
        made.add(NOON + n * POLL, spent, balance, whole=True)
    return made


def test_a_fall_that_the_keys_explain_leaves_nothing() -> None:
    made = ledger((0, 1000), (30, 970), (0, 970), (70, 900))
    assert (made.fell, made.unexplained) == (100, 0)


def test_what_no_key_spent_is_left() -> None:
    assert ledger((0, 1000), (30, 900), (0, 850)).unexplained == 120


def test_spend_that_is_booked_a_poll_later_evens_out() -> None:
    assert ledger((0, 1000), (0, 960), (40, 960)).unexplained == 0


def test_a_top_up_is_left_out_with_its_interval() -> None:
    made = ledger((0, 1000), (50, 5950), (20, 5930))
    assert (made.fell, made.unexplained) == (20, 0)


def test_a_poll_without_a_balance_waits_for_the_next() -> None:
    assert ledger((0, 1000), (50, None), (10, 940)).unexplained == 0


def test_a_key_seen_for_the_first_time_is_no_evidence() -> None:
    made = ledger((0, 1000))
    made.add(NOON + POLL, 0, 400, whole=False)
    assert made.unexplained == 0


def test_midnight_is_left_out_and_ends_the_day() -> None:
    made = Ledger()
    for at, spent, balance in (
        (MIDNIGHT - 2 * POLL, 0, 1000),
        (MIDNIGHT - POLL, 10, 900),
        (MIDNIGHT + POLL, 5, 700),
        (MIDNIGHT + 2 * POLL, 5, 695),
    ):
        made.add(at, spent, balance, whole=True)
    assert (made.usual, made.unexplained, made.fell) == ([90], 90, 105)


def test_what_is_older_than_a_day_is_forgotten() -> None:
    made = ledger((0, 1000), (0, 900))
    made.add(NOON + DAY + HOUR, 0, 900, whole=True)
    made.add(NOON + DAY + HOUR + POLL, 10, 890, whole=True)
    assert made.unexplained == 0


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 2000) | st.none()), max_size=20), st.integers(0, 20))
def test_a_ledger_from_storage_goes_on_like_the_original(steps: list[tuple[int, int | None]], at: int) -> None:
    through = Ledger()
    for n, (spent, balance) in enumerate(steps):
        if n == at:
            through = Ledger.load(json.loads(json.dumps(through.dump())))
        through.add(NOON + n * POLL, spent, balance, whole=True)
    assert through == ledger(*steps)
