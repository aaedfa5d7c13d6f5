"""What is told again over many polls: by the stored state alone, whatever restarts in between."""

from flowy_watch.actions import acknowledge, silence
from flowy_watch.core.route import Telling, Traits
from tests.builders import HOUR, MINUTE, NOON, route

from .rigs import Rig

POLL = 5 * MINUTE
HANDS_ON = Telling(
    (route("ops", repeat=HOUR, escalate_after=15 * MINUTE, escalate_to=("pager",)),),
    traits={"ops": Traits(changes=True, threads=True), "pager": Traits(tracks=True)},
)


def heard(rig: Rig) -> list[tuple[str, str, int]]:
    """Channel, change and minutes after noon of all that waits to be sent, oldest first."""
    with rig.store.read() as work:
        rows = [row for alert in work.alerts.all() for row in work.outbox.story(alert.id) if row.status == "waiting"]
    rows = sorted(rows, key=lambda row: row.seq)
    return [(row.channel, row.change, (row.created_at - NOON) // MINUTE) for row in rows if row.change != "updated"]


def spend(rig: Rig, first: int, last: int, *, spent: float = 97) -> None:
    """Polls from minute to minute, each by a process of its own."""
    for minute in range(first, last + 1, 5):
        rig.tell_by(HANDS_ON)
        rig.spend(NOON + minute * MINUTE, spent)


def test_an_alert_is_repeated_and_handed_on_whatever_restarts_in_between(rig: Rig) -> None:
    spend(rig, 0, 130)
    assert heard(rig) == [
        ("ops", "opened", 0),
        ("pager", "repeated", 15),
        ("ops", "repeated", 60),
        ("ops", "repeated", 120),
    ]


def test_an_acknowledgement_stops_it_and_is_heard_where_it_was_handed_on(rig: Rig) -> None:
    spend(rig, 0, 20)
    acknowledge(rig.store, 1, by="ana", why="", until=None, telling=HANDS_ON, now=NOON + 20 * MINUTE)
    spend(rig, 25, 180)
    assert heard(rig)[2:] == [("ops", "acknowledged", 20), ("pager", "acknowledged", 20)]


def test_a_silence_holds_it_and_its_end_tells_it_once(rig: Rig) -> None:
    spend(rig, 0, 20)
    until = NOON + 90 * MINUTE
    silence(rig.store, "render", until=until, kind="", by="ana", why="", now=NOON + 22 * MINUTE)
    spend(rig, 25, 100)
    assert heard(rig)[2:] == [("ops", "repeated", 90)]
    assert rig.notes()[-1] == "silence 1 on render by ana has ended and it is still open"


def test_what_is_told_as_worse_is_handed_on_from_then(rig: Rig) -> None:
    spend(rig, 0, 30, spent=85)
    spend(rig, 35, 60, spent=97)
    assert heard(rig) == [("ops", "opened", 0), ("ops", "escalated", 35), ("pager", "repeated", 50)]
