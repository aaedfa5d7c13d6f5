"""Slack by incoming webhook: its own words for what is wrong."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from flowy_watch.channels.slack_webhook import SlackWebhookChannel, SlackWebhookConfig
from flowy_watch.errors import Doubtful, Refused, TryLater
from flowy_watch.simulator.people import FakeSlack

from .rigs import SLACK_MESSAGE, envelope


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as slack:
        yield slack


@pytest.fixture
def channel(slack: FakeSlack) -> Iterator[SlackWebhookChannel]:
    config = SlackWebhookConfig.model_validate({"url": slack.webhook_url, "timeout": timedelta(seconds=5)})
    channel = SlackWebhookChannel("hook", config)
    yield channel
    channel.close()


def test_the_message_arrives_with_text_and_blocks(slack: FakeSlack, channel: SlackWebhookChannel) -> None:
    channel.send(SLACK_MESSAGE, envelope())

    assert [(post.text, post.blocks) for post in slack.posts] == [("hello", [dict(SLACK_MESSAGE.blocks[0])])]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("invalid_payload", "bug"),
        ("no_service", r"channels\.hook\.url"),
        ("channel_is_archived", "unarchive"),
        ("action_prohibited", "administrator"),
        ("something <new>", r"channels\.hook\.url"),
    ],
)
def test_a_permanent_error_says_what_to_do(
    slack: FakeSlack, channel: SlackWebhookChannel, error: str, advice: str
) -> None:
    slack.refuse(error)

    with pytest.raises(Refused, match=advice):
        channel.send(SLACK_MESSAGE, envelope())


def test_retry_after_is_passed_on_to_the_second(slack: FakeSlack, channel: SlackWebhookChannel) -> None:
    slack.limit(30)

    with pytest.raises(TryLater) as caught:
        channel.send(SLACK_MESSAGE, envelope())

    assert caught.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("answer", ["ok", "", '{"ok": true}', '{"success":true}'])
def test_every_answer_of_success_is_a_delivery(slack: FakeSlack, channel: SlackWebhookChannel, answer: str) -> None:
    slack.garble(answer)

    channel.send(SLACK_MESSAGE, envelope())

    assert len(slack.posts) == 1


@pytest.mark.parametrize("answer", ["<html>welcome</html>", '{"ok": false, "error": "x"}'])
def test_an_answer_that_makes_no_sense_is_a_doubt(slack: FakeSlack, channel: SlackWebhookChannel, answer: str) -> None:
    slack.garble(answer)

    with pytest.raises(Doubtful):
        channel.send(SLACK_MESSAGE, envelope())


@pytest.mark.parametrize("url", ["", "hooks.slack.com/services/T/B/x", "ftp://h/x", "https://", "https://h:port/x"])
def test_half_an_address_is_refused_by_the_configuration(url: str) -> None:
    with pytest.raises(ValidationError, match="whole address"):
        SlackWebhookConfig.model_validate({"url": url})
