"""Everything breaks at once, from the source to the people, with real processes."""

import json
import signal
from collections import Counter

import pytest
from slack_sdk.models.blocks import Block

from tests.cli.flowy import key
from tests.cli.rig import Rig, now, wait_until
from tests.daemon.running import Running

KEYS = 500
NAMES = [f"customer-{number:03d}" for number in range(KEYS)]


@pytest.fixture
def crowded(rig: Rig) -> Rig:
    """A workspace with 500 more keys, each watched and each far under its cap."""
    text = rig.config.read_text(encoding="utf-8")
    text = text.replace('to = ["oncall@example.com"]', 'to = ["oncall@example.com", "lead@example.com"]')
    rig.config.write_text(text + "[detectors.spike]\nenabled = false\n", encoding="utf-8")
    for number, name in enumerate(NAMES, 100):
        rig.flowy.add(key(number, name, used=now(), made=now().replace(year=2025), spent=1.0))
    rig.good("poll")
    assert rig.told() == []
    return rig


def breach(rig: Rig) -> None:
    for number, name in enumerate(NAMES):
        rig.flowy.keys[name].spentToday = 1000.0 if number % 50 == 0 else 850.0


def posts_naming(rig: Rig) -> Counter[str]:
    return Counter(name for text in rig.told() for name in NAMES if name in text)


def check_blocks(rig: Rig) -> None:
    for post in rig.slack.posts:
        assert len(json.dumps(post.blocks, ensure_ascii=False)) < 12_000
        for block in Block.parse_all(post.blocks):
            block.validate_json()


@pytest.mark.slow
def test_five_hundred_keys_at_once_are_three_posts_and_one_mail_for_each_recipient(crowded: Rig) -> None:
    breach(crowded)
    crowded.good("poll")
    assert len(crowded.slack.posts) == 3
    assert posts_naming(crowded) == Counter(NAMES)
    check_blocks(crowded)
    worst, all_of_them = critical(crowded), crowded.alerts()
    headline = f"{len(worst)} CRITICAL and {len(all_of_them) - len(worst)} more alerts at once (1 of 3): customer-000 "
    assert crowded.slack.posts[0].text.startswith(headline)
    assert all(f"🔴 {alert['id']} {alert['key_name'] or ''}" in crowded.told()[0] for alert in worst)
    assert [mail.recipient for mail in crowded.sink.mails] == ["oncall@example.com", "lead@example.com"]
    assert all(name in mail.html for mail in crowded.sink.mails for name in NAMES)
    story = crowded.good("why", worst[-1]["id"]).out
    assert "notice of opened sent to ops; grouped into a roundup of 167 alerts" in story
    assert f"notice of opened sent to mail; grouped into a roundup of {len(all_of_them)} alerts" in story


def critical(rig: Rig) -> list[dict[str, object]]:
    return [alert for alert in rig.alerts() if alert["severity"] == "critical"]


@pytest.mark.slow
@pytest.mark.parametrize("taken", [True, False])
def test_a_kill_in_the_middle_of_a_storm_loses_and_doubles_nothing_and_is_over_in_seconds(
    crowded: Rig, taken: bool
) -> None:
    breach(crowded)
    crowded.slack.hang(taken=taken, on="chat.postMessage")
    with Running(crowded, name="killed") as daemon:
        wait_until(lambda: "chat.postMessage" in crowded.slack.requests, "a post")
        daemon.send(signal.SIGKILL)
        daemon.process.wait(10)
    with Running(crowded, name="next") as daemon:
        wait_until(lambda: len(crowded.slack.posts) == 3, "three posts", within=60)
        wait_until(lambda: not crowded.good("status", "--json").json["outbox"]["waiting"], "an empty outbox")
        assert daemon.stopped()[0] == 0
    assert posts_naming(crowded) == Counter(NAMES)
    assert len({post.outbox_id for post in crowded.slack.posts}) == 3


@pytest.mark.slow
def test_a_poll_by_hand_beside_the_daemon_tells_everything_once(crowded: Rig) -> None:
    with Running(crowded) as daemon:
        daemon.until_polled()
        breach(crowded)
        crowded.good("poll")
        wait_until(lambda: not crowded.good("status", "--json").json["outbox"]["waiting"], "an empty outbox")
        assert daemon.stopped()[0] == 0
    assert posts_naming(crowded) == Counter(NAMES)
    assert Counter(mail.recipient for mail in crowded.sink.mails) == {"oncall@example.com": 1, "lead@example.com": 1}
