"""Who is told what, and why somebody is not."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from flowy_watch.core.alert import Alert, Change, Shown, Status, Transition
from flowy_watch.core.finding import Severity
from flowy_watch.core.notification import Manner, Notification, Past, Told
from flowy_watch.core.plan import Plan, plan
from flowy_watch.core.route import Route, Telling, Traits
from flowy_watch.core.silence import Silence
from tests.builders import HOUR, NOON, alert, opened, route, silence


def planned(
    *transitions: Transition,
    waiting: Iterable[Alert] = (),
    routes: Iterable[Route] = (route("ops"),),
    silences: Iterable[Silence] = (),
    heard: Mapping[int, Iterable[str]] | None = None,
    **traits: Traits,
) -> Plan:
    telling = Telling(tuple(routes), lambda key_id, name: f"{name} team", traits)
    channels = {1: ["ops"]} if heard is None else heard
    known = {number: {name: Told(NOON - HOUR, stands=True) for name in names} for number, names in channels.items()}

    def past(alert_ids: Iterable[int]) -> Past:
        return {number: known[number] for number in alert_ids if number in known}

    return plan(transitions, waiting, telling=telling, silences=silences, past=past, now=NOON)


def levels(of: Plan) -> list[tuple[int, int]]:
    """Each alert whose record changed, and the level that it was told at."""
    return [(each.id, each.told_level) for each in of.settled]


def told(of: Plan) -> list[str]:
    return [n.channel for n in of.notifications if not n.withheld]


def only(of: Plan) -> Notification:
    (notification,) = of.notifications
    return notification


def resolved(kind: str, **more: object) -> Transition:
    ended = alert(kind, status=Status.RESOLVED, resolved_at=NOON, **{"told_level": 1} | more)
    return Transition(ended, Change.RESOLVED, NOON)


def test_an_opening_is_told_on_its_route_with_the_owner_and_is_settled() -> None:
    opening = opened()
    of = planned(opening)

    assert only(of) == Notification("ops", Change.OPENED, opening.alert, NOON, owner="render team")
    shown = Shown(NOON, "cap at 1")
    assert of.settled == (replace(opening.alert, told_level=1, told_at=NOON, shown=shown),)


def test_each_channel_hears_once_in_the_order_of_the_routes() -> None:
    assert told(planned(opened(), routes=(route("ops", "mail"), route("mail", "hook")))) == ["ops", "mail", "hook"]


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ({}, True),
        ({"severities": frozenset({Severity.WARNING})}, True),
        ({"severities": frozenset({Severity.CRITICAL})}, False),
        ({"kinds": frozenset({"cap", "spike"})}, True),
        ({"kinds": frozenset({"blind"})}, False),
        ({"keys": ("ren*",)}, True),
        ({"keys": ("other", "key_1")}, True),
        ({"keys": ("prod-*",)}, False),
        ({"kinds": frozenset({"cap"}), "keys": ("prod-*",)}, False),
    ],
)
def test_a_route_takes_what_all_its_selectors_name(selector: dict[str, object], taken: bool) -> None:
    assert told(planned(opened("cap"), routes=(route("ops", **selector),))) == ["ops"] * taken


def test_a_route_for_keys_does_not_take_what_belongs_to_no_key() -> None:
    assert told(planned(opened("balance", key_id=None, key_name=""), routes=(route(keys=("*",)),))) == []


def test_what_no_route_takes_is_withheld_with_that_reason() -> None:
    notification = only(planned(opened(), routes=()))

    assert (notification.channel, notification.withheld) == ("", "no route takes it")


def test_what_is_silenced_is_withheld_with_that_reason_and_held_by_it() -> None:
    of = planned(opened(), silences=[silence("render", until=NOON + HOUR, by="ana")])

    assert only(of).withheld == "silence 1 on render by ana until 2026-03-02 13:00 UTC"
    assert [(each.told_level, each.held_by) for each in of.settled] == [(0, "silence 1 on render by ana")]


def test_what_was_silenced_is_told_when_the_silence_ends() -> None:
    held = alert("spike", told_level=0, held_by="silence 1 on *")
    of = planned(waiting=[held], silences=[silence(until=NOON, created_at=NOON - HOUR)])

    note = "silence 1 on * has ended and it is still open"
    assert only(of) == Notification("ops", Change.REPEATED, held, NOON, "render team", note=note)
    assert [(each.told_level, each.held_by) for each in of.settled] == [(1, "")]


def test_what_is_still_silenced_goes_on_waiting() -> None:
    held = alert(held_by="silence 1 on *")
    assert planned(waiting=[held], silences=[silence()]) == Plan((), ())


def test_what_somebody_acknowledged_meanwhile_is_not_told_after_the_silence() -> None:
    assert planned(waiting=[alert(status=Status.ACKNOWLEDGED)]) == Plan((), ())


def test_news_of_one_key_are_one_message_under_the_worst() -> None:
    spike = opened("spike", id=2, severity=Severity.CRITICAL, title="spent a lot")
    moved = opened("last_used", id=3, title="was used")

    lead, folded = planned(moved, spike).notifications

    assert (lead.alert, lead.also, lead.withheld) == (spike.alert, ("was used",), "")
    assert (folded.alert, folded.withheld) == (moved.alert, "told with alert 2, which is about the same key")


def test_news_told_with_another_alert_of_the_key_bring_its_own_message_up_to_date() -> None:
    """Slack shows each alert's level where it was told; a program that keeps the state, and mail, hear it once."""
    worse = Transition(alert("cap", 95, told_level=80), Change.ESCALATED, NOON)
    spike = opened("spike", id=2, severity=Severity.CRITICAL)
    channels = [(n.alert.id, n.channel, n.change, n.manner) for n in planned(worse, spike, **ALL).notifications]

    assert [one for one in channels if one[0] == 1 and one[1] == "ops"] == [
        (1, "ops", Change.ESCALATED, Manner.POST),
        (1, "ops", Change.UPDATED, Manner.IN_PLACE_ONLY),
    ]
    assert [one[1] for one in channels if one[2] is Change.UPDATED] == ["ops"]


def test_what_a_silence_held_back_is_brought_up_to_date_where_it_was_told_before() -> None:
    held = alert("cap", 95, told_level=80, held_by="silence 1 on *")
    of = planned(opened("spike", id=2, severity=Severity.CRITICAL), waiting=[held], **ALL)
    never = planned(opened("spike", id=2, severity=Severity.CRITICAL), waiting=[held], **ALL | {"heard": {}})

    assert [n.channel for n in of.notifications if n.change is Change.UPDATED] == ["ops"]
    assert [n.channel for n in never.notifications if n.change is Change.UPDATED] == []


def test_of_equally_bad_news_the_cap_leads() -> None:
    lead, *_ = planned(opened("balance"), opened("spike"), opened("cap")).notifications

    assert (lead.alert.finding.kind, lead.also) == ("cap", ("balance at 1", "spike at 1"))


def test_news_of_two_keys_are_two_messages_and_all_are_settled() -> None:
    of = planned(opened("cap"), opened("cap", id=2, key_id="key_2"), opened("spike", id=3))

    assert (told(of), sorted(levels(of))) == (["ops", "ops"], [(1, 1), (2, 1), (3, 1)])


def test_news_of_one_key_for_two_channels_are_one_message_each() -> None:
    assert told(planned(opened("cap"), opened("spike"), routes=(route("ops", "mail"),))) == ["ops", "mail"]


def test_news_that_belong_to_no_key_are_never_folded() -> None:
    news = [opened(kind, key_id=None, key_name="") for kind in ("balance", "blind")]

    assert told(planned(*news)) == ["ops", "ops"]


def test_a_silenced_kind_is_not_told_beside_the_others_of_its_key() -> None:
    of = planned(opened("cap"), opened("spike"), silences=[silence(kind="spike")])

    assert [n.also for n in of.notifications if not n.withheld] == [()]


@pytest.mark.parametrize(
    ("kind", "manner"),
    [
        ("spike", Manner.IN_PLACE),
        ("balance", Manner.IN_PLACE),
        ("last_used", Manner.IN_PLACE),
        ("blind", Manner.POST),
    ],
)
def test_an_end_is_told_quietly_except_that_the_watcher_sees_again(kind: str, manner: Manner) -> None:
    notification = only(planned(resolved(kind)))

    assert (notification.channel, notification.change, notification.manner) == ("ops", Change.RESOLVED, manner)


@pytest.mark.parametrize("kind", ["cap", "safeguard"])
def test_an_end_by_the_calendar_is_not_told(kind: str) -> None:
    assert only(planned(resolved(kind))).withheld == "it ended by the calendar, which is no news"


def test_the_end_of_what_was_never_told_is_not_told() -> None:
    assert only(planned(resolved("spike", told_level=0))).withheld == "it was never told, so its end is no news"


def test_the_end_of_what_is_silenced_now_is_not_told() -> None:
    assert only(planned(resolved("spike"), silences=[silence("ren*")])).withheld.startswith("silence 1 on ren*")


def test_an_end_settles_nothing_and_is_not_folded_into_news() -> None:
    news = opened("cap")
    of = planned(resolved("spike"), news)

    assert (told(of), levels(of)) == (["ops", "ops"], [(1, 1)])


def test_every_transition_leaves_a_line_in_the_story() -> None:
    news = [opened("cap"), opened("spike"), resolved("safeguard"), opened("cap", key_id="key_2", key_name="x")]
    of = planned(*news, routes=(route(keys=("render",)),), silences=[silence(kind="spike")])

    assert {n.alert.fingerprint for n in of.notifications} == {t.alert.fingerprint for t in news}


def test_an_escalation_under_a_silence_is_told_at_its_level_when_the_silence_ends() -> None:
    worse = Transition(alert("cap", 95, told_level=80), Change.ESCALATED, NOON)
    held = planned(worse, silences=[silence()])
    later = planned(waiting=[replace(worse.alert)])

    assert (told(held), told(later), only(later).alert.level) == ([], ["ops"], 95)


SLACK, PAGER = Traits(changes=True, threads=True), Traits(tracks=True)
ALL = {"routes": (route("ops", "pager", "mail"),), "heard": {1: ["ops", "pager", "mail"]}, "ops": SLACK, "pager": PAGER}


def lines(of: Plan) -> list[tuple[str, str]]:
    """Channel, and the manner or why not."""
    return [(n.channel, n.withheld or n.manner.value) for n in of.notifications]


def taken_on(change: Change = Change.ACKNOWLEDGED) -> Transition:
    return Transition(alert(status=Status.ACKNOWLEDGED, told_level=1), change, NOON, "ana", "mine")


@pytest.mark.parametrize("change", [Change.ACKNOWLEDGED, Change.EXPECTED])
def test_what_people_take_on_is_shown_where_it_stands_and_is_news_for_nobody(change: Change) -> None:
    of = planned(taken_on(change), **ALL)

    assert lines(of) == [
        ("ops", "in_place_only"),
        ("pager", "in_place_only"),
        ("mail", "mail cannot change a message, and this is no news for it"),
    ]
    assert (of.settled, {n.note for n in of.notifications}) == ((), {"mine"})


def test_a_channel_that_never_heard_of_an_alert_hears_neither_of_its_end_nor_of_who_took_it_on() -> None:
    never = [("ops", "ops was never told of it")]

    assert lines(planned(taken_on(), heard={}, ops=SLACK)) == never
    assert lines(planned(resolved("spike"), heard={}, ops=SLACK)) == never


def test_a_channel_that_heard_by_another_way_than_the_routes_hears_of_the_end_too() -> None:
    assert told(planned(resolved("spike"), heard={1: ["pager", "ops"]})) == ["ops", "pager"]


def test_an_end_that_is_no_news_closes_what_stands_elsewhere() -> None:
    calendar = "it ended by the calendar, which is no news"
    assert lines(planned(resolved("cap"), **ALL)) == [
        ("ops", "in_place_only"),
        ("pager", "in_place_only"),
        ("mail", calendar),
    ]
    silenced = planned(resolved("spike"), silences=[silence()], **ALL)
    assert lines(silenced)[:2] == [("ops", "in_place_only"), ("pager", "in_place_only")]
    assert lines(silenced)[2][1].startswith("silence 1 on *")


def test_an_end_by_hand_is_told_even_where_the_calendar_would_have_ended_it() -> None:
    by_hand = replace(resolved("cap"), by="ana")
    assert lines(planned(by_hand, **ALL)) == [("ops", "in_place"), ("pager", "in_place"), ("mail", "in_place")]


def test_a_stop_of_one_key_is_one_message_and_closes_every_alert_that_it_ended() -> None:
    stops = [replace(resolved(kind, id=n), change=Change.STOPPED) for n, kind in ((1, "spike"), (2, "cap"))]
    both = {n: ["ops", "pager", "mail"] for n in (1, 2)}
    of = planned(*stops, **ALL | {"heard": both})

    assert lines(of) == [
        ("ops", "post"),
        ("pager", "post"),
        ("mail", "post"),
        ("ops", "in_place_only"),
        ("pager", "in_place_only"),
        ("mail", "told with alert 1, which is about the same key"),
    ]
