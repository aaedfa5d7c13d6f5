"""Who gets which digest, by the configuration."""

from typing import Any

import pytest

from flowy_watch.app import digest_plan, editions
from flowy_watch.core.edition import Edition
from flowy_watch.core.period import Period, Span
from flowy_watch.errors import SettingsError
from flowy_watch.settings import Settings, parse

CHANNELS = """
[source]
token = "t"
[workspace]
timezone = "Asia/Tokyo"
[channels.mail]
kind = "email"
host = "smtp.example.com"
from = "watch@example.com"
to = ["Ana <ana@example.com>", "ben@example.com"]
[channels.ops]
kind = "slack"
token = "xoxb-not-a-real-token"
channel = "C0123456789"
[channels.pager]
kind = "pagerduty"
routing_key = "0123456789abcdef0123456789abcdef"
"""


def settings(text: str, **environ: str) -> Settings:
    return parse(f"{CHANNELS}\n[digest]\n{text}", environ=environ)


def weekly(text: str) -> list[Any]:
    return [one for one in editions(settings(text)) if one.span is Span.WEEK]


def test_nobody_gets_a_digest_until_channels_are_named() -> None:
    assert editions(settings("")) == []


def test_each_recipient_of_a_mail_channel_gets_their_own_and_a_slack_channel_one() -> None:
    assert weekly('channels = ["mail", "ops"]') == [
        Edition("mail", "ana@example.com"),
        Edition("mail", "ben@example.com"),
        Edition("ops"),
    ]


def test_recipients_of_the_digest_take_the_place_of_the_channels_own() -> None:
    text = 'channels = ["mail", "ops"]\nrecipients = ["boss@example.com", "boss@example.com"]'
    assert weekly(text) == [Edition("mail", "boss@example.com"), Edition("ops")]


def test_an_owner_has_an_edition_of_their_own() -> None:
    text = '[[digest.editions]]\nowner = "media"\nchannels = ["mail"]\nrecipients = ["media@example.com"]'
    assert weekly(text) == [Edition("mail", "media@example.com", "media")]


def test_the_finished_month_comes_too_unless_it_is_not_wanted() -> None:
    assert {one.span for one in editions(settings('channels = ["ops"]'))} == {Span.WEEK, Span.MONTH}
    assert {one.span for one in editions(settings('channels = ["ops"]\nmonthly = false'))} == {Span.WEEK}


def test_the_calendar_is_in_the_workspaces_zone_unless_the_digest_has_its_own() -> None:
    week = Period.parse("2026-W47")
    for text, hour in (('time = "18:00"', 9), ('time = "18:00"\ntimezone = "Europe/Madrid"', 17)):
        assert digest_plan(settings(text)).calendar.due_at(week).hour == hour


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('channels = ["pager"]', "digest.channels[0] must be one of the channels that people read: mail, ops"),
        ('channels = ["nobody"]', "digest.channels[0] must be one of"),
        ('[[digest.editions]]\nowner = "a"\nchannels = ["pager"]', "digest.editions[0].channels[0] must be one of"),
        ('[[digest.editions]]\nowner = ""\nchannels = ["ops"]', "digest.editions[0].owner must not be empty"),
        ('[[digest.editions]]\nowner = "a"', "digest.editions[0].channels is missing"),
        ('recipients = ["not an address"]', "digest.recipients[0] must be a mail address"),
        ('empty = "perhaps"', "digest.empty"),
        ('recipient = ["a@b.example"]', "digest.recipient is no option; did you mean digest.recipients?"),
    ],
)
def test_a_mistake_is_named_and_says_what_is_possible(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(text)
    assert said in str(refused.value)
