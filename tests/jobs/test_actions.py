"""What people start, and who hears of it: in the same transaction."""

import pytest

from flowy_watch.actions import acknowledge, expect, resolve
from flowy_watch.core.route import Telling, Traits
from tests.builders import HOUR, NOON, route

from .rigs import Rig

TELLING = Telling((route("ops", "mail"),), traits={"ops": Traits(changes=True)})


@pytest.fixture
def told(rig: Rig) -> Rig:
    """An alert that both channels were told of."""
    rig.tell_by(TELLING)
    rig.spend(NOON, 85)
    return rig


def test_an_acknowledgement_is_shown_where_it_can_be_and_mail_hears_nothing(told: Rig) -> None:
    acknowledge(told.store, 1, by="ana", why="mine", until=None, telling=TELLING, now=NOON)

    assert told.told()[2:] == [("cap", "acknowledged", 80)]
    assert told.withheld() == [("acknowledged", "mail cannot change a message, and this is no news for it")]


def test_what_somebody_ends_is_told_to_those_who_were_told_of_it(told: Rig) -> None:
    resolve(told.store, 1, by="ana", why="", telling=TELLING, now=NOON)

    assert told.told()[2:] == [("cap", "resolved", 80)] * 2


def test_what_was_never_told_ends_by_hand_without_a_word(rig: Rig) -> None:
    rig.spend(NOON, 85)
    other = Telling((route("elsewhere"),))
    resolve(rig.store, 1, by="ana", why="", telling=other, now=NOON)

    assert rig.told() == [("cap", "opened", 80), ("cap", "resolved", 80)]
    assert rig.withheld() == [("resolved", "elsewhere was never told of it")]


def test_an_expectation_is_shown_by_the_alerts_that_it_takes_on(rig: Rig) -> None:
    rig.tell_by(TELLING)
    rig.spend(NOON, 85)
    _, taken = expect(rig.store, "render", until=NOON + HOUR, at_most=None, by="ana", why="", telling=TELLING, now=NOON)
    assert (taken, rig.told()[2:]) == ([], [])  # a cap runs out all the same
