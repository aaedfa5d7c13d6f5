"""The main journey in a real Chromium: with scripts and without, looked at by axe, under our own policy."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowy_watch.core.usage import Reading
from flowy_watch.simulator.people import FakeSlack
from tests.builders import DAY, NOON, reading, snapshot

from .chromium import Chromium, find
from .house import House

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
LOOKED_AT = """axe.run().then(r => [r.passes.length,
    r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 150)).join(" | "))])"""
SLACK = """
[channels.ops]
kind = "slack"
token = "{slack.token}"
channel = "{slack.channel}"
api_url = "{slack.url}"
"""
PAGES = (
    "/",
    "/alerts",
    "/alerts/1",
    "/keys/key_1",
    "/silences",
    "/deliveries",
    "/digests",
    "/digests/2026-W09",
    "/settings",
)


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chromium]:
    if not (program := find()):
        if os.environ.get("CI"):
            pytest.fail("chromium is missing")
        pytest.skip("chromium is not installed")
    (tmp_path / "profile").mkdir()
    with Chromium(program, tmp_path / "profile") as browser:
        yield browser


@pytest.fixture
def studio(house: House) -> House:
    house.poll(snapshot(40, NOON - DAY, cap=100), at=NOON - DAY)
    big = snapshot(9_107_650.66, key_id="key_2", name="other")  # such figures must fit on a phone
    house.poll(snapshot(96, cap=100, used=NOON), big, balance=500)
    house.learned("key_1")
    house.alert()
    return house


def sign_in(browser: Chromium, house: House) -> None:
    browser.open(house.url + house.link())
    browser.press("button.main")
    browser.until(lambda: browser.js("location.pathname") == "/", "the overview")


def unfold(browser: Chromium, action: str) -> None:
    browser.press(f"details:has(form[action='{action}']) > summary")


class Now:
    """A source that tells what the test says."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def pull(self, now: datetime) -> Reading:
        return self.reading

    def check(self, now: datetime) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def test_from_signing_in_to_a_slack_message_that_changes(tmp_path: Path, chromium: Chromium) -> None:
    """An incident comes up while somebody looks: found by a poll, told in Slack, dealt with on the page."""
    with FakeSlack() as slack, House(tmp_path, more=SLACK.format(slack=slack)) as house:
        house.poll(snapshot(40, cap=100, name="render"), at=NOON - DAY)
        house.learned("key_1")
        chromium.hurry(50)
        chromium.look(width=1280)
        sign_in(chromium, house)
        chromium.js("window.stays = true")

        house.app.poll._source = Now(reading(snapshot(96, cap=100, used=NOON, name="render"), at=NOON, balance=500))
        house.app.poll.run(NOON)
        deliver(house)
        assert "96 % of its daily cap" in slack.posts[0].text
        chromium.until(lambda: "96 % of its daily cap" in chromium.text, "the new alert")
        assert chromium.js("window.stays") is True

        chromium.press("a[href='/keys/key_1']")
        chromium.until(lambda: chromium.js("location.pathname") == "/keys/key_1", "the key")
        chromium.press("figure[data-series] button")
        chromium.until(lambda: chromium.js("!!document.querySelector('.zoomable canvas')"), "the chart that zooms")

        chromium.press("a[href='/alerts/1']")
        chromium.press("form[action='/alerts/1/ack'] button")
        chromium.until(lambda: "Acknowledged: no more notices" in chromium.text, "the acknowledgement")
        unfold(chromium, "/silences")
        chromium.press("form[action='/silences'] button")
        chromium.until(lambda: "Silenced." in chromium.text, "the silence")
        assert house.stored(1).acknowledged_by == "ana"
        deliver(house)
        (post, *_) = slack.posts
        assert (post.updates > 0, "ana" in str(post.payload)) == (True, True)
        assert chromium.problems == []


def deliver(house: House) -> None:
    """As the daemon's postman does, who looks twice a second."""
    house.app.postman.deliver_due(within=timedelta(seconds=20))


def test_all_of_it_works_without_scripts(studio: House, chromium: Chromium) -> None:
    chromium.without_scripts()
    sign_in(chromium, studio)
    chromium.open(f"{studio.url}/alerts/1")
    unfold(chromium, "/alerts/1/resolve")
    chromium.press("form[action='/alerts/1/resolve'] button")
    chromium.until(lambda: "It is over" in chromium.text, "the end")
    assert studio.stored(1).status == "resolved"


def test_all_of_it_works_without_a_mouse(studio: House, chromium: Chromium) -> None:
    sign_in(chromium, studio)
    chromium.open(f"{studio.url}/alerts/1")
    chromium.tab_to("a.skip")
    chromium.key("Enter")
    chromium.until(lambda: chromium.js("document.activeElement.id") == "main", "the content")
    for action, said in (
        ("/alerts/1/ack", "Acknowledged"),
        ("/silences", "Silenced."),
        ("/alerts/1/resolve", "Resolved."),
    ):
        if action != "/alerts/1/ack":
            chromium.tab_to(f"details:has(form[action='{action}']) > summary")
            chromium.key("Enter")
        chromium.tab_to(f"form[action='{action}'] button")
        chromium.key("Enter")
        chromium.until(lambda said=said: said in chromium.text, said)
    assert studio.stored(1).status == "resolved"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_axe_finds_nothing_and_no_page_is_wider_than_its_screen(
    studio: House, chromium: Chromium, width: int, dark: bool
) -> None:
    chromium.look(width=width, dark=dark)
    chromium.open(f"{studio.url}/sign-in")
    pages = ["/sign-in", *PAGES]
    found = {}
    for path in pages:
        if path == "/":
            sign_in(chromium, studio)
        chromium.open(studio.url + path)
        chromium.js(AXE)
        passed, bad = chromium.js(LOOKED_AT)
        assert passed > 10, path
        if bad:
            found[path] = bad
        assert chromium.js("document.documentElement.scrollWidth") <= width, path
    assert found == {}
    assert chromium.problems == []
