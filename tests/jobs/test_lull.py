"""A channel that was down does not ring about what is not there any more, and hears of it when it is back."""

from collections.abc import Iterator

import pytest

from flowy_watch.simulator.people import FakeSlack
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON

from .outbox_rig import SetClock
from .rigs import Rig
from .test_slack_delivery import delivery

PASSED = "1 alert came and went while this channel could not be reached"
TOLD = "WARNING render is at 85 % of its daily cap (85 of 100 credits)"
AGAIN = "STILL WARNING: render is at 85 % of its daily cap (85 of 100 credits)"


class Ops:
    """A cap alert of one key, told in vain at noon; each later look is a poll and what is sent after it."""

    def __init__(self, store: Store, slack: FakeSlack) -> None:
        self.rig, self.slack, self.clock = Rig(store, "cap"), slack, SetClock()
        self.sender = delivery(store, slack, self.clock)
        self.rig.spend(NOON - MINUTE, 50)
        slack.fail(503)
        self.look(0, cap=100)

    def look(self, minute: int, *, cap: float) -> list[str]:
        """What Slack has been posted by then."""
        self.clock.at = NOON + minute * MINUTE
        self.rig.spend(self.clock.at, 85, cap=cap)
        self.sender.send_due()
        return [post.text for post in self.slack.posts]


@pytest.fixture
def ops(store: Store) -> Iterator[Ops]:
    with FakeSlack() as slack:
        yield Ops(store, slack)


def test_what_went_away_while_a_channel_was_down_is_a_line_and_its_end_no_news(ops: Ops) -> None:
    assert ops.look(5, cap=1000) == [PASSED]
    assert ops.rig.unresolved() == ["cap"]
    assert [ops.look(minute, cap=1000) for minute in (20, 36)] == [[PASSED]] * 2
    assert ops.rig.unresolved() == []
    assert ops.rig.withheld()[-1] == ("resolved", "ops was told that it came and went")


def test_what_is_back_after_that_line_is_told_once(ops: Ops) -> None:
    assert ops.look(5, cap=1000) == [PASSED]
    assert [ops.look(minute, cap=100) for minute in (10, 15)] == [[PASSED, AGAIN]] * 2


def test_what_is_back_before_the_channel_is_is_told_as_if_it_had_never_been_away(ops: Ops) -> None:
    ops.slack.fail(503)
    assert ops.look(5, cap=1000) == []
    assert ops.look(10, cap=100) == [TOLD]


def test_what_was_to_be_told_along_and_still_matters_is_told_by_itself(store: Store) -> None:
    rig, clock = Rig(store, "cap", "safeguard"), SetClock()
    with FakeSlack() as slack:
        sender = delivery(store, slack, clock)
        rig.spend(NOON - MINUTE, 10)
        slack.fail(503)
        clock.at = NOON
        rig.spend(NOON, 170, cap=200)
        sender.send_due()
        assert (slack.posts, rig.told()) == ((), [("cap", "opened", 80)])

        clock.at += 5 * MINUTE
        rig.spend(clock.at, 200, cap=1000)
        for _ in range(4):
            sender.send_due()
            clock.at += MINUTE
        raised = "INFO render has its daily cap raised from {} credits a day to {} credits a day"
        assert [post.text for post in slack.posts] == [
            raised.format("200", "1,000"),
            raised.format("100", "200"),
            PASSED,
        ]
    assert ("opened", "told with alert 1, which is about the same key") in rig.withheld()
