"""Slack takes whatever we can say, told by an oracle made from Slack's own packages."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.core.alert import Change
from flowy_watch.core.bundle import Form
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.message import Dialect, SlackMessage
from flowy_watch.core.notification import Notification, undelivered
from flowy_watch.detectors import DETECTORS
from flowy_watch.render import Reader, Renderer

from .block_kit import objection
from .notices import BALANCE, BLIND, CAP, NOW, RENDERER, SAFEGUARD, STAKES, named, notification, slack
from .test_hostile_names import NAMES, everywhere

pytestmark = pytest.mark.no_cover  # most of the work is the schema's, and every renderer has its own tests
KINDS = tuple(DETECTORS)
UNKNOWN_MONEY = replace(
    STAKES, daily_cap=None, cap_hit_at=None, at_risk_today=None, at_risk_next_day=None, balance=None
)
BARE = Renderer(Reader("", "", ZoneInfo("UTC")))
WORDY = Renderer(Reader("W" * 10_000, "https://" + "u" * 2_900, ZoneInfo("Asia/Kathmandu")))


def finding(kind: str, severity: Severity = Severity.CRITICAL) -> Finding:
    known = {"balance": BALANCE, "blind": BLIND, "safeguard": SAFEGUARD}.get(kind, CAP)
    return replace(known, kind=kind, severity=severity)


def render(renderer: Renderer, told: Notification) -> SlackMessage:
    message = renderer.render(told, Dialect.SLACK_BUTTONS)
    assert isinstance(message, SlackMessage)
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_slack_takes_every_kind_of_alert_in_every_state(kind: str) -> None:
    moneys = (None, STAKES, UNKNOWN_MONEY, replace(STAKES, spent_today=10**24, per_hour=10**24, balance=10**24))
    for change, stakes in product(Change, moneys):
        told = notification(replace(finding(kind), stakes=stakes), change)
        assert not objection(slack(told)), (kind, change, stakes)
        assert not objection(render(RENDERER, told)), (kind, change, stakes)
    for severity, renderer in product(Severity, (BARE, WORDY)):
        told = notification(replace(finding(kind, severity), key_id=None))
        assert not objection(render(renderer, told)), (kind, severity)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_slack_takes_every_kind_of_alert_about_a_hostile_name(name: str, kind: str) -> None:
    facts = {"what": name, "before": name, "after": name, "since": name, "reason": name}
    about = replace(everywhere(name), kind=kind, facts=facts)
    for change in (Change.OPENED, Change.EXPECTED, Change.STOPPED):
        told = notification(about, change, owner=name, also=(name,) * 50, note=name, alert={"acknowledged_by": name})
        assert not objection(slack(told)), change


@given(st.text(st.characters(codec=None), max_size=300), st.sampled_from(KINDS), st.sampled_from(Change))
@settings(max_examples=30)
def test_slack_takes_any_name(name: str, kind: str, change: Change) -> None:
    told = notification(replace(everywhere(name), kind=kind), change, owner=name, note=name)
    assert not objection(slack(told))


@pytest.mark.parametrize("form", [Form.ROUNDUP, Form.PASSED])
@pytest.mark.parametrize("name", ["prod-{}", "n{}" + "n" * 1_000, '<!channel>{}", "', "{}" + "🔑👩‍👩‍👧‍👦" * 40])
def test_slack_takes_five_hundred_alerts_in_at_most_three_posts_that_name_every_key(name: str, form: Form) -> None:
    change = Change.OPENED if form is Form.ROUNDUP else Change.RESOLVED
    told = [
        notification(replace(named(name.format(n)), key_id=f"key_{n}"), change, alert={"id": n}, also=("x",) * 9)
        for n in range(100, 600)
    ]
    pages = RENDERER.pages(told, Dialect.SLACK, form)
    posts = [
        RENDERER.render_page([told[n] for n in page.places], Dialect.SLACK, headline=page.headline, form=form)
        for page in pages
    ]

    assert len(posts) <= 3
    shown = ""
    for post in posts:
        assert isinstance(post, SlackMessage)
        assert not objection(post)
        again = RENDERER.as_repeat(post)
        assert isinstance(again, SlackMessage)
        assert not objection(again)
        shown += str(post.blocks)
    assert all(f" {n} " in shown for n in range(100, 600))


def test_slack_takes_the_test_message_and_the_failure_of_another_channel() -> None:
    for name in NAMES.values():
        test = RENDERER.render_test(Dialect.SLACK, name, NOW)
        assert isinstance(test, SlackMessage)
        assert not objection(test)
        assert not objection(slack(undelivered(name, tell="ops", cause=name, alerts=3, now=NOW)))


def test_slack_takes_instants_far_away() -> None:
    far = replace(CAP, stakes=replace(STAKES, resets_at=datetime(9999, 12, 30, tzinfo=NOW.tzinfo), cap_hit_at=NOW))
    old = notification(far, Change.RESOLVED, alert={"opened_at": NOW - timedelta(days=3000)})
    assert not objection(slack(notification(far)))
    assert not objection(slack(old))


BUTTON = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x"}}


def _broken(message: SlackMessage, block: dict[str, Any]) -> SlackMessage:
    return replace(message, blocks=(*message.blocks, block))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "section"},
        {"type": "heading", "text": {"type": "plain_text", "text": "x"}},
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
        {"type": "header", "text": {"type": "plain_text", "text": ""}},
        {"type": "divider", "text": "x"},
        {"type": "rich_text", "elements": [{"type": "text", "text": "x"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": 1}]}]},
        {"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}},
        {"type": "actions", "elements": [BUTTON | {"text": {"type": "plain_text", "text": "x" * 76}}]},
        {"type": "actions", "elements": [BUTTON | {"value": "x" * 2001}]},
        {"type": "actions", "elements": [BUTTON] * 26},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}]},
    ],
)
def test_the_oracle_objects_to_what_slack_refuses(block: dict[str, Any]) -> None:
    assert not objection(slack(notification()))
    assert objection(_broken(slack(notification()), block))


def test_the_oracle_objects_to_too_much_of_anything() -> None:
    good = slack(notification())
    assert "blocks" in objection(replace(good, blocks=({"type": "divider"},) * 51))
    text = {"type": "section", "text": {"type": "plain_text", "text": "x" * 2900}}
    assert "characters" in objection(replace(good, blocks=(text,) * 5))
    assert "text" in objection(replace(good, text=""))
