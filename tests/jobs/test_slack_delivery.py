"""Delivery to a real Slack on loopback: storms, outages, pauses, doubts; each with the clock of the test."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from slack_sdk.models.blocks import Block

from flowy_watch.channels import CHANNELS
from flowy_watch.channels.base import Channel, Envelope, Receipt, Settles
from flowy_watch.clock import SystemClock
from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.check import Check
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import Message
from flowy_watch.core.notification import Manner, Notification
from flowy_watch.jobs import deliver, send
from flowy_watch.jobs.deliver import Postman
from flowy_watch.jobs.send import Delivery
from flowy_watch.render import Reader, Renderer
from flowy_watch.simulator.people import FakeSlack, Post
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON, opened
from tests.cli.rig import wait_until

from .outbox_rig import FakeChannel, OwnerRenderer, SetClock, end

SECOND = timedelta(seconds=1)
RENDERER = Renderer(Reader("Acme", "https://app.example.com/keys", ZoneInfo("UTC")))


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def slack(clock: SetClock) -> Iterator[FakeSlack]:
    with FakeSlack(clock=clock) as slack:
        yield slack


def channel(slack: FakeSlack) -> Channel:
    config = CHANNELS["slack"].Config(token=slack.token, channel=slack.channel, api_url=slack.url, timeout=2 * SECOND)
    return CHANNELS["slack"]("ops", config)


def delivery(store: Store, slack: FakeSlack, clock: SetClock) -> Delivery:
    return Delivery(store, channel(slack), RENDERER, clock)


def breach(store: Store, *names: str, at: SetClock) -> list[Alert]:
    """Alerts of one poll, one per key."""
    more = {"severity": Severity.CRITICAL, "id": 0}
    with store.write() as work:
        made = work.alerts.record(
            opened(key_id=name, key_name=name, title=f"{name} is at 96 % of its daily cap", **more) for name in names
        )
        work.outbox.add(Notification("ops", Change.OPENED, each.alert, at.at) for each in made)
    return [each.alert for each in made]


def run(sender: Delivery, clock: SetClock, *, until: timedelta, down: FakeSlack | None = None) -> int:
    """Send what is due whenever it is due, for so long by the test's clock; how often it was tried."""
    last, tries = clock.at + until, 0
    while (due_in := sender.due_in()) is not None and clock.at + due_in * SECOND <= last:
        clock.at += due_in * SECOND
        if down:
            down.fail(503)
        sender.send_due()
        tries += 1
    clock.at = last
    return tries


class Crashing:
    """The process ends before the request, or after the answer and before anything is recorded."""

    def __init__(self, channel: Channel, *, after: bool) -> None:
        self._channel, self._after = channel, after
        self.name, self.dialect, self.traits = channel.name, channel.dialect, channel.traits

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if self._after:
            self._channel.send(message, envelope)
        raise SystemExit

    def find(self, envelope: Envelope, *, since: datetime) -> Receipt | None:
        return self._channel.find(envelope, since=since) if isinstance(self._channel, Settles) else None

    def check(self) -> Iterable[Check]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


def naming(slack: FakeSlack, name: str) -> list[Post]:
    return [post for post in slack.posts if name in json.dumps(post.blocks)]


def check_blocks(slack: FakeSlack) -> None:
    for post in slack.posts:
        assert len(json.dumps(post.blocks, ensure_ascii=False)) < 12_000
        for block in Block.parse_all(post.blocks):
            block.validate_json()


def test_a_storm_of_five_hundred_is_three_posts_a_second_apart_and_names_every_key_once(
    store: Store, slack: FakeSlack, clock: SetClock
) -> None:
    names = [f"customer-{n:03d}-production" for n in range(500)]
    breach(store, *names, at=clock)
    began = monotonic()
    assert delivery(store, slack, clock).send_due() == 3
    assert monotonic() - began > 2
    assert [len(naming(slack, name)) for name in names] == [1] * 500
    check_blocks(slack)


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("quirk", ["hang", "drop", "fail"])
def test_a_roundup_whose_answer_got_lost_stands_there_exactly_once(
    store: Store, slack: FakeSlack, clock: SetClock, quirk: str, taken: bool
) -> None:
    names = [f"key-{n:02d}" for n in range(30)]
    breach(store, *names, at=clock)
    getattr(slack, quirk)(taken=taken, on="chat.postMessage")
    sender = delivery(store, slack, clock)
    assert sender.send_due() == 0
    breach(store, "later", at=clock)
    run(sender, clock, until=60 * SECOND)
    assert [len(naming(slack, name)) for name in [*names, "later"]] == [1] * 31
    assert len(slack.posts) == (2 if taken else 1)  # what surely did not arrive is put together anew


def outage(store: Store, slack: FakeSlack, clock: SetClock, alerts: list[Alert]) -> None:
    """Down for half an hour, in the middle of which the first five of the alerts end; then a minute in which it works.

    That the posts are a second apart is seen elsewhere; here a second is counted for each of them.
    """
    sender = delivery(store, slack, clock)
    tries = run(sender, clock, until=15 * 60 * SECOND, down=slack)
    for each in alerts[:5]:
        over = end(store, each.id, at=clock.at)
        with store.write() as work:
            work.outbox.add([Notification("ops", Change.RESOLVED, over, clock.at, manner=Manner.IN_PLACE)])
    tries += run(sender, clock, until=15 * 60 * SECOND, down=slack)
    assert 180 <= tries == len(slack.requests) < 360
    while (due_in := sender.due_in()) is not None:
        clock.at += due_in * SECOND
        assert due_in + len(slack.posts) < 60
        sender.send_due()
    check_blocks(slack)


@pytest.mark.parametrize("at_once", [True, False])
def test_after_an_outage_each_alert_that_matters_is_told_within_a_minute_and_nothing_stale(
    store: Store, slack: FakeSlack, clock: SetClock, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    monkeypatch.setattr(send, "_SPACING", {})
    names = [f"key-{n:02d}" for n in range(40)]
    polls = [names] if at_once else [[name] for name in names]
    outage(store, slack, clock, [alert for poll in polls for alert in breach(store, *poll, at=clock)])
    *told, passed = slack.posts
    assert passed.text == "5 alerts came and went while this channel could not be reached"
    assert [naming(slack, name) for name in names] == [[passed]] * 5 + [[post] for post in told]


def test_a_backlog_that_would_take_longer_than_a_minute_is_a_list(
    store: Store, slack: FakeSlack, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_SPACING", {})
    names = [f"key-{n:02d}" for n in range(41)]
    outage(store, slack, clock, [alert for name in names for alert in breach(store, name, at=clock)])
    told, passed = slack.posts
    assert told.text.startswith("36 CRITICAL at once")
    assert [naming(slack, name) for name in names] == [[passed]] * 5 + [[told]] * 36


def test_three_that_still_matter_after_an_outage_are_told_in_full(
    store: Store, slack: FakeSlack, clock: SetClock
) -> None:
    alerts = breach(store, "a-1", "a-2", "a-3", "a-4", at=clock)
    slack.fail(503)
    sender = delivery(store, slack, clock)
    sender.send_due()
    end(store, alerts[1].id, at=clock.at)
    run(sender, clock, until=60 * SECOND)
    assert [post.text.split()[0] for post in slack.posts] == ["CRITICAL", "CRITICAL", "CRITICAL", "1"]


def test_the_wish_for_a_pause_is_obeyed_to_the_second_in_the_middle_of_a_storm(
    store: Store, slack: FakeSlack, clock: SetClock
) -> None:
    names = [f"customer-{n:03d}-production" for n in range(300)]
    breach(store, *names, at=clock)
    sender = delivery(store, slack, clock)
    slack.limit(30, on="chat.postMessage")
    assert (sender.send_due(), len(slack.requests)) == (0, 1)
    clock.at += 29.9 * SECOND
    assert (sender.send_due(), len(slack.requests)) == (0, 1)
    clock.at += 0.1 * SECOND
    assert sender.send_due() == 3
    assert [len(naming(slack, name)) for name in names] == [1] * 300


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("1", 1, 1),
        ("30", 30, 30),
        ("120", 120, 120),
        *((senseless, 0.9, 2) for senseless in ("soon", "-5", "9" * 12, "Mon, 02 Mar 2026 12:02:00")),
    ],
)
def test_nothing_goes_out_before_the_pause_is_over_and_other_channels_do_not_wait(
    asked: str, least: float, most: float, store: Store, slack: FakeSlack, clock: SetClock
) -> None:
    """What makes no sense leaves the pause to us."""
    (alert,) = breach(store, "a", at=clock)
    with store.write() as work:
        work.outbox.add([Notification("mail", Change.OPENED, alert, NOON, "mail")])
    slack.limit(asked, on="chat.postMessage")
    sender, mail = delivery(store, slack, clock), FakeChannel(name="mail")
    assert sender.send_due() == 0
    assert Delivery(store, mail, OwnerRenderer(), clock).send_due() == 1
    due_in = sender.due_in()
    assert due_in is not None
    assert least <= due_in <= most
    clock.at += (due_in - 0.1) * SECOND
    assert (sender.send_due(), len(slack.requests)) == (0, 1)
    clock.at += 0.1 * SECOND
    assert (sender.send_due(), len(slack.posts)) == (1, 1)


def test_the_loop_wakes_up_when_the_pause_is_over_and_not_at_its_next_look(
    store: Store, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "_LOOK_EVERY", 10.0)
    clock = SetClock()
    clock.at = SystemClock().now()
    breach(store, "a-1", at=clock)
    slack.limit(1)
    postman = Postman(store, {"ops": channel(slack)}, RENDERER, SystemClock())
    began = monotonic()
    postman.start()
    wait_until(lambda: slack.posts, "the post")
    took = monotonic() - began
    postman.stop(within=5 * SECOND)
    assert 1 <= took < 3


def test_a_crash_between_the_writing_of_a_group_and_its_sending_loses_and_doubles_nothing(
    store: Store, slack: FakeSlack, clock: SetClock, open_store: Callable[[], Store]
) -> None:
    names = [f"customer-{n:03d}-production" for n in range(300)]
    breach(store, *names, at=clock)
    for after in (False, True):
        sender = Delivery(open_store(), Crashing(channel(slack), after=after), RENDERER, clock)
        with pytest.raises(SystemExit):
            sender.send_due()
        assert sender.send_due() == 0
        clock.at += 5 * SECOND
    run(delivery(open_store(), slack, clock), clock, until=60 * SECOND)
    assert len(slack.posts) == 3
    assert [len(naming(slack, name)) for name in names] == [1] * 300


def test_the_next_process_keeps_a_second_apart_from_what_another_one_posted(
    store: Store, slack: FakeSlack, open_store: Callable[[], Store]
) -> None:
    arrived = list[float]()
    clock = SystemClock()
    for name in ("a", "b"):
        with store.write() as work:
            (made,) = work.alerts.record([opened(id=0, period=name)])
            work.outbox.add([Notification("ops", Change.OPENED, made.alert, clock.now())])
        assert Delivery(open_store(), channel(slack), RENDERER, clock).send_due() == 1
        arrived.append(monotonic())
    assert arrived[1] - arrived[0] > 0.95


def test_two_processes_on_one_outbox_tell_everything_once(
    store: Store, open_store: Callable[[], Store], clock: SetClock
) -> None:
    told: list[FakeChannel] = [FakeChannel() for _ in range(3)]
    postmen = [Postman(open_store(), {"ops": one}, OwnerRenderer(), clock) for one in told]
    for postman in postmen:
        postman.start()
    for n in range(30):
        with store.write() as work:
            (made,) = work.alerts.record([Transition(opened(id=0, period=f"{n}").alert, Change.OPENED, NOON)])
            work.outbox.add([Notification("ops", Change.OPENED, made.alert, NOON, f"n{n}")])
        for postman in postmen:
            postman.ring()

    def nothing_waits() -> bool:
        with store.read() as work:
            return work.outbox.next_due("ops") is None

    wait_until(nothing_waits, "an empty outbox")
    for postman in postmen:
        postman.stop(within=5 * SECOND)
    words = " ".join(text.replace(",", " ") for one in told for text in one.words()).split()
    assert sorted(word for word in words if word[0] == "n") == sorted(f"n{n}" for n in range(30))
    with store.read() as work:
        assert {alert.status for alert in work.alerts.all()} == {Status.OPEN}


@pytest.mark.parametrize("readable", [True, False])
def test_a_post_whose_answer_got_lost_comes_once_or_where_nothing_can_be_read_once_more_and_marked(
    store: Store, slack: FakeSlack, clock: SetClock, readable: bool
) -> None:
    breach(store, "a-1", at=clock)
    slack.drop(taken=True, on="chat.postMessage")
    if not readable:
        slack.refuse("missing_scope", on="conversations.history")

    run(delivery(store, slack, clock), clock, until=300 * SECOND)

    marked = [
        "May be a repeat of a message whose delivery could not be confirmed" in str(p.blocks) for p in slack.posts
    ]
    assert marked == ([False] if readable else [False, True])
    assert [post.text.endswith("(may be a repeat)") for post in slack.posts] == marked


def tell(
    store: Store, alert_id: int, change: Change, manner: Manner, at: SetClock, note: str = "", **more: Any
) -> None:
    with store.write() as work:
        known = work.alerts.get(alert_id)
        assert known is not None
        alert = replace(known, **more)
        work.alerts.record([Transition(alert, change, at.at)])
        work.outbox.add([Notification("ops", change, alert, at.at, manner=manner, note=note)])


def words(post: Post) -> str:
    return json.dumps(post.blocks, ensure_ascii=False)


def told_in_full(store: Store, slack: FakeSlack, clock: SetClock) -> None:
    """Opened, grown worse, acknowledged, over; each delivered before the next."""
    breach(store, "a-1", at=clock)
    sender = delivery(store, slack, clock)
    ana = {"status": Status.ACKNOWLEDGED, "acknowledged_by": "ana"}
    over = {"status": Status.RESOLVED, "resolved_at": clock.at + 90 * MINUTE}
    for change, manner, note, more in (
        (Change.ESCALATED, Manner.POST, "", {}),
        (Change.ACKNOWLEDGED, Manner.IN_PLACE_ONLY, "looking", ana),
        (Change.RESOLVED, Manner.IN_PLACE, "", over),
    ):
        run(sender, clock, until=100 * SECOND)
        tell(store, 1, change, manner, clock, note, **more)
    run(sender, clock, until=100 * SECOND)


def test_a_problem_is_one_message_with_its_story_in_the_thread_of_the_first(
    store: Store, slack: FakeSlack, clock: SetClock
) -> None:
    told_in_full(store, slack, clock)

    first, latest = [post for post in slack.posts if not post.thread_ts]
    assert "Told anew: a-1" in words(first)
    assert f"/p{latest.ts.replace('.', '')}" in words(first)
    assert latest.text.startswith("Resolved: a-1")
    assert f"/p{first.ts.replace('.', '')}" in words(latest)
    assert "Open the first message" not in words(first)
    lines = [post.text.partition(" UTC ")[2] for post in slack.posts if post.thread_ts == first.ts]
    assert lines == [
        "grew worse: it is at 96 % of its daily cap",
        "acknowledged by ana: looking",
        "over, after 1 h 30 min",
    ]
    with store.read() as work:
        reasons = [row.reason for row in work.outbox.story(1) if row.change == "updated"]
    assert reasons[1] == "a line in the thread: grew worse: it is at 96 % of its daily cap"


@pytest.mark.parametrize("number", range(1, 9))
def test_the_story_is_told_once_whichever_answer_gets_lost(
    store: Store, slack: FakeSlack, clock: SetClock, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th request that says something is taken, and its answer never comes."""
    usual, said = slack._usual, iter(range(1, 100))

    def lose(method: str, request: Any) -> Any:
        answer = usual(method, request)
        if method in ("chat.postMessage", "chat.update") and next(said) == number:
            return 504, "gateway timeout", {}
        return answer

    monkeypatch.setattr(slack, "_usual", lose)
    told_in_full(store, slack, clock)

    assert len([post for post in slack.posts if not post.thread_ts]) == 2
    assert len([post for post in slack.posts if post.thread_ts]) == 3
    assert len({post.outbox_id for post in slack.posts}) == 5


def test_a_thread_that_is_gone_alarms_nobody(store: Store, slack: FakeSlack, clock: SetClock) -> None:
    breach(store, "a-1", at=clock)
    sender = Delivery(store, channel(slack), RENDERER, clock, others=["mail"])
    run(sender, clock, until=100 * SECOND)
    tell(store, 1, Change.ACKNOWLEDGED, Manner.IN_PLACE_ONLY, clock, status=Status.ACKNOWLEDGED)
    slack.refuse("thread_not_found", on="chat.postMessage")
    run(sender, clock, until=100 * SECOND)

    with store.read() as work:
        assert work.outbox.counts().get(("mail", "waiting"), 0) == 0
        assert not work.outbox.dead_letters()
        assert work.outbox.story(1)[-1].status == "withheld"
