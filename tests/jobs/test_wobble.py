"""What comes and goes is told twice at most, says that it flaps, and ends in its true state."""

import pytest

from flowy_watch import actions
from flowy_watch.core.alert import Alert
from flowy_watch.store import Store
from tests.builders import HOUR, MINUTE, NOON, snapshot

from .rigs import TELLING, Rig

POLL = 5 * MINUTE
MINUTES = 240


def alerts(rig: Rig) -> list[Alert]:
    with rig.store.read() as work:
        return work.alerts.all()


def changes(rig: Rig, alert_id: int = 1) -> list[str]:
    with rig.store.read() as work:
        return [row.change for row in work.alerts.story(alert_id)]


def told(rig: Rig) -> list[str]:
    return [change for _, change, _ in rig.told()]


def balances(rig: Rig, low_every: int = 12) -> None:
    """A balance that is low for half of every `low_every` minutes of four hours, read every two minutes."""
    rig.poll(NOON - POLL, snapshot(), balance=10_000)
    for minute in range(0, MINUTES, 2):
        low = minute % low_every < low_every / 2
        rig.poll(NOON + minute * MINUTE, snapshot(), balance=300 if low else 600)


def test_a_balance_that_crosses_its_line_forty_times_in_four_hours_is_two_messages(store: Store) -> None:
    rig = Rig(store, "balance")
    balances(rig)
    (alert,) = alerts(rig)
    assert (told(rig), alert.wobble.back) == (["opened"], 19)
    assert alert.wobble.flapping_since is not None
    assert changes(rig) == ["opened", "flapping"]
    for minutes in (10, 60, 119, 125):
        rig.poll(NOON + (MINUTES + minutes) * MINUTE, snapshot(), balance=600)
    assert (told(rig), rig.unresolved()) == (["opened", "resolved"], [])
    with store.read() as work:
        assert work.alerts.story(1)[-1].why.startswith("Flapping: it came back 19 times, since ")


def test_a_key_whose_cap_is_crossed_forty_times_in_four_hours_is_two_messages(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.spend(NOON - POLL, 50)
    for minute in range(0, MINUTES, 2):
        rig.spend(NOON + minute * MINUTE, 85, cap=100 if minute % 12 < 6 else 200)
    assert (told(rig), changes(rig)) == (["opened"], ["opened", "flapping"])
    rig.spend(NOON + 6 * HOUR, 85, cap=200)
    rig.spend(NOON + 7 * HOUR, 85, cap=200)
    assert (told(rig), rig.unresolved()) == (["opened", "resolved"], [])


def test_worse_is_told_whatever_flaps(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.spend(NOON - POLL, 50)
    for minute in range(0, 100, 2):
        rig.spend(NOON + minute * MINUTE, 85, cap=100 if minute % 12 < 6 else 200)
    rig.spend(NOON + 100 * MINUTE, 96)
    assert told(rig) == ["opened", "escalated"]


def test_what_ended_a_short_while_ago_and_is_found_again_is_the_same_alert_and_told(store: Store) -> None:
    rig = Rig(store, "balance")
    rig.poll(NOON - POLL, snapshot(), balance=10_000)
    for minute, balance in ((0, 300), (5, 600), (31, 600), (90, 300), (95, 600), (130, 600), (180, 600), (216, 600)):
        rig.poll(NOON + minute * MINUTE, snapshot(), balance=balance)
    assert told(rig) == ["opened", "resolved", "reopened", "resolved"]
    assert (changes(rig), len(alerts(rig))) == (["opened", "resolved", "reopened", "resolved"], 1)


def test_what_ended_long_ago_or_by_hand_is_a_new_alert(store: Store) -> None:
    rig = Rig(store, "balance")
    rig.poll(NOON - POLL, snapshot(), balance=10_000)
    for minute, balance in ((0, 300), (5, 600), (31, 600), (31 + 241, 300)):
        rig.poll(NOON + minute * MINUTE, snapshot(), balance=balance)
    actions.resolve(rig.store, 2, by="ana", why="", telling=TELLING, now=NOON + 5 * HOUR)
    rig.poll(NOON + 5 * HOUR + MINUTE, snapshot(), balance=300)
    assert [alert.id for alert in alerts(rig)] == [3, 2, 1]


def test_blindness_that_comes_and_goes_is_four_messages_at_most(store: Store) -> None:
    rig = Rig(store, "blind")
    for n in range(80):
        if n % 4:
            rig.fail(NOON + n * POLL)
        else:
            rig.spend(NOON + n * POLL, 1)
    for n in range(80, 90):
        rig.spend(NOON + n * POLL, 1)
    assert told(rig) == ["opened", "resolved", "reopened", "resolved"]
    assert rig.unresolved() == []


def test_a_cap_day_that_ends_ends_a_flapping_alert_with_it(store: Store) -> None:
    rig = Rig(store, "cap")
    for minute in range(0, 60, 2):
        rig.spend(NOON + 11 * HOUR + minute * MINUTE, 85, cap=100 if minute % 12 < 6 else 200)
    rig.spend(NOON + 12 * HOUR + POLL, 0)
    assert (told(rig), rig.unresolved()) == (["opened"], [])


@pytest.mark.parametrize("kind", ["spike", "ramp", "last_used", "safeguard"])
def test_what_rests_on_a_span_of_time_does_not_flap(kind: str) -> None:
    from tests.builders import alert

    assert not alert(kind).life.flaps
