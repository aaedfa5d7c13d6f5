"""What a press does: the same as the command."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.actions import resolve
from flowy_watch.core.press import Press, Until, Verb
from flowy_watch.core.route import Telling, Traits
from flowy_watch.errors import NotFound
from flowy_watch.ledger import Ledger
from flowy_watch.presses import end_of, pressed
from tests.builders import DAY, MIDNIGHT, NOON, opened, route

from .rigs import Rig

TELLING = Telling((route("ops", "mail"),), traits={"ops": Traits(changes=True)})
ANA = "slack:ana (U0ANA)"
MADRID = ZoneInfo("Europe/Madrid")


@pytest.fixture
def told(rig: Rig) -> Rig:
    """An alert that both channels were told of."""
    rig.tell_by(TELLING)
    rig.spend(NOON, 85)
    return rig


def press(rig: Rig, verb: Verb, number: int = 1, until: Until = Until.DAY) -> str:
    wanted = Press(verb, number, ANA, until)
    return pressed(rig.store, wanted, telling=TELLING, timezone=MADRID, open_ledger=no_ledger, now=NOON)


def no_ledger() -> Ledger:
    raise AssertionError("nothing was to be blocked")


def test_acknowledge_says_who_and_changes_the_message(told: Rig) -> None:
    assert press(told, Verb.ACKNOWLEDGE) == ""
    assert told.told()[2:] == [("cap", "acknowledged", 80)]
    with told.store.read() as work:
        assert [(row.change, row.by) for row in work.alerts.story(1)] == [("opened", ""), ("acknowledged", ANA)]


def test_silence_covers_the_key_for_a_day_and_the_message_says_so(told: Rig) -> None:
    assert press(told, Verb.SILENCE) == ""
    assert told.told()[2:] == [("cap", "silenced", 80)]
    with told.store.read() as work:
        (made,) = work.alerts.silences(NOON)
    assert (made.pattern, made.until, made.by) == ("key_1", NOON + DAY, ANA)


def test_who_revoked_it_is_noted_and_the_stop_is_checked(told: Rig) -> None:
    assert press(told, Verb.STOP) == ""
    with told.store.read() as work:
        story = work.alerts.story(1)
    assert (story[-1].by, story[-1].change != "opened") == (ANA, True)


def test_what_cannot_be_expected_is_noted_and_said(told: Rig) -> None:
    said = press(told, Verb.EXPECT, until=Until.MIDNIGHT)

    assert said == "Noted until 2026-03-03 00:00 UTC. Alert 1 itself cannot be expected: acknowledge it."
    with told.store.read() as work:
        (made,) = work.alerts.silences(NOON)
    assert (made.expected, made.until) == (True, MIDNIGHT)


def test_whoever_expects_it_hears_up_to_which_amount(rig: Rig) -> None:
    rig.tell_by(TELLING)
    rig.spend(NOON, 100, cap=9000)
    with rig.store.write() as work:
        work.alerts.record([opened("spike", id=0, key_id="key_1", key_name="render")])
    assert press(rig, Verb.EXPECT, until=Until.MIDNIGHT) == (
        "Expected until 2026-03-03 00:00 UTC, up to 100 credits a UTC day; beyond 150 you are told."
        " For another amount: `flowy-watch expect KEY --until TIME --credits N`."
    )


@pytest.mark.parametrize("verb", [Verb.ACKNOWLEDGE, Verb.SILENCE, Verb.EXPECT])
def test_an_alert_that_is_over_or_never_was_is_answered_politely(told: Rig, verb: Verb) -> None:
    with pytest.raises(NotFound, match="there is no alert 7"):
        press(told, verb, 7)
    resolve(told.store, 1, by="ana", why="", telling=TELLING, now=NOON)
    with pytest.raises(NotFound, match="alert 1 is over already"):
        press(told, verb)
    with told.store.read() as work:
        assert work.alerts.silences(NOON) == []


@pytest.mark.parametrize(
    ("now", "friday"),
    [
        ("2026-11-25T12:00", "2026-11-27T17:00"),
        ("2026-11-27T16:59", "2026-11-27T17:00"),
        ("2026-11-27T17:00", "2026-12-04T17:00"),
        ("2026-03-27T17:30", "2026-04-03T16:00"),  # the clocks change in between
    ],
)
def test_friday_is_the_next_evening_of_one_where_people_are(now: str, friday: str) -> None:
    at, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, friday))
    assert end_of(Until.FRIDAY, timezone=MADRID, now=at) == end
