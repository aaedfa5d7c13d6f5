"""PagerDuty: one incident per alert, whoever tells of it and however often."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from pydantic import ValidationError

from flowy_watch.channels.pagerduty import LONGEST_SUMMARY, PagerDutyChannel, PagerDutyConfig, dedup_key
from flowy_watch.core.alert import Change, Status, Transition
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import FactsMessage
from flowy_watch.errors import ChannelError, Doubtful, Refused, TryLater
from flowy_watch.store import Store
from flowy_watch.store.codec import dump_notification, load_notification
from tests.builders import HOUR, NOON, alert

from .conftest import Open
from .receiver import Receiver
from .rigs import PagerDutyRig, envelope, facts, notification

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def rig() -> Iterator[PagerDutyRig]:
    with PagerDutyRig() as rig:
        yield rig


@pytest.fixture
def pagerduty(rig: PagerDutyRig) -> Receiver:
    return rig.receiver


@pytest.fixture
def channel(rig: PagerDutyRig, open_as: Open) -> Any:
    return open_as("pagerduty", rig.options)


def test_an_opened_alert_triggers_an_incident(pagerduty: Receiver, channel: PagerDutyChannel) -> None:
    receipt = channel.send(facts(notification(evidence=("96 % of the cap is spent.",))), envelope())

    (event,) = pagerduty.posts()
    details = event["payload"].pop("custom_details")
    key = event.pop("dedup_key")
    assert event == {
        "routing_key": PagerDutyRig.secret,
        "event_action": "trigger",
        "payload": {
            "summary": "CRITICAL render is at 96 % of its daily cap",
            "source": "flowy-watch",
            "severity": "critical",
            "timestamp": "2026-03-02T12:00:00+00:00",
            "component": "render",
            "group": "media-team",
            "class": "cap",
        },
        "client": "flowy-watch",
        "links": [{"href": "https://app.example.com/settings/api-keys", "text": "Open API keys"}],
    }
    assert (details["spent today"], details["daily cap"]) == ("4,800 credits", "5,000 credits")
    assert (details["key"], details["evidence"]) == ("render", ["96 % of the cap is spent."])
    assert details["why"] == "flowy-watch why 12"
    assert receipt.remote_id == key


@pytest.mark.parametrize(
    ("change", "action"),
    [
        (Change.OPENED, "trigger"),
        (Change.ESCALATED, "trigger"),
        (Change.REPEATED, "trigger"),
        (Change.ACKNOWLEDGED, "acknowledge"),
        (Change.EXPECTED, "acknowledge"),
        (Change.RESOLVED, "resolve"),
        (Change.DISMISSED, "resolve"),
        *((change, "resolve") for change in Change if change.ends),
    ],
)
def test_every_change_has_its_action(
    pagerduty: Receiver, channel: PagerDutyChannel, change: Change, action: str
) -> None:
    channel.send(facts(notification(change)), envelope())

    (event,) = pagerduty.posts()
    assert event["event_action"] == action
    assert ("payload" in event) == (action == "trigger")


def test_all_that_happens_to_an_alert_goes_to_its_incident_also_after_a_restart(
    pagerduty: Receiver, rig: PagerDutyRig, open_as: Open
) -> None:
    later = {"level": 100, "title": "worse", "last_seen_at": NOON + HOUR, "evidence": ("more",)}
    life = [
        notification(),
        notification(Change.ESCALATED, **later),
        notification(Change.ACKNOWLEDGED, **later, status=Status.ACKNOWLEDGED, acknowledged_by="ana"),
        notification(Change.RESOLVED, **later, status=Status.RESOLVED, resolved_at=NOON + 2 * HOUR),
    ]
    for number, told in enumerate(life):
        open_as("pagerduty", rig.options).send(facts(told), envelope(f"n-{number}"))

    keys = {event["dedup_key"] for event in pagerduty.posts()}
    # Written down: another key after an upgrade would leave incidents open for good.
    assert keys == {"flowy-watch-alert-12-773ddcbde082d4a6"}


def test_alerts_of_the_same_number_in_two_databases_are_two_incidents() -> None:
    here = alert(id=1, at=NOON)
    elsewhere = [
        alert(id=1, at=NOON + MICROSECOND),
        alert(id=1, at=NOON, key_id="key_2"),
        alert(id=1, at=NOON, kind="spike"),
        alert(id=2, at=NOON),
    ]
    assert len({dedup_key(one) for one in (here, *elsewhere)}) == 5


def test_the_database_gives_an_alert_back_with_the_same_identity(tmp_path: Path) -> None:
    opened_at = NOON + 123_457 * MICROSECOND
    with closing(Store(f"sqlite:///{tmp_path}/watch.db")) as store:
        store.migrate()
        with store.write() as work:
            work.alerts.record([Transition(alert(id=0, at=opened_at), Change.OPENED, opened_at)])
    with closing(Store(f"sqlite:///{tmp_path}/watch.db")) as store, store.read() as work:
        (kept,) = work.alerts.all()
    told = load_notification(dump_notification(replace(notification(), alert=kept)))
    assert {dedup_key(kept), dedup_key(told.alert)} == {dedup_key(alert(id=kept.id, at=opened_at))}


def test_the_zone_in_which_a_database_hands_out_instants_does_not_matter() -> None:
    madrid = NOON.astimezone(timezone(timedelta(hours=1)))
    assert dedup_key(alert(at=madrid)) == dedup_key(alert(at=NOON))


@pytest.mark.parametrize("severity", Severity)
def test_severities_are_those_of_pagerduty(pagerduty: Receiver, channel: PagerDutyChannel, severity: Severity) -> None:
    channel.send(facts(notification(severity=severity)), envelope())
    known = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}
    assert pagerduty.posts()[0]["payload"]["severity"] == known[severity]


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1023 + "…"),
        ("a\nb\u2028c\x00d\ud800", "a b c d"),
        ("\n", "flowy-watch"),
    ],
)
def test_a_summary_is_one_line_that_pagerduty_takes(
    pagerduty: Receiver, channel: PagerDutyChannel, title: str, summary: str
) -> None:
    channel.send(replace(facts(), title=title), envelope())
    said = pagerduty.posts()[0]["payload"]["summary"]
    assert said == summary
    assert len(said) <= LONGEST_SUMMARY


def test_hostile_names_stay_names(pagerduty: Receiver, channel: PagerDutyChannel) -> None:
    name = 'a"},\x00\n\ud800\u202e, flw_sk_abcdefghijklmnop'
    told = notification(
        key_name=name, key_id=name, title=f"{name} burns", evidence=(name,), owner=name, also=(name,), last_four=name
    )
    channel.send(facts(told, told), envelope())

    body = "".join(taken.body.decode() for taken in pagerduty.requests)
    assert len(pagerduty.posts()) == 2
    assert "flw_sk_abc" not in body
    assert pagerduty.posts()[0]["payload"]["component"].startswith('a"}, ')


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, Refused, r"HTTP 400.*channels\.ops\.routing_key"),
        (404, Refused, r"channels\.ops\.api_url"),
        (301, Refused, r"channels\.ops\.api_url"),
        (500, TryLater, "HTTP 500"),
        (504, TryLater, "HTTP 504"),
    ],
)
def test_an_answer_of_failure_says_what_to_do(
    pagerduty: Receiver, channel: PagerDutyChannel, status: int, error: type[ChannelError], says: str
) -> None:
    pagerduty.then(status, Location=f"{pagerduty.url}/v2/enqueue")
    with pytest.raises(error, match=says):
        channel.send(facts(), envelope())
    assert len(pagerduty.requests) == 1


def test_retry_after_is_passed_on_to_the_second(pagerduty: Receiver, channel: PagerDutyChannel) -> None:
    pagerduty.then(429, Retry_After="30")
    with pytest.raises(TryLater) as caught:
        channel.send(facts(), envelope())
    assert caught.value.retry_after == timedelta(seconds=30)


def test_an_answer_that_trickles_in_is_given_up_after_the_timeout(
    pagerduty: Receiver, rig: PagerDutyRig, open_as: Open
) -> None:
    pagerduty.then(how="trickle")
    began = monotonic()
    with pytest.raises(Doubtful):
        open_as("pagerduty", rig.options, patience=0.3).send(facts(), envelope())
    assert 0.2 < monotonic() - began < 3


# --- Many alerts in one message ---


def crowd(size: int) -> FactsMessage:
    return facts(*(notification(id=number, title=f"key {number} burns") for number in range(1, size + 1)))


def numbers(pagerduty: Receiver) -> list[int]:
    return [int(event["dedup_key"].split("-")[3]) for event in pagerduty.posts()]


def test_each_of_many_alerts_has_its_own_incident_and_words(pagerduty: Receiver, channel: PagerDutyChannel) -> None:
    channel.send(crowd(30), envelope())

    assert numbers(pagerduty) == list(range(1, 31))
    assert pagerduty.posts()[1]["payload"]["summary"] == "CRITICAL: key 2 burns"


def test_a_message_that_fails_in_the_middle_goes_on_where_it_stopped(
    pagerduty: Receiver, channel: PagerDutyChannel
) -> None:
    for status in (202, 202, 429):
        pagerduty.then(status)
    with pytest.raises(TryLater):
        channel.send(crowd(5), envelope())
    assert numbers(pagerduty) == [1, 2]

    channel.send(crowd(5), envelope())
    assert numbers(pagerduty) == [1, 2, 3, 4, 5]


def test_one_event_that_is_refused_does_not_hold_up_the_others(pagerduty: Receiver, channel: PagerDutyChannel) -> None:
    for status in (400, 400, 202, 400):
        pagerduty.then(status)
    receipt = channel.send(crowd(5), envelope())

    assert numbers(pagerduty) == [3, 5]
    assert [key.split("-")[3] for key in receipt.refused] == ["1", "2", "4"]


def test_a_wrong_key_is_not_tried_with_hundreds_of_alerts(rig: PagerDutyRig, open_as: Open) -> None:
    with pytest.raises(Refused, match="routing_key"):
        open_as("pagerduty", rig.options | {"routing_key": "wrong"}).send(crowd(500), envelope())
    assert rig.tried() == 3


def test_many_alerts_take_no_longer_than_the_timeout_at_a_time(
    pagerduty: Receiver, rig: PagerDutyRig, open_as: Open
) -> None:
    channel = open_as("pagerduty", rig.options, patience=1)
    for _ in range(10):
        pagerduty.then(202, after=0.25)
    stops, longest = 0, 0.0
    for _ in range(10):
        began = monotonic()
        try:
            channel.send(crowd(10), envelope())
            break
        except TryLater:
            stops += 1
        finally:
            longest = max(longest, monotonic() - began)
    assert stops >= 1
    assert longest < 2
    assert Counter(numbers(pagerduty)) == Counter(range(1, 11))


def test_a_test_is_an_incident_of_its_own_and_the_same_each_time(
    pagerduty: Receiver, channel: PagerDutyChannel
) -> None:
    for number in range(2):
        channel.send(FactsMessage("Test: channel ops works", "Nothing happened."), envelope(f"test-{number}"))

    first, second = pagerduty.posts()
    assert first == second
    assert first["dedup_key"].startswith("flowy-watch-test-")
    assert (first["payload"]["severity"], first["payload"]["summary"]) == ("info", "Test: channel ops works")


@pytest.mark.parametrize("url", ["events.pagerduty.com", "ftp://h", "https://", "https://h:port"])
def test_half_an_address_is_refused_by_the_configuration(url: str) -> None:
    with pytest.raises(ValidationError, match="whole address"):
        PagerDutyConfig.model_validate({"routing_key": "k", "api_url": url})


def test_a_slash_at_the_end_of_the_address_makes_no_difference(rig: PagerDutyRig, open_as: Open) -> None:
    open_as("pagerduty", rig.options | {"api_url": f"{rig.receiver.url}/"}).send(facts(), envelope())
    assert rig.arrived() == 1
