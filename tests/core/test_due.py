"""What is due on an alert to which nothing happened, and what holds it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import pytest

from flowy_watch.core.alert import Alert, Change, Shown, Status, Transition
from flowy_watch.core.finding import Finding, Severity, Stakes
from flowy_watch.core.notification import Past, Told
from flowy_watch.core.plan import MOST_UPDATES, Plan, plan
from flowy_watch.core.route import Route, Telling, Traits
from flowy_watch.core.silence import Silence
from tests.builders import DAY, HOUR, MINUTE, NOON, alert, credit, opened, route, silence

REPEATS = route("ops", repeat=4 * HOUR)
ESCALATES = route("ops", escalate_after=15 * MINUTE, escalate_to=("pager",))
SLACK = Traits(changes=True, threads=True)
PAGER = Traits(tracks=True)


def standing(kind: str = "balance", *, told_at: datetime = NOON, **more: object) -> Alert:
    """Open, and told at its level at noon."""
    given = {"told_level": 1, "told_at": told_at, "severity": Severity.CRITICAL} | more
    return alert(kind, **given)


def due(
    *alerts: Alert,
    after: timedelta,
    routes: Iterable[Route] = (REPEATS,),
    past: Past | None = None,
    silences: Iterable[Silence] = (),
    traits: Mapping[str, Traits] | None = None,
    knows: bool = True,
) -> Plan:
    known = {each.id: {"ops": Told(NOON, stands=True)} for each in alerts} if past is None else past
    return plan(
        (),
        alerts,
        telling=Telling(tuple(routes), traits=traits or {}),
        silences=silences,
        past=lambda alert_ids: {number: known[number] for number in alert_ids if number in known},
        knowable=lambda finding: knows,
        now=NOON + after,
    )


def lines(of: Plan) -> list[tuple[str, str, str]]:
    return [(n.channel, n.change.value, n.withheld or n.note) for n in of.notifications]


AGAIN = ("ops", "repeated", "nobody has acknowledged this; it is told again every 4 h")
HANDED = ("pager", "repeated", "nobody has acknowledged this in 15 min; ops was told first")


def test_by_default_an_open_alert_is_told_once() -> None:
    assert due(standing(), after=365 * DAY, routes=[route("ops")]) == Plan((), ())


def test_an_open_alert_is_told_again_so_often_and_reckoned_from_the_last_time() -> None:
    assert lines(due(standing(), after=4 * HOUR - MINUTE)) == []
    assert lines(due(standing(), after=4 * HOUR)) == [AGAIN]
    told = {1: {"ops": Told(NOON + 4 * HOUR)}}
    assert lines(due(standing(), after=8 * HOUR - MINUTE, past=told)) == []
    assert lines(due(standing(), after=8 * HOUR, past=told)) == [AGAIN]


def test_a_channel_that_cannot_be_reached_is_not_flooded_with_repeats() -> None:
    died = {1: {"ops": Told(NOON + 4 * HOUR, reached=False)}}
    assert lines(due(standing(), after=5 * HOUR, past=died)) == []


def test_of_two_routes_to_a_channel_the_more_frequent_counts() -> None:
    of = due(standing(), after=HOUR, routes=[REPEATS, route("ops", repeat=HOUR)])
    assert [channel for channel, _, _ in lines(of)] == ["ops"]


def test_a_critical_alert_that_nobody_acknowledged_is_handed_on_once() -> None:
    assert lines(due(standing(), after=14 * MINUTE, routes=[ESCALATES])) == []
    assert lines(due(standing(), after=15 * MINUTE, routes=[ESCALATES])) == [HANDED]
    heard = {1: {"ops": Told(NOON), "pager": Told(NOON + 15 * MINUTE)}}
    assert lines(due(standing(), after=365 * DAY, routes=[ESCALATES], past=heard)) == []


def test_only_what_is_critical_is_handed_on_and_again_when_it_is_told_as_worse() -> None:
    assert lines(due(standing(severity=Severity.WARNING), after=DAY, routes=[ESCALATES])) == []
    heard = {1: {"ops": Told(NOON + HOUR), "pager": Told(NOON + 15 * MINUTE)}}
    worse = standing(told_at=NOON + HOUR)
    assert lines(due(worse, after=75 * MINUTE, routes=[ESCALATES], past=heard)) == [HANDED]


def test_a_channel_that_both_are_due_on_hears_once() -> None:
    both = route("ops", repeat=15 * MINUTE, escalate_after=15 * MINUTE, escalate_to=("ops", "pager"))
    of = due(standing(), after=15 * MINUTE, routes=[both], past={1: {"ops": Told(NOON - MINUTE)}})
    assert [channel for channel, _, _ in lines(of)] == ["ops", "pager"]


def test_a_reminder_keeps_the_time_since_which_it_is_reckoned() -> None:
    [after] = due(standing(), after=4 * HOUR).settled
    assert (after.told_at, after.told_level, after.shown) == (NOON, 1, Shown(NOON + 4 * HOUR, "balance at 1"))


@pytest.mark.parametrize("stopped", ["acknowledged", "silenced"])
def test_who_looks_after_it_stops_reminders(stopped: str) -> None:
    one = standing(status=Status.ACKNOWLEDGED) if stopped == "acknowledged" else standing()
    quiet = [silence(until=NOON + DAY)] if stopped == "silenced" else []
    of = due(one, after=5 * HOUR, routes=[REPEATS, ESCALATES], silences=quiet)
    assert of.notifications == ()


def test_what_was_told_before_a_silence_and_is_open_after_it_is_told_once_more() -> None:
    [held] = due(standing(), after=HOUR, silences=[silence(until=NOON + 2 * HOUR)]).settled
    assert held.held_by == "silence 1 on *"
    of = due(held, after=2 * HOUR, routes=[route("ops")])
    assert lines(of) == [("ops", "repeated", "silence 1 on * has ended and it is still open")]
    [told] = of.settled
    assert due(told, after=3 * HOUR, routes=[route("ops")]).notifications == ()


# ── blindness ────────────────────────────────────────────────────────────────────────────────────────────────────


def blind(what: str = "no_poll") -> Alert:
    given = {"key_id": None, "key_name": "", "facts": {"what": what}}
    return standing("blind", id=9, told_at=NOON + 5 * HOUR, **given)


HELD = ("", "repeated", "inhibited by alert 9: nothing new is known of it")


def test_blindness_holds_reminders_with_one_line_and_lets_them_go_when_it_ends() -> None:
    of = due(blind(), standing(), after=5 * HOUR, knows=False)
    assert lines(of) == [HELD]
    [held] = of.settled
    assert due(blind(), held, after=6 * HOUR, knows=False).notifications == ()
    assert lines(due(held, after=7 * HOUR)) == [("ops", "repeated", "alert 9 has ended and it is still open")]


def test_blindness_holds_only_what_it_makes_unknowable() -> None:
    assert lines(due(blind(), standing(), after=5 * HOUR, knows=True)) == [AGAIN]
    assert lines(due(blind("frozen"), standing(), after=5 * HOUR, knows=True)) == [HELD]


def test_blindness_itself_is_repeated_and_handed_on() -> None:
    of = due(blind(), after=9 * HOUR, routes=[REPEATS, ESCALATES], knows=False)
    assert lines(of) == [HANDED, AGAIN]


# ── figures that moved ───────────────────────────────────────────────────────────────────────────────────────────


def spent(amount: float, *, before: float = 100, title: str = "as it was", **more: object) -> Alert:
    stakes = Stakes(credit(amount), credit(1), NOON + DAY)
    shown = Shown(NOON, "as it was", credit(before))
    return standing("spike", stakes=stakes, title=title, shown=shown, **more)


def updates(*alerts: Alert, after: timedelta = HOUR, **more: object) -> list[str]:
    of = due(*alerts, after=after, routes=[route("ops", "mail")], traits={"ops": SLACK}, **more)  # type: ignore[arg-type]
    assert all(n.change is Change.UPDATED and n.manner == "in_place_only" for n in of.notifications)
    return [n.channel for n in of.notifications]


def test_figures_that_moved_bring_a_message_up_to_date_and_are_no_word_anywhere_else() -> None:
    both = {1: {"ops": Told(NOON, stands=True), "mail": Told(NOON, stands=True)}}
    assert updates(spent(110), past=both) == ["ops"]
    assert updates(spent(90)) == ["ops"]
    assert updates(spent(109)) == []
    assert updates(spent(100, title="is at 40 %")) == ["ops"]
    assert updates(spent(5, before=0)) == ["ops"]


def test_a_message_is_brought_up_to_date_every_quarter_of_an_hour_at_most() -> None:
    assert updates(spent(200), after=14 * MINUTE) == []
    of = due(spent(200), after=15 * MINUTE, traits={"ops": SLACK})
    assert [each.shown for each in of.settled] == [Shown(NOON + 15 * MINUTE, "as it was", credit(200))]


def test_figures_do_not_change_a_message_that_does_not_stand_or_says_that_somebody_looks_after_it() -> None:
    assert updates(spent(200), past={1: {"ops": Told(NOON)}}) == []
    assert updates(spent(200, status=Status.ACKNOWLEDGED)) == []
    assert updates(spent(200), silences=[silence(until=NOON + DAY)]) == []
    assert updates(spent(200), blind("frozen")) == []


def test_in_a_storm_the_worst_are_brought_up_to_date_first_and_the_rest_later() -> None:
    many = [spent(200, id=number, key_id=f"key_{number}") for number in range(1, 101)]
    assert len(updates(*many)) == MOST_UPDATES


# ── a cap beside a spike ─────────────────────────────────────────────────────────────────────────────────────────


def capped(level: int = 80, *, traits: dict[str, Traits] | None = None, **more: object) -> Plan:
    spike = standing("spike", **more)
    return plan(
        [opened("cap", level, id=2)],
        [spike],
        telling=Telling((route("ops", "mail"),), traits=traits or {"ops": SLACK}),
        silences=(),
        past=lambda _: {1: {"ops": Told(NOON, stands=True), "mail": Told(NOON, stands=True)}},
        now=NOON,
    )


def test_a_cap_beside_a_critical_spike_is_a_line_in_its_thread() -> None:
    of = capped()
    assert [(n.channel, n.manner.value, n.about, n.withheld) for n in of.notifications] == [
        ("ops", "thread", 1, ""),
        ("mail", "post", 1, ""),
    ]
    assert [(each.id, each.told_level, each.held_by) for each in of.settled] == [(2, 80, "")]


def test_a_cap_that_grows_beside_a_spike_is_brought_up_to_date_where_it_was_told_by_itself() -> None:
    worse = Transition(alert("cap", 95, id=2, told_level=80), Change.ESCALATED, NOON)
    told = {"ops": Told(NOON, stands=True), "mail": Told(NOON, stands=True)}
    of = plan(
        [worse],
        [standing("spike")],
        telling=Telling((route("ops", "mail"),), traits={"ops": SLACK}),
        silences=(),
        past=lambda asked: dict.fromkeys(asked, told),
        now=NOON,
    )
    assert [(n.channel, n.change.value, n.manner.value, n.about) for n in of.notifications] == [
        ("ops", "escalated", "thread", 1),
        ("mail", "escalated", "post", 1),
        ("ops", "updated", "in_place_only", 0),
    ]


def test_a_cap_that_nobody_was_told_beside_a_spike_waits_for_its_end() -> None:
    of = capped(traits={"ops": PAGER, "mail": PAGER})
    assert {n.withheld for n in of.notifications} == {"inhibited by alert 1, a critical spike of the same key"}
    assert [(each.id, each.told_level, each.held_by) for each in of.settled] == [(2, 0, "alert 1")]


@pytest.mark.parametrize(
    "spike",
    [{"severity": Severity.WARNING}, {"told_level": 0}, {"key_id": "key_2"}],
    ids=["no critical one", "one that nobody was told of", "one of another key"],
)
def test_a_cap_beside_a_lesser_spike_is_told(spike: dict[str, object]) -> None:
    assert [each.held_by for each in capped(**spike).settled if each.id == 2] == [""]


def test_that_runs_are_refused_from_now_on_is_told_whatever_spent_the_cap() -> None:
    assert [n.withheld for n in capped(100).notifications] == ["", ""]


def test_a_cap_is_told_when_the_spike_that_held_it_back_has_ended() -> None:
    cap = alert("cap", 80, id=2, held_by="alert 1")
    assert due(standing("spike"), cap, after=HOUR, routes=[route("ops")]).notifications == ()
    of = due(cap, after=HOUR, routes=[route("ops")])
    assert lines(of) == [("ops", "repeated", "alert 1 has ended and it is still open")]


def test_a_cap_that_something_else_held_back_until_now_is_held_by_the_spike_beside_it() -> None:
    cap = alert("cap", 80, id=2, held_by="alert 9")
    of = due(standing("spike"), cap, after=HOUR, routes=[route("ops")])
    assert ([each.held_by for each in of.settled if each.id == 2], of.notifications) == (["alert 1"], ())


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("owners", "owner", "taken"),
    [
        (("media-*",), "media-team", True),
        (("media-*", "ana"), "ana", True),
        (("media-*",), "", False),
        (("*",), "", True),
        ((), "", True),
    ],
)
def test_a_route_takes_what_its_owners_own(owners: tuple[str, ...], owner: str, taken: bool) -> None:
    of = plan(
        [opened()],
        telling=Telling((route("ops", owners=owners),), lambda key_id, name: owner),
        silences=(),
        past=lambda _: {},
        now=NOON,
    )
    assert [not n.withheld for n in of.notifications] == [taken]


def test_reminders_ask_for_what_was_told_of_few_alerts() -> None:
    asked: list[int] = []

    def past(alert_ids: Iterable[int]) -> Past:
        asked.extend(alert_ids)
        return {}

    def knows(finding: Finding) -> bool:
        return True

    alerts = [standing(id=number, told_at=NOON - number * HOUR) for number in range(1, 6)]
    plan((), alerts, telling=Telling((REPEATS,)), silences=(), past=past, knowable=knows, now=NOON)
    assert asked == [4, 5]
