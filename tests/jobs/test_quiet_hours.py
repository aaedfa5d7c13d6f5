"""What is not critical waits for the end of a channel's quiet hours, and is then one summary."""

from datetime import timedelta

import pytest

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.plan import Plan, plan
from flowy_watch.core.route import Telling, Traits
from flowy_watch.jobs.send import Delivery
from flowy_watch.show import story_lines
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, NOON, opened, route

from .decisions import FactsRenderer
from .outbox_rig import FakeChannel, OwnerRenderer, SetClock, deliver, end, outcomes, put

SIESTA = Hours.parse_daily("12:00-16:00 Europe/Madrid")
WAKES = NOON + 3 * HOUR  # 15:00 UTC
HELD = {"held_until": WAKES, "held_why": "quiet hours until 16:00 Europe/Madrid"}


def planned(severity: Severity, *, after: timedelta = timedelta(), change: Change = Change.OPENED) -> Plan:
    transition = opened("spike", severity=severity)
    return plan(
        [transition],
        telling=Telling((route("ops", "mail"),), quiet_hours={"ops": SIESTA}),
        silences=(),
        past=lambda _: {},
        now=NOON + after,
    )


@pytest.mark.parametrize("severity", [Severity.INFO, Severity.WARNING])
def test_in_quiet_hours_what_is_not_critical_is_held_on_that_channel_alone(severity: Severity) -> None:
    ops, mail = planned(severity).notifications
    assert (ops.held_until, ops.held_why) == (WAKES, "quiet hours until 16:00 Europe/Madrid")
    assert (mail.held_until, mail.held_why) == (None, "")


def test_what_is_critical_passes_and_so_does_everything_outside_of_quiet_hours() -> None:
    assert [n.held_until for n in planned(Severity.CRITICAL).notifications] == [None, None]
    assert [n.held_until for n in planned(Severity.INFO, after=3 * HOUR).notifications] == [None, None]


def test_what_quiet_hours_held_back_is_one_summary_and_one_line_for_what_came_and_went(store: Store) -> None:
    put(store, "a", "b", "c", **HELD)
    end(store, 3)
    channel, clock = FakeChannel(), SetClock()
    assert deliver(store, channel, clock) == 0
    with store.read() as work:
        assert work.outbox.next_due("ops") == WAKES
    clock.at = WAKES
    deliver(store, channel, clock)
    assert channel.words() == ["roundup 1: a opened, b opened", "passed 1: c resolved"]


def test_one_alert_that_quiet_hours_held_back_is_told_in_full(store: Store) -> None:
    put(store, "a", **HELD)
    clock, channel = SetClock(), FakeChannel()
    clock.at = WAKES
    deliver(store, channel, clock)
    assert channel.words() == ["a"]


def test_what_is_critical_is_not_held_up_by_what_waits_for_the_end_of_quiet_hours(store: Store) -> None:
    put(store, "warning", **HELD)
    put(store, "critical")
    channel = FakeChannel()
    deliver(store, channel)
    assert channel.words() == ["critical"]


def test_an_alert_that_gets_critical_passes_at_once_and_is_not_told_again_in_the_morning(store: Store) -> None:
    put(store, "warning", alert_id=1, **HELD)
    put(store, "critical", alert_id=1, change=Change.ESCALATED)
    channel, clock = FakeChannel(), SetClock()
    deliver(store, channel, clock)
    clock.at = WAKES
    deliver(store, channel, clock)
    assert channel.words() == ["critical"]
    assert [status for status, _, _ in outcomes(store)] == ["withheld", "sent"]


def test_a_try_that_fails_in_quiet_hours_lets_nothing_out_before_their_end(store: Store) -> None:
    from flowy_watch.errors import TryLater

    put(store, "warning", **HELD)
    put(store, "critical")
    channel, clock = FakeChannel(TryLater("down")), SetClock()
    deliver(store, channel, clock)
    clock.at += HOUR
    deliver(store, channel, clock)
    assert channel.words() == ["critical", "critical"]


def test_what_waited_until_quiet_hours_began_waits_for_their_end_unless_it_is_critical(store: Store) -> None:
    put(store, "a", "b", "c")
    with store.write() as work:
        (worst,) = work.alerts.record([opened(id=0, period="worst", severity=Severity.CRITICAL)])
        work.outbox.add([Notification("ops", Change.OPENED, worst.alert, NOON, "critical")])
    end(store, 2)
    channel, clock = FakeChannel(), SetClock()
    delivery = Delivery(store, channel, OwnerRenderer(), clock, quiet=SIESTA)
    delivery.send_due()
    assert channel.words() == ["critical"]
    clock.at = WAKES
    delivery.send_due()
    assert channel.words()[1:] == ["roundup 1: a opened, c opened", "passed 1: b resolved"]


def test_what_takes_the_place_of_a_critical_alert_that_ended_waits_as_well(store: Store) -> None:
    with store.write() as work:
        new = [opened(id=0, period="beside"), opened(id=0, period="worst", severity=Severity.CRITICAL)]
        beside, worst = (made.alert for made in work.alerts.record(new))
        both = {"also": (beside.finding.title,), "also_ids": (beside.id,)}
        work.outbox.add([Notification("ops", Change.OPENED, worst, NOON, "worst", **both)])
        work.outbox.add([Notification("ops", Change.REPEATED, worst, NOON, "again")])
    end(store, worst.id)
    channel, clock = FakeChannel(), SetClock()
    delivery = Delivery(store, channel, OwnerRenderer(), clock, quiet=SIESTA)
    delivery.send_due()
    assert channel.words() == ["passed 1: again resolved"]
    clock.at = WAKES
    delivery.send_due()
    assert channel.words()[1:] == ["worst"]


def test_what_a_night_held_and_got_critical_since_is_told_once_in_the_next_night(store: Store) -> None:
    with store.write() as work:
        (made,) = work.alerts.record([opened(id=0, severity=Severity.CRITICAL)])
        work.outbox.add([Notification("ops", Change.OPENED, made.alert, NOON, "warning", **HELD)])
        work.outbox.add([Notification("ops", Change.ESCALATED, made.alert, NOON + HOUR, "worse")])
    end(store, made.alert.id)
    channel, clock = FakeChannel(), SetClock()
    delivery = Delivery(store, channel, OwnerRenderer(), clock, quiet=SIESTA)
    for clock.at in (NOON + DAY, WAKES + DAY):
        delivery.send_due()
    assert channel.words() == ["passed 1: worse resolved"]


def test_what_somebody_takes_on_in_quiet_hours_makes_no_message_and_is_seen_in_the_morning(store: Store) -> None:
    put(store, "warning", alert_id=1, **HELD)
    put(store, "ana", alert_id=1, change=Change.ACKNOWLEDGED, manner=Manner.IN_PLACE_ONLY)
    channel, clock = FakeChannel(), SetClock()
    channel.traits = Traits(changes=True)
    assert deliver(store, channel, clock) == 0
    clock.at = WAKES
    deliver(store, channel, clock)
    assert channel.words() == ["warning"]


def test_why_says_what_quiet_hours_held_back_before_and_after(store: Store) -> None:
    put(store, "warning", **HELD)

    def said() -> str:
        with store.read() as work:
            known = work.alerts.get(1)
            assert known is not None
            return str(story_lines(work, known)[-1]["line"])

    held = "notice of opened held back (quiet hours until 16:00 Europe/Madrid),"
    assert said() == f"{held} waits for ops, try 0"
    clock = SetClock()
    clock.at = WAKES
    deliver(store, FakeChannel(), clock)
    assert said() == f"{held} sent to ops"


def test_the_rest_of_a_list_whose_first_page_came_before_quiet_hours_waits_for_their_end(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = FakeChannel(), SetClock()
    sender = Delivery(store, channel, FactsRenderer(), clock, quiet=Hours.parse_daily("14:00-16:00 Europe/Madrid"))
    assert sender.send_due(most=1) == 1
    clock.at = NOON + 2 * HOUR
    assert sender.send_due() == 0
    clock.at = WAKES
    assert sender.send_due() == 1
