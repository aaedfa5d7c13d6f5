"""Names come from elsewhere: they ping nobody, forge nothing, and never stop an alert."""

import json
import re
import shlex
from dataclasses import replace
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.channels.base import Envelope
from flowy_watch.channels.email import EmailChannel, EmailConfig
from flowy_watch.channels.slack import SlackChannel, SlackConfig
from flowy_watch.core.finding import Finding
from flowy_watch.core.message import EmailMessage, SlackMessage
from flowy_watch.core.pattern import matches
from flowy_watch.simulator.people import FakeSlack, MailSink

from .notices import CAP, KEYS_URL, mail, named, notification, parts_of, slack

NAMES = {
    "ping": "<!channel>",
    "mention": "<@U123> @here",
    "link": "<https://evil.example|Revoke>",
    "bare link": "https://evil.example/revoke",
    "bold": "*bold* _italic_ ~gone~",
    "backticks": "```` `code` ```",
    "right to left": "\u202eredner-dorp\u2066",
    "line separator": "prod\u2028render\u2029x\x85y\x0bz",
    "header": "prod\r\nBcc: eve@example.com\r\n\r\n<h1>hi</h1>",
    "html": '<script>alert(1)</script><img src="https://evil.example/x.png" onerror="x">',
    "attribute": '" onclick=\'x\'><a href="https://evil.example">',
    "json": '", "type": "mrkdwn"}, {"x": "\\',
    "jinja": "{{ 7 * 7 }}{% raw %}",
    "encoded word": "=?utf-8?q?Resolved?=",
    "nul": "a\x00b\x1b[31mred",
    "surrogate": "a\ud800b",
    "long": "n" * 10_000,
    "long words": "name " * 2_000,
    "emoji": "🔑👩‍👩‍👧‍👦🏳️‍🌈" * 40,
    "shell": "'; rm -rf ~; echo '$(id)`id`",
    "option": "--help",
    "shortcode": ":fire: &lt;!channel&gt; &amp;",
    "secret": "flw_sk_abcdef0123456789",
    "spaces": " \t ",
    "empty": "",
}


def everywhere(name: str) -> Finding:
    """A finding in which every word from elsewhere is hostile."""
    return replace(
        named(name),
        key_id=name,
        last_four=name[-4:],
        evidence=(name, *[f"{name} again"] * 10),
        suspicious_only=True,
    )


def messages(name: str) -> tuple[SlackMessage, EmailMessage]:
    what = notification(everywhere(name), owner=name, also=(f"{name} x", name), note=name)
    return slack(what), mail(what)


ALLOWED_TAGS = {"html", "head", "meta", "title", "style", "body", "div", "h1", "ul", "li", "strong", "code", "a", "wbr"}


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}


def assert_harmless_slack(message: SlackMessage) -> None:
    assert not set("<>") & set(message.text)
    assert not set("*`~\r\n") & set(message.text)
    assert message.text.count("&") == sum(message.text.count(e) for e in ("&lt;", "&gt;", "&amp;"))
    assert_within_limits(message)
    for part in parts_of(message.blocks):
        assert part.get("type") != "mrkdwn"
        assert part.get("type") != "link"
        assert part.get("url", KEYS_URL) == KEYS_URL


def assert_within_limits(message: SlackMessage) -> None:
    assert len(message.blocks) <= 50
    assert len(json.dumps(message.blocks, ensure_ascii=False)) < 12_000
    assert 0 < len(message.blocks[0]["text"]["text"]) <= 150
    for part in parts_of(message.blocks):
        if part.get("type") in ("text", "plain_text", "link"):
            assert 0 < len(part["text"]) <= 3000
        if "elements" in part:
            assert part["elements"]


def assert_harmless_mail(message: EmailMessage) -> None:
    tags = Tags(message.html)
    assert tags.links == {KEYS_URL}
    assert tags.tags <= ALLOWED_TAGS
    assert tags.attributes <= {"lang", "charset", "name", "content", "class", "style", "href"}
    assert message.subject.replace("\u200d", "").isprintable()
    assert len(message.subject) <= 110
    assert len(message.html.encode()) < 102_000
    assert all(c.isprintable() or c == "\n" or c == "\u200d" for c in message.text)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_is_harmless_in_slack(name: str) -> None:
    assert_harmless_slack(messages(name)[0])


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_name_is_harmless_in_mail(name: str) -> None:
    assert_harmless_mail(messages(name)[1])


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_name_is_harmless_everywhere(name: str) -> None:
    for_slack, for_mail = messages(name)
    assert_harmless_slack(for_slack)
    assert "\n" not in for_mail.subject
    assert Tags(for_mail.html).links == {KEYS_URL}


def test_an_alert_leaves_whatever_the_key_is_called() -> None:
    with FakeSlack() as workspace, MailSink() as sink:
        to_slack = SlackChannel(
            "ops", SlackConfig.model_validate({"token": workspace.token, "channel": "C0SIM", "api_url": workspace.url})
        )
        options: dict[str, Any] = {"host": sink.host, "port": sink.port, "security": "none"}
        people = {"from": "watch@example.com", "to": ["ana@example.com"]}
        to_mail = EmailChannel("mail", EmailConfig.model_validate(options | people))
        for place, name in enumerate(NAMES.values()):
            for_slack, for_mail = messages(name)
            to_slack.send(for_slack, Envelope(f"s-{place}", "alert-12"))
            to_mail.send(for_mail, Envelope(f"m-{place}", "alert-12"))
            assert sink.mails[-1].subject == for_mail.subject

        assert len(workspace.posts) == len(sink.mails) == len(NAMES)
        assert b"\nBcc:" not in b"".join(mail.raw.split(b"\r\n\r\n")[0] for mail in sink.mails)
        for sent in sink.mails:
            assert_well_formed(sent.raw)


def assert_well_formed(raw: bytes) -> None:
    """Python's parser at its strictest finds no fault, nor would a server that counts."""
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    for part in message_from_bytes(raw, policy=policy.strict).walk():
        assert not part.defects
        for header in part.values():
            assert not getattr(header, "defects", ())
        if not part.is_multipart():
            assert part.get_content()  # type: ignore[attr-defined]  # an EmailMessage, by its policy


def test_the_ping_and_the_forged_link_are_shown_as_what_they_are() -> None:
    assert slack(notification(named("<!channel>"))).text.startswith("CRITICAL &lt;!channel&gt; is at 96 %")
    assert "&lt;https://evil.example|Revoke&gt;" in mail(notification(named("<https://evil.example|Revoke>"))).html


def test_underscores_inside_of_a_name_stay() -> None:
    assert slack(notification(named("prod_render_2"))).text.startswith("CRITICAL prod_render_2 is")


def test_a_secret_used_as_a_name_is_hidden() -> None:
    both = str(messages("flw_sk_abcdef0123456789"))
    assert "flw_sk_abc" not in both
    assert "[hidden]" in both


def test_a_long_name_leaves_room_for_how_bad_it_is() -> None:
    assert "is at 96 % of its daily cap" in mail(notification(named("n" * 10_000))).subject


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_commands_can_be_pasted_into_a_shell(name: str) -> None:
    finding = replace(CAP, key_name=name, key_id="key_1")
    commands = [
        part["text"]
        for part in parts_of(slack(notification(finding)).blocks)
        if part.get("type") == "text" and part.get("style", {}).get("code")
    ]

    silence = next(command for command in commands if " silence " in command)
    expect = next(command for command in commands if " --until " in command)
    assert len(shlex.split(silence)) == 5
    assert len(shlex.split(expect)) == 5
    assert "-" not in (shlex.split(silence)[2][0], shlex.split(expect)[2][0])


@pytest.mark.parametrize(("name", "silenced"), [("prod-*", "key_1"), ("prod [eu]?", "prod [eu]?")])
def test_a_key_called_like_a_pattern_silences_only_itself(name: str, silenced: str) -> None:
    commands = str(slack(notification(replace(named(name), key_id="key_1"))).blocks)

    assert f"silence '{silenced}' --for 24h" in commands
    assert matches(silenced, name, "key_1")
    assert not matches(silenced, "prod-render", "key_2")
