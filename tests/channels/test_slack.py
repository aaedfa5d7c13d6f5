"""Slack by bot token: what it answers, what is read back, what can still be changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowy_watch.channels.base import Settles
from flowy_watch.channels.slack import ADVICE, SlackChannel, SlackConfig
from flowy_watch.core.message import SlackMessage
from flowy_watch.errors import ChannelError, Doubtful, Refused, TryLater
from flowy_watch.simulator.people import FakeSlack

from .receiver import Receiver
from .rigs import SLACK_MESSAGE, envelope

SENT_AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
LONG_AGO = SENT_AT - timedelta(minutes=1)
RESOLVED = SlackMessage("over", ({"type": "section", "text": {"type": "plain_text", "text": "over"}},))


class Stopped:
    speed = 1.0

    def now(self) -> datetime:
        return SENT_AT


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack(clock=Stopped()) as slack:
        yield slack


def channel_of(slack: FakeSlack, **options: Any) -> SlackChannel:
    given = {"token": slack.token, "channel": "C0SIM", "api_url": slack.url, "timeout": timedelta(seconds=5)}
    return SlackChannel("ops", SlackConfig.model_validate(given | options))


def test_a_post_names_its_outbox_id_and_pings_and_unfurls_nothing(slack: FakeSlack) -> None:
    receipt = channel_of(slack).send(SLACK_MESSAGE, envelope("n-7"))

    (post,) = slack.posts
    assert receipt.remote_id == f"C0SIM:{post.ts}"
    assert post.outbox_id == "n-7"
    assert {name: post.payload[name] for name in ("parse", "link_names", "unfurl_links", "unfurl_media")} == {
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


@pytest.mark.parametrize("error", ADVICE)
def test_a_permanent_error_says_what_to_do(slack: FakeSlack, error: str) -> None:
    slack.refuse(error)

    with pytest.raises(Refused, match=rf'Slack refused channel "ops" \({error}\): .+'):
        channel_of(slack).send(SLACK_MESSAGE, envelope())


@pytest.mark.parametrize(
    ("block", "times", "error"),
    [({"type": "divider"}, 51, "invalid_blocks"), (SLACK_MESSAGE.blocks[0] | {"block_id": "x" * 999}, 14, "too_long")],
)
def test_a_message_beyond_slacks_limits_is_refused(
    slack: FakeSlack, block: dict[str, Any], times: int, error: str
) -> None:
    with pytest.raises(Refused, match=error):
        channel_of(slack).send(SlackMessage("x", (block,) * times), envelope())
    assert not slack.posts


def test_retry_after_is_passed_on_to_the_second(slack: FakeSlack) -> None:
    slack.limit(17)

    with pytest.raises(TryLater) as caught:
        channel_of(slack).send(SLACK_MESSAGE, envelope())

    assert caught.value.retry_after == timedelta(seconds=17)


def test_errors_after_which_slack_may_have_posted_are_doubts(slack: FakeSlack) -> None:
    for script in (lambda: slack.refuse("internal_error"), lambda: slack.fail(504), slack.garble):
        script()
        with pytest.raises(Doubtful):
            channel_of(slack).send(SLACK_MESSAGE, envelope())


@pytest.mark.parametrize("body", ["", "[]", "null", '{"ok": true}', '{"ok": tru', '"ok"', "\x00"])
def test_an_answer_that_makes_no_sense_is_a_doubt(slack: FakeSlack, body: str) -> None:
    slack.garble(body)

    with pytest.raises(Doubtful):
        channel_of(slack).send(SLACK_MESSAGE, envelope())


def test_the_token_follows_no_redirect(slack: FakeSlack) -> None:
    with Receiver() as elsewhere, Receiver() as moved:
        moved.then(302, Location=f"{elsewhere.url}/api/chat.postMessage")

        with pytest.raises(Refused, match=r"HTTP 302 .+ is channels.ops.api_url right"):
            channel_of(slack, api_url=f"{moved.url}/api/").send(SLACK_MESSAGE, envelope())

    assert not elsewhere.requests


def test_an_answer_without_an_end_is_a_doubt(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowy_watch.channels.slack.MOST_READ", 100)
    slack.garble("x" * 101)

    with pytest.raises(Doubtful):
        channel_of(slack).send(SLACK_MESSAGE, envelope())


def test_a_doubtful_post_that_arrived_is_found(slack: FakeSlack) -> None:
    channel = channel_of(slack)
    assert isinstance(channel, Settles)
    slack.drop(taken=True)
    with pytest.raises(Doubtful):
        channel.send(SLACK_MESSAGE, envelope("n-7"))

    receipt = channel.find(envelope("n-7"), since=LONG_AGO)

    assert receipt is not None
    assert receipt.remote_id == f"C0SIM:{slack.posts[0].ts}"


def test_a_doubtful_post_that_did_not_arrive_is_not_found(slack: FakeSlack) -> None:
    channel = channel_of(slack)
    channel.send(SLACK_MESSAGE, envelope("n-6"))
    slack.drop(taken=False)
    with pytest.raises(Doubtful):
        channel.send(SLACK_MESSAGE, envelope("n-7"))

    assert channel.find(envelope("n-7"), since=LONG_AGO) is None


def test_a_post_is_found_behind_many_pages(slack: FakeSlack) -> None:
    channel = channel_of(slack)
    for number in range(450):
        slack.keep("C0SIM", {"text": "x", "metadata": _metadata(f"n-{number}")})

    assert channel.find(envelope("n-0"), since=LONG_AGO) is not None
    assert slack.requests.count("conversations.history") == 3


def test_clocks_that_differ_by_minutes_do_not_hide_a_post(slack: FakeSlack) -> None:
    channel = channel_of(slack)
    channel.send(SLACK_MESSAGE, envelope("n-7"))

    assert channel.find(envelope("n-7"), since=SENT_AT + timedelta(minutes=5)) is not None
    assert channel.find(envelope("n-7"), since=SENT_AT + timedelta(hours=4)) is None


def _metadata(outbox_id: str) -> dict[str, Any]:
    return {"event_type": "flowy_watch", "event_payload": {"outbox_id": outbox_id}}


def test_what_cannot_be_read_back_is_an_error_and_not_an_absence(slack: FakeSlack) -> None:
    slack.refuse("missing_scope", on="conversations.history")

    with pytest.raises(ChannelError):
        channel_of(slack).find(envelope("n-7"), since=LONG_AGO)


@pytest.mark.parametrize("part", ['"messages": 7', '"messages": {"a": 1}', '"messages": null'])
def test_a_channel_that_cannot_be_read_back_proves_nothing(slack: FakeSlack, part: str) -> None:
    slack.garble(f'{{"ok": true, {part}}}')

    with pytest.raises(Doubtful):
        channel_of(slack).find(envelope(), since=LONG_AGO)


@pytest.mark.parametrize("metadata", ['"x"', "7", "[]", '{"event_type": "flowy_watch", "event_payload": "x"}'])
def test_a_strange_message_in_the_channel_is_passed_over(slack: FakeSlack, metadata: str) -> None:
    slack.garble(f'{{"ok": true, "messages": [1, {{"metadata": {metadata}}}], "response_metadata": "x"}}')

    assert channel_of(slack).find(envelope(), since=LONG_AGO) is None


def test_an_update_changes_the_earlier_message_in_place(slack: FakeSlack) -> None:
    channel = channel_of(slack)
    first = channel.send(SLACK_MESSAGE, envelope("n-7"))

    receipt = channel.send(RESOLVED, envelope("n-8", first=False, update_of=first.remote_id))

    (post,) = slack.posts
    assert receipt == first
    assert (post.text, post.blocks, post.outbox_id) == ("over", [dict(RESOLVED.blocks[0])], "n-8")


def test_a_deleted_message_is_replaced_by_a_new_one(slack: FakeSlack) -> None:
    channel = channel_of(slack)
    first = channel.send(SLACK_MESSAGE, envelope("n-7"))
    slack.forget(slack.posts[0].ts)

    channel.send(RESOLVED, envelope("n-8", first=False, update_of=first.remote_id))

    assert [(post.text, post.thread_ts) for post in slack.posts] == [("over", "")]


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
def test_a_message_that_may_not_be_changed_is_answered_in_its_thread(slack: FakeSlack, error: str) -> None:
    channel = channel_of(slack)
    first = channel.send(SLACK_MESSAGE, envelope("n-7"))
    slack.refuse(error, on="chat.update")

    update = envelope("n-8", first=False, update_of=first.remote_id)
    channel.send(RESOLVED, update)

    assert [(post.text, post.thread_ts) for post in slack.posts] == [
        ("hello", ""),
        ("over", slack.posts[0].ts),
    ]
    found = channel.find(update, since=LONG_AGO)
    assert found is not None
    assert found.remote_id == f"C0SIM:{slack.posts[1].ts}"


def test_check_tells_what_the_bot_may_do(slack: FakeSlack) -> None:
    assert [(line.ok, line.detail) for line in channel_of(slack).check()] == [
        (True, "Slack knows the bot as flowy-watch in Simulated"),
        (True, "may post to #alerts"),
    ]


def test_check_says_which_permission_is_missing(slack: FakeSlack) -> None:
    slack.scopes = "channels:history"

    lines = list(channel_of(slack).check())

    assert [line.ok for line in lines] == [True, False, True]
    assert "chat:write" in lines[1].detail
    assert "channels:read" in lines[2].detail


def test_check_finds_a_channel_that_does_not_exist(slack: FakeSlack) -> None:
    lines = list(channel_of(slack, channel="C0NONE").check())

    assert [line.ok for line in lines] == [True, False]
    assert "channels.ops.channel" in lines[1].detail


@pytest.mark.parametrize("body", ['{"ok": true, "channel": "C0SIM"}', '{"ok": true}', "[]"])
def test_check_survives_answers_of_another_form(slack: FakeSlack, body: str) -> None:
    slack.garble('{"ok": true, "user": {"a": 1}, "team": []}')
    slack.garble(body)

    assert len(list(channel_of(slack).check())) == 2
