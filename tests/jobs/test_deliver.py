"""Delivery: nothing is lost, nobody is told twice, one channel never holds up another."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.core.alert import Change, Status
from flowy_watch.core.message import Message
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.core.route import Traits
from flowy_watch.errors import Doubtful, Refused, TryLater
from flowy_watch.jobs import send
from flowy_watch.jobs.compose import claim
from flowy_watch.jobs.deliver import Postman
from flowy_watch.jobs.send import Delivery
from flowy_watch.show import story_lines
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MINUTE, NOON

from .outbox_rig import AskableChannel, FakeChannel, OwnerRenderer, SetClock, deliver, outcomes, put

SECOND = timedelta(seconds=1)


class HangingChannel(FakeChannel):
    """Holds every send until `release` is set."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.release, self.entered = Event(), Event()

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        self.entered.set()
        self.release.wait(30)
        return super().send(message, envelope)


class TellingChannel(FakeChannel):
    """Says when something arrived."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.arrived = Event()

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        self.arrived.set()
        return super().send(message, envelope)


def test_every_notice_is_sent_once_and_in_order(store: Store) -> None:
    put(store, "first", "second")
    channel = FakeChannel()
    assert (deliver(store, channel), deliver(store, channel)) == (2, 0)
    assert channel.words() == ["first", "second"]
    assert outcomes(store) == [("sent", 1, ""), ("sent", 1, "")]


def test_a_thread_is_first_once_and_a_quiet_notice_updates_what_was_sent_before(store: Store) -> None:
    channel = AskableChannel()
    for owner, manner in (("opened", Manner.POST), ("louder", Manner.POST), ("over", Manner.IN_PLACE)):
        put(store, owner, alert_id=1, manner=manner)
        deliver(store, channel)
    envelopes = [envelope for _, envelope in channel.sent]
    assert [(e.thread, e.first, e.update_of) for e in envelopes] == [
        ("alert-1", True, ""),
        ("alert-1", False, ""),
        ("alert-1", False, "remote-2"),
    ]
    assert len({e.outbox_id for e in envelopes}) == 3


def test_the_other_sides_wish_for_a_pause_is_obeyed_to_the_second(store: Store) -> None:
    put(store, "hello")
    channel, clock = FakeChannel(TryLater("429", retry_after=37 * SECOND)), SetClock()
    assert deliver(store, channel, clock) == 0
    clock.at += 36 * SECOND
    assert (deliver(store, channel, clock), len(channel.sent)) == (0, 1)
    clock.at += SECOND
    assert (deliver(store, channel, clock), len(channel.sent)) == (1, 2)
    assert channel.sent[0][1].outbox_id == channel.sent[1][1].outbox_id


def test_without_a_wish_the_pauses_grow_and_stay_within_ten_seconds(store: Store) -> None:
    put(store, "hello")
    clock, pauses = SetClock(), []
    channel = FakeChannel(*[TryLater("503") for _ in range(12)])
    for _ in range(12):
        deliver(store, channel, clock)
        with store.read() as work:
            due_at = work.outbox.next_due("ops")
        assert due_at is not None
        pauses.append(due_at - clock.at)
        clock.at = due_at
    assert timedelta(seconds=1) <= pauses[0] <= timedelta(seconds=2)
    assert all(5 * SECOND <= pause <= 10 * SECOND for pause in pauses[-3:])
    assert deliver(store, channel, clock) == 1


def test_a_channel_that_is_down_for_more_than_a_day_is_given_up(store: Store) -> None:
    put(store, "hello")
    channel, clock = FakeChannel(*[TryLater("503", retry_after=2 * HOUR) for _ in range(20)]), SetClock()
    for _ in range(14):
        deliver(store, channel, clock)
        clock.at += 2 * HOUR
    assert outcomes(store) == [("dead", 14, "given up after 14 tries: 503")]


def test_a_channel_that_is_down_for_a_night_loses_nothing(store: Store) -> None:
    put(store, "first", "second")
    channel, clock = FakeChannel(*[TryLater("503", retry_after=HOUR) for _ in range(12)]), SetClock()
    for _ in range(13):
        deliver(store, channel, clock)
        clock.at += HOUR
    assert [status for status, _, _ in outcomes(store)] == ["sent", "sent"]


def test_a_notice_refused_for_good_is_dead_and_the_next_one_is_sent(store: Store) -> None:
    put(store, "first", "second")
    channel, clock = FakeChannel(Refused("channel_not_found")), SetClock()
    assert deliver(store, channel, clock) == 1
    clock.at += 2 * DAY
    deliver(store, channel, clock)
    assert channel.words() == ["first", "second"]
    assert outcomes(store) == [("dead", 1, "channel_not_found"), ("sent", 1, "")]


def test_a_recipient_that_was_refused_is_named_on_a_notice_that_was_sent(store: Store) -> None:
    put(store, "hello")
    deliver(store, FakeChannel(Receipt("id", refused={"gone@example.org": "550 unknown"})))
    assert outcomes(store) == [("sent", 1, "refused for good: gone@example.org (550 unknown)")]


def test_a_doubtful_notice_that_arrived_is_not_sent_again(store: Store) -> None:
    put(store, "hello")
    channel, clock = AskableChannel(Doubtful("timed out")), SetClock()
    deliver(store, channel, clock)
    assert outcomes(store) == [("waiting", 1, "may have arrived: timed out")]
    channel.found, clock.at = Receipt("1712.1"), NOON + MINUTE
    assert deliver(store, channel, clock) == 1
    assert (channel.words(), channel.asked) == (["hello"], 1)


def test_a_doubtful_notice_that_did_not_arrive_is_sent_again(store: Store) -> None:
    put(store, "hello")
    channel, clock = AskableChannel(Doubtful("timed out")), SetClock()
    deliver(store, channel, clock)
    clock.at += MINUTE
    assert deliver(store, channel, clock) == 1
    assert (channel.words(), channel.asked) == (["hello", "hello"], 1)


def test_a_notice_is_not_sent_again_while_nobody_can_say_whether_it_arrived(store: Store) -> None:
    put(store, "hello")
    channel, clock = AskableChannel(Doubtful("timed out")), SetClock()
    channel.found = TryLater("503", retry_after=MINUTE)
    for _ in range(5):
        deliver(store, channel, clock)
        clock.at += MINUTE
    assert channel.words() == ["hello"]
    channel.found = Receipt("1712.1")
    assert deliver(store, channel, clock) == 1
    assert channel.words() == ["hello"]


def test_a_channel_that_may_not_be_asked_rather_repeats_than_loses(store: Store) -> None:
    put(store, "hello")
    channel, clock = AskableChannel(Doubtful("timed out")), SetClock()
    channel.found = Refused("missing_scope")
    deliver(store, channel, clock)
    clock.at += MINUTE
    assert deliver(store, channel, clock) == 1
    assert channel.words() == ["hello", "hello"]


def test_a_crash_between_send_and_record_is_settled_before_any_resend(store: Store) -> None:
    put(store, "hello")
    with store.write() as work:
        claimed = claim(work, AskableChannel(), OwnerRenderer(), now=NOON, until=NOON + 5 * SECOND)
        assert claimed  # and then the machine lost its power
    channel, clock = AskableChannel(), SetClock()
    channel.found = Receipt("1712.1")
    assert deliver(store, channel, clock) == 0
    clock.at += 5 * SECOND
    assert deliver(store, channel, clock) == 1
    assert (channel.words(), channel.asked) == ([], 1)


def test_a_notice_that_cannot_be_rendered_blocks_the_following_ones_only_for_a_while(store: Store) -> None:
    put(store, "broken", "next")
    channel, clock = FakeChannel(), SetClock()
    for _ in range(5):
        deliver(store, channel, clock)
        clock.at += 5 * MINUTE
    assert channel.words() == ["next"]
    assert outcomes(store)[0] == ("dead", 5, "given up after 5 tries: internal error (ZeroDivisionError)")


def test_a_channel_that_hangs_does_not_hold_up_another(store: Store) -> None:
    put(store, "hello", channel="stuck")
    put(store, "hello", channel="mail")
    stuck, mail = HangingChannel("stuck"), TellingChannel("mail")
    postman = Postman(store, {"stuck": stuck, "mail": mail}, OwnerRenderer(), SetClock())
    postman.start()
    postman.ring()
    assert stuck.entered.wait(10)
    assert mail.arrived.wait(10)
    put(store, "again", channel="mail")
    mail.arrived.clear()
    postman.ring()
    assert mail.arrived.wait(10)
    stuck.release.set()
    postman.stop(within=timedelta(seconds=20))
    assert (stuck.words(), mail.words()) == (["hello"], ["hello", "again"])


def test_why_says_when_a_notice_that_waits_is_tried_next(store: Store) -> None:
    put(store, "hello")
    deliver(store, FakeChannel(TryLater("429", retry_after=37 * SECOND)))
    with store.read() as work:
        (told,) = work.alerts.all()
        said = story_lines(work, told)[-1]["line"]
    assert said == "notice of opened waits for ops, try 1, next at 12:00:37 UTC and for a day at most: 429"


def test_a_clock_that_is_set_back_makes_nothing_wait_longer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "hello")
    channel, clock, seconds = FakeChannel(TryLater("429", retry_after=30 * SECOND)), SetClock(), [0.0]
    monkeypatch.setattr(send, "monotonic", lambda: seconds[0])
    delivery = Delivery(store, channel, OwnerRenderer(), clock)
    clock.at -= HOUR
    assert (delivery.send_due(), len(channel.sent), delivery.due_in()) == (0, 1, 30)
    clock.at -= HOUR
    seconds[0] = 29
    assert (delivery.send_due(), delivery.due_in()) == (0, 1)
    seconds[0] = 30
    assert (delivery.send_due(), channel.words()) == (1, ["hello"] * 2)


@pytest.mark.parametrize("untaken", [True, False])
def test_a_pause_lasts_no_longer_for_a_clock_set_back_before_a_restart(
    store: Store, monkeypatch: pytest.MonkeyPatch, untaken: bool
) -> None:
    put(store, "hello")
    answer = TryLater("429", retry_after=30 * SECOND) if untaken else Doubtful("503", retry_after=30 * SECOND)
    channel, clock, seconds = FakeChannel(answer), SetClock(), [0.0]
    deliver(store, channel, clock)
    clock.at -= 2 * HOUR
    monkeypatch.setattr(send, "monotonic", lambda: seconds[0])
    restarted = Delivery(store, channel, OwnerRenderer(), clock)
    assert (restarted.send_due(), restarted.due_in()) == (0, 30)
    seconds[0], clock.at = 30, clock.at + 30 * SECOND
    assert (restarted.send_due(), channel.words()) == (1, ["hello"] * 2)


def test_what_another_process_is_sending_is_left_to_it_however_long_that_takes(
    store: Store, open_store: Callable[[], Store]
) -> None:
    put(store, "hello")
    stuck, other, clock = HangingChannel("ops"), FakeChannel(), SetClock()
    postman = Postman(open_store(), {"ops": stuck}, OwnerRenderer(), SetClock())
    postman.start()
    assert stuck.entered.wait(10)
    clock.at += HOUR
    assert deliver(store, other, clock) == 0
    stuck.release.set()
    postman.stop(within=timedelta(seconds=20))
    assert deliver(store, other, clock) == 0
    assert (stuck.words(), other.words()) == (["hello"], [])


def test_one_shot_delivery_sends_on_all_channels_and_returns(store: Store) -> None:
    channels = {name: FakeChannel(name=name) for name in ("ops", "mail")}
    for name in channels:
        put(store, "hello", channel=name)
    Postman(store, channels, OwnerRenderer(), SetClock()).deliver_due(within=timedelta(seconds=20))
    assert [channel.words() for channel in channels.values()] == [["hello"], ["hello"]]


def test_a_postman_whose_database_fails_stops_when_it_is_told_to(store: Store) -> None:
    broken = Store("sqlite:////nowhere/at/all.db")
    postman = Postman(broken, {"ops": FakeChannel()}, OwnerRenderer(), SetClock())
    postman.start()
    postman.ring()
    postman.stop(within=timedelta(seconds=20))
    broken.close()


def test_what_can_only_change_a_message_is_not_sent_where_none_stands(store: Store) -> None:
    channel = AskableChannel()
    put(store, "opened", alert_id=1)
    with store.write() as work:
        known = work.alerts.all()[0]
        done = replace(known, status=Status.ACKNOWLEDGED)
        work.outbox.add([Notification("mail", Change.ACKNOWLEDGED, done, NOON, "ana", Manner.IN_PLACE_ONLY)])
        work.outbox.add([Notification("ops", Change.ACKNOWLEDGED, done, NOON, "ana", Manner.IN_PLACE_ONLY)])
    mail = AskableChannel(name="mail")
    assert (deliver(store, channel), deliver(store, mail)) == (2, 0)
    assert [(text, e.update_of, e.or_nothing) for text, e in channel.sent] == [
        ("opened", "", False),
        ("ana", "remote-1", True),
    ]
    assert outcomes(store, "mail") == [("withheld", 0, "mail has no message of its own to change")]


def test_a_line_in_a_thread_goes_to_the_message_of_the_other_alert_and_is_no_message_of_its_own(store: Store) -> None:
    channel = AskableChannel()
    channel.traits = Traits(changes=True, threads=True)
    put(store, "spike")
    deliver(store, channel)
    put(store, "cap", manner=Manner.THREAD, about=1)
    put(store, "none", manner=Manner.THREAD, about=99)
    put(store, "over", alert_id=2, change=Change.RESOLVED, manner=Manner.IN_PLACE_ONLY)
    deliver(store, channel)
    assert [(text, e.reply_to) for text, e in channel.sent] == [("spike", ""), ("cap", "remote-1")]
    assert [status for status, _, _ in outcomes(store)] == ["sent", "sent", "withheld", "withheld"]
