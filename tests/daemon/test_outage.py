"""One channel hangs or is down: the other hears at once, and nothing is lost.

`OUTAGE=60 pytest tests/daemon/test_outage.py` makes the outages last so many seconds, with 23 alerts instead of three.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic

import pytest

from flowy_watch.simulator.people import FakeSlack
from tests.cli.rig import SLACK_TOKEN, Rig, wait_until

from .running import Running

OUTAGE = float(os.environ.get("OUTAGE", "0"))
ALERTS, CLEARED = (23, 5) if OUTAGE else (3, 1)


@pytest.mark.slow
@pytest.mark.timeout(120 + 2 * OUTAGE)
def test_slack_is_told_while_the_mail_server_hangs(rig: Rig) -> None:
    rig.configure(every="1s")
    for _ in range(3):
        rig.sink.hang(taken=False)
    with Running(rig) as daemon:
        daemon.until_polled()
        rig.near_cap()
        wait_until(lambda: rig.sink.attempts, "a mail on its way")
        began = monotonic()
        wait_until(lambda: rig.slack.posts, "a post")
        took = monotonic() - began
        assert not rig.sink.mails
        if OUTAGE:
            assert took < 5
            Event().wait(OUTAGE)
            assert len(rig.slack.posts) == 1
            wait_until(lambda: rig.sink.mails, "the mail", within=90)
            assert len(rig.sink.mails) == 1


@contextmanager
def slack_on(port: int) -> Iterator[FakeSlack]:
    with FakeSlack(token=SLACK_TOKEN, port=port) as slack:
        yield slack


@pytest.mark.slow
@pytest.mark.timeout(240 + 2 * OUTAGE)
def test_after_an_outage_slack_hears_what_matters_and_one_line_of_what_came_and_went(rig: Rig) -> None:
    with FakeSlack(token=SLACK_TOKEN) as gone:
        url, port = gone.url, gone.port
    rig.configure(every="1s", more="".join(f"[detectors.{kind}]\nenabled = false\n" for kind in ("spike", "safeguard")))
    text = rig.config.read_text(encoding="utf-8")
    rig.config.write_text(text.replace(rig.slack.url, url), encoding="utf-8")
    names = sorted(name for name in rig.flowy.keys if name.startswith("team-"))[:ALERTS]
    with Running(rig) as daemon:
        daemon.until_polled()
        for name in names:
            rig.flowy.keys[name].spentToday = 970.0
        daemon.until_logged("notice.later", times=3 if OUTAGE else 1)  # several tries: an outage, and no storm
        Event().wait(OUTAGE)
        for name in names[:CLEARED]:
            rig.flowy.keys[name].dailySpendCap = 10_000.0
        daemon.until_logged("poll", times=daemon.count("poll") + 2)  # else one under way would find them anew
        for name in names[:CLEARED]:
            rig.good("resolve", rig.alert("cap", name)["id"], "--by", "ana")
        with slack_on(port) as slack:
            healed = monotonic()
            wait_until(lambda: len(slack.posts) > ALERTS - CLEARED, "all posts", within=120)
            took = monotonic() - healed
            wait_until(lambda: not rig.good("status", "--json").json["outbox"]["waiting"], "an empty outbox")
    *still, passed = slack.posts
    assert sorted(name for post in still for name in names if name in post.text) == names[CLEARED:]
    said = str(passed.payload)
    assert all(name in said for name in names[:CLEARED])
    assert not any(name in said for name in names[CLEARED:])
    assert not OUTAGE or took < 60
