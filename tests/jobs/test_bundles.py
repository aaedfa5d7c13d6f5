"""Many notices at once, and a backlog: few messages, nothing stale, nothing lost, each the same in every try."""

from datetime import timedelta

from flowy_watch.channels.base import Receipt
from flowy_watch.core.alert import Change
from flowy_watch.core.message import Dialect
from flowy_watch.core.notification import Manner
from flowy_watch.errors import Doubtful, Refused, TryLater
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON

from .outbox_rig import AskableChannel, FakeChannel, SetClock, deliver, end, outcomes, put

SECOND = timedelta(seconds=1)


def test_five_at_once_are_told_one_by_one_and_six_together(store: Store) -> None:
    channel = FakeChannel()
    put(store, *"abcde")
    deliver(store, channel)
    assert channel.words() == list("abcde")
    put(store, *"fghijk")
    deliver(store, channel)
    assert channel.words()[5:] == [
        "roundup 1: f opened, g opened",
        "roundup 2: h opened, i opened",
        "roundup 3: j opened, k opened",
    ]
    assert outcomes(store)[5:] == [("sent", 1, "grouped into a roundup of 2 alerts")] * 6


def test_a_doubtful_page_is_sent_again_just_as_it_was_whatever_came_meanwhile(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = FakeChannel(Doubtful("timed out")), SetClock()
    deliver(store, channel, clock)
    put(store, "new")
    end(store, 1)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words() == [
        "roundup 1: a opened, b opened",
        "roundup 1: a opened, b opened",
        "roundup 2: c opened, d opened",
        "roundup 3: e opened, f opened",
        "new",
    ]
    assert channel.sent[0][1].outbox_id == channel.sent[1][1].outbox_id != channel.sent[2][1].outbox_id


def test_a_page_that_arrived_after_all_is_settled_and_not_sent_again(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = AskableChannel(Doubtful("timed out")), SetClock()
    deliver(store, channel, clock)
    channel.found, clock.at = Receipt("ops:17.1"), NOON + MINUTE
    deliver(store, channel, clock)
    assert channel.words() == [
        "roundup 1: a opened, b opened",
        "roundup 2: c opened, d opened",
        "roundup 3: e opened, f opened",
    ]
    assert channel.asked == 1
    assert {status for status, _, _ in outcomes(store)} == {"sent"}


def test_what_was_surely_not_taken_is_put_together_anew(store: Store) -> None:
    put(store, "a", "b", "c", "d", "e")
    channel, clock = FakeChannel(TryLater("refused connection")), SetClock()
    deliver(store, channel, clock)
    end(store, 1, at=NOON + SECOND)
    end(store, 3, at=NOON + SECOND)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words()[1:] == ["b", "d", "e", "passed 1: a resolved, c resolved"]
    assert [reason for _, _, reason in outcomes(store)] == [
        "grouped into 2 that came and went before this channel could be told",
        "",
        "grouped into 2 that came and went before this channel could be told",
        "",
        "",
    ]


def test_a_mail_that_some_have_stays_the_same_mail(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = FakeChannel(TryLater("450 for ben", settled={"ana": ""})), SetClock()
    deliver(store, channel, clock)
    end(store, 2)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words()[0] == channel.words()[3] == "roundup 1: a opened, b opened"


def test_after_a_doubt_that_cannot_be_settled_even_a_refused_try_keeps_the_message(store: Store) -> None:
    put(store, "a")
    channel, clock = FakeChannel(Doubtful("timed out"), TryLater("refused connection")), SetClock()
    for _ in range(3):
        deliver(store, channel, clock)
        end(store, 1)
        clock.at += MINUTE
    assert channel.words() == ["a", "a", "a"]


def test_later_pages_stay_together_but_show_what_ended_meanwhile(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = FakeChannel(Receipt("1"), TryLater("429", retry_after=MINUTE)), SetClock()
    deliver(store, channel, clock)
    put(store, "new")
    end(store, 4)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words() == [
        "roundup 1: a opened, b opened",
        "roundup 2: c opened, d opened",
        "roundup 2: c opened, d resolved",
        "roundup 3: e opened, f opened",
        "new",
    ]


def test_a_later_page_that_showed_what_ended_shows_it_in_every_further_try(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = FakeChannel(Receipt("1"), TryLater("429", retry_after=MINUTE), Doubtful("timed out")), SetClock()
    deliver(store, channel, clock)
    end(store, 4)
    for _ in range(2):
        clock.at += MINUTE
        deliver(store, channel, clock)
    assert channel.words()[2:4] == ["roundup 2: c opened, d resolved"] * 2


def test_a_message_to_a_program_is_never_dealt_out_anew_in_the_middle(store: Store) -> None:
    put(store, *"abcdef")
    channel, clock = FakeChannel(TryLater("1 of 2 taken")), SetClock()
    channel.dialect = Dialect.FACTS
    deliver(store, channel, clock)
    end(store, 1)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words()[:2] == ["roundup 1: a opened, b opened"] * 2


def test_an_alert_that_grew_while_the_channel_was_down_is_told_once(store: Store) -> None:
    channel, clock = FakeChannel(TryLater("down")), SetClock()
    put(store, "at 80", alert_id=1)
    deliver(store, channel, clock)
    put(store, "at 95", alert_id=1, change=Change.ESCALATED)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words() == ["at 80", "at 95"]
    assert outcomes(store) == [
        ("withheld", 1, "overtaken by a later notice of this alert before it could be sent"),
        ("sent", 1, ""),
    ]


def test_an_end_that_the_channel_waits_for_is_told_also_after_an_outage(store: Store) -> None:
    channel, clock = FakeChannel(Receipt("1"), TryLater("down")), SetClock()
    put(store, "opened", alert_id=1)
    deliver(store, channel, clock)
    put(store, "worse", alert_id=1, change=Change.ESCALATED)
    deliver(store, channel, clock)
    end(store, 1)
    put(store, "over", alert_id=1, change=Change.RESOLVED, manner=Manner.IN_PLACE)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words() == ["opened", "worse", "over"]


def test_an_alert_told_within_a_roundup_gets_messages_of_its_own_later(store: Store) -> None:
    channel = AskableChannel()
    put(store, *"abcdef")
    deliver(store, channel)
    put(store, "over", alert_id=1, change=Change.RESOLVED, manner=Manner.IN_PLACE)
    deliver(store, channel)
    text, envelope = channel.sent[-1]
    assert (text, envelope.thread, envelope.first, envelope.update_of) == ("over", "alert-1", False, "")
    put(store, "again", alert_id=1, manner=Manner.IN_PLACE)
    deliver(store, channel)
    assert channel.sent[-1][1].update_of == "remote-4"


def test_what_changes_a_message_in_place_never_makes_a_roundup(store: Store) -> None:
    channel = AskableChannel()
    for owner in "abcde":
        put(store, owner)
        deliver(store, channel)
    for number in range(1, 6):
        put(store, f"over {number}", alert_id=number, change=Change.RESOLVED, manner=Manner.IN_PLACE)
    put(store, "news")
    deliver(store, channel)
    assert channel.words()[5:] == ["news", "over 1", "over 2", "over 3", "over 4", "over 5"]


def test_where_nothing_can_be_changed_in_place_many_ends_are_one_message(store: Store) -> None:
    mail = FakeChannel(name="mail")
    for owner in "abcdef":
        put(store, owner, channel="mail")
        deliver(store, mail)
    for number in range(1, 7):
        put(store, f"over {number}", alert_id=number, channel="mail", change=Change.RESOLVED, manner=Manner.IN_PLACE)
    deliver(store, mail)
    assert mail.words()[6] == "roundup 1: over 1 resolved, over 2 resolved"


def test_what_was_told_with_another_alert_of_its_key_is_not_lost_when_that_one_ends(store: Store) -> None:
    put(store, "beside", withheld="told with alert 2, which is about the same key")
    channel, clock = FakeChannel(TryLater("down")), SetClock()
    put(store, "worst", also=("beside it",), also_ids=(1,))
    deliver(store, channel, clock)
    end(store, 2)
    clock.at += MINUTE
    deliver(store, channel, clock)
    assert channel.words() == ["worst", "worst"]
    assert channel.sent[1][1].thread == "alert-1"
    put(store, "beside is over", alert_id=1, change=Change.RESOLVED)
    end(store, 1)
    deliver(store, channel, clock)
    assert channel.words()[2:] == ["beside is over"]


def test_what_has_a_notice_of_its_own_by_now_is_not_also_told_in_place_of_another_that_ended(store: Store) -> None:
    put(store, "beside", withheld="told with alert 2, which is about the same key")
    put(store, "worst", also=("beside it",), also_ids=(1,))
    put(store, "beside again", alert_id=1, change=Change.REPEATED)
    end(store, 2)
    channel = FakeChannel()
    deliver(store, channel)
    assert channel.words() == ["beside again", "passed 1: worst resolved"]


def test_the_end_of_what_is_back_and_was_never_told_there_is_not_told(store: Store) -> None:
    put(store, "opened", alert_id=1)
    put(store, "over", alert_id=1, change=Change.RESOLVED)
    channel = FakeChannel()
    assert deliver(store, channel) == 0
    assert [reason for _, _, reason in outcomes(store)][1] == "it is back, and ops was not told of it"


def test_a_list_brings_up_to_date_what_stands_about_its_alerts_by_themselves(store: Store) -> None:
    channel = AskableChannel()
    put(store, "a")
    deliver(store, channel)
    put(store, "a again", alert_id=1, change=Change.REPEATED)
    put(store, *"bcdef")
    deliver(store, channel)
    assert channel.words()[1:] == [
        "roundup 1: a again repeated, b opened",
        "roundup 2: c opened, d opened",
        "roundup 3: e opened, f opened",
        "a again",
    ]
    assert (channel.sent[-1][1].update_of, channel.sent[-1][1].or_nothing) == ("remote-1", True)


def test_the_message_about_what_took_the_place_of_another_alert_is_its_own(store: Store) -> None:
    put(store, "beside", withheld="told with alert 2, which is about the same key")
    put(store, "worst", also=("beside it",), also_ids=(1,))
    end(store, 2)
    channel = AskableChannel()
    deliver(store, channel)
    put(store, "ana", alert_id=1, change=Change.ACKNOWLEDGED, manner=Manner.IN_PLACE_ONLY)
    deliver(store, channel)
    assert channel.sent[-1][1].update_of == "remote-1"


def test_a_roundup_refused_for_good_is_dead_notice_by_notice(store: Store) -> None:
    put(store, *"abcdef")
    channel = FakeChannel(*[Refused("is_archived")] * 3)
    deliver(store, channel)
    assert outcomes(store) == [("dead", 1, "is_archived")] * 6
