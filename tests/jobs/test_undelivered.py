"""A channel that refuses for good: another one hears of it, once, until it works again."""

from collections.abc import Sequence

from flowy_watch.core.message import Dialect, Message, PlainMessage
from flowy_watch.core.notification import Notification
from flowy_watch.errors import Refused
from flowy_watch.jobs.send import Delivery
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON

from .outbox_rig import FakeChannel, OwnerRenderer, SetClock, outcomes, put

ALL = ("hook", "ops", "mail")


class TitleRenderer(OwnerRenderer):
    def render(self, notification: Notification, dialect: Dialect) -> Message:
        return PlainMessage(notification.owner or notification.alert.finding.title)


def deliver(store: Store, *channels: FakeChannel, clock: SetClock | None = None, others: Sequence[str] = ALL) -> None:
    for channel in channels:
        Delivery(store, channel, TitleRenderer(), clock or SetClock(), others=others).send_due()


def test_another_channel_to_which_routes_lead_hears_of_it_with_the_number_of_alerts(store: Store) -> None:
    put(store, "hello", channel="mail")
    put(store, "a", "b", "c")
    ops, mail, hook = FakeChannel(*[Refused("invalid_auth")] * 3), FakeChannel(name="mail"), FakeChannel(name="hook")
    deliver(store, ops, mail, hook)
    assert mail.words() == ["hello", "ops could not be told: 3 alerts were not delivered there"]
    assert hook.words() == []


def test_a_cause_is_told_once_until_the_channel_works_again(store: Store) -> None:
    ops, mail, clock = FakeChannel(Refused("is_archived")), FakeChannel(name="mail"), SetClock()
    put(store, "a")
    deliver(store, ops, mail, clock=clock, others=ALL[1:])
    for owner, answer in (("b", Refused("is_archived")), ("c", Refused("token_revoked"))):
        clock.at += MINUTE
        put(store, owner)
        ops.answers.append(answer)
        deliver(store, ops, mail, clock=clock, others=ALL[1:])
    assert [words.partition(":")[2] for words in mail.words()] == [
        " 1 alert was not delivered there",
        " 3 alerts were not delivered there",
    ]
    clock.at += MINUTE
    put(store, "works")
    deliver(store, ops, mail, clock=clock, others=ALL[1:])
    clock.at += MINUTE
    put(store, "fails again")
    ops.answers.append(Refused("is_archived"))
    deliver(store, ops, mail, clock=clock, others=ALL[1:])
    assert mail.words()[2:] == ["ops could not be told: 1 alert was not delivered there"]


def test_when_that_channel_fails_too_the_next_one_hears_of_both(store: Store) -> None:
    put(store, "a")
    ops, mail, hook = (FakeChannel(Refused("gone"), name=name) for name in ("ops", "mail", "hook"))
    hook.answers.clear()
    deliver(store, ops, mail, hook, others=("ops", "mail", "hook"))
    assert mail.words() == ["ops could not be told: 1 alert was not delivered there"]
    assert hook.words() == [
        "ops could not be told: 1 alert was not delivered there",
        "mail could not be told: notices are not delivered there",
    ]


def test_where_every_channel_fails_or_there_is_only_one_nothing_goes_in_circles(store: Store) -> None:
    put(store, "a")
    put(store, "b", channel="mail")
    ops, mail = FakeChannel(*[Refused("gone")] * 9), FakeChannel(*[Refused("gone")] * 9, name="mail")
    for _ in range(5):
        deliver(store, ops, mail, others=("ops", "mail"))
    assert len(ops.sent) + len(mail.sent) <= 4
    put(store, "c")
    deliver(store, ops, others=("ops",))
    assert outcomes(store)[-1] == ("dead", 1, "gone")


def test_news_of_a_failure_never_hides_in_a_roundup(store: Store) -> None:
    put(store, *"abcdef", channel="mail")
    put(store, "a")
    ops, mail = FakeChannel(Refused("gone")), FakeChannel(name="mail")
    deliver(store, ops, mail)
    assert mail.words()[-1] == "ops could not be told: 1 alert was not delivered there"
    assert mail.words()[0].startswith("roundup 1: a")


def test_what_was_given_up_is_told_too(store: Store) -> None:
    put(store, "broken")
    clock, mail = SetClock(), FakeChannel(name="mail")
    ops = FakeChannel()
    clock.at = NOON
    for _ in range(5):
        Delivery(store, ops, OwnerRenderer(), clock, others=ALL[1:]).send_due()
        clock.at += MINUTE
    deliver(store, mail, clock=clock)
    assert mail.words() == ["ops could not be told: 1 alert was not delivered there"]
