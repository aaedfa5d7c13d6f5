"""SIGKILL at any moment: the next start goes on by itself, nothing is lost, and Slack hears everything once.

Fourteen kills of one seed; `KILLS=200 pytest tests/daemon/test_kill.py` takes as many seeds as make 200.
"""

import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest

from tests.cli.rig import Rig, next_midnight, now, wait_until

from .running import Running

LEVELS = {850.0: "is at 85 %", 970.0: "is at 97 %", 1000.0: "has spent its daily cap"}
RECIPIENTS, GONE, SLEEPER = ("oncall@example.com", "lead@example.com"), "gone@example.com", "night@example.com"


@dataclass(frozen=True)
class Wreck:
    """What a killed daemon left on the disk."""

    rows: frozenset[tuple[Any, ...]] = frozenset()
    """What must never be gone again; empty when the first migration was not over."""
    told: frozenset[tuple[str, int]] = frozenset()
    """Key name and level of the transitions."""

    def sent(self, channel: str) -> set[str]:
        """The messages, each by the id of the notice that carries it."""
        return {row[2] for row in self.rows if row[:2] == ("sent", channel)}

    def held(self) -> set[str]:
        """The keys of whose alerts notices wait for the end of quiet hours."""
        return {row[1] for row in self.rows if row[0] == "held"}

    def silent(self, channel: str) -> set[str]:
        """Notices of which nobody heard, and which no later one about the same alert made needless."""
        over = {row[2] for row in self.rows if row[0] in ("sent by", "overtaken")}
        return {row[2] for row in self.rows if row[:2] == ("notice", channel)} - over


KEPT = (
    "SELECT 'schema', version_num FROM alembic_version",
    "SELECT 'alert', id, fingerprint, opened_at FROM alerts",
    "SELECT 'transition', id, alert_id, at, change, level FROM transitions",
    "SELECT 'notice', channel, id, seq, alert_id, change FROM outbox",
    "SELECT 'sent', channel, carrier, remote_id FROM outbox WHERE status = 'sent' AND id = carrier",
    "SELECT 'sent by', channel, id, carrier FROM outbox WHERE status = 'sent'",
    "SELECT 'held', key_name, 'sleeper' FROM outbox JOIN alerts ON alerts.id = alert_id"
    " WHERE outbox.status = 'waiting' AND held_until IS NOT NULL",
    "SELECT 'overtaken', channel, id, alert_id FROM outbox WHERE status = 'withheld'",
)


def wreck(database: Path, folder: Path) -> Wreck:
    """Read from a copy: the next daemon finds the files as they were left."""
    folder.mkdir()
    for file in (database, database.with_name(f"{database.name}-wal")):
        if file.exists():
            shutil.copy(file, folder)
    with closing(sqlite3.connect(folder / database.name)) as opened:
        assert list(opened.execute("PRAGMA integrity_check")) == [("ok",)]
        assert list(opened.execute("PRAGMA foreign_key_check")) == []
        if not list(opened.execute("SELECT name FROM sqlite_master")):
            return Wreck()
        told = opened.execute("SELECT key_name, t.level FROM transitions t JOIN alerts a ON a.id = t.alert_id")
        return Wreck(frozenset(row for query in KEPT for row in opened.execute(query)), frozenset(told))


@dataclass
class Watched:
    """A workspace whose keys climb towards their caps while its daemon is killed again and again."""

    rig: Rig
    dice: Random
    lives: int = 0
    left: Wreck = field(default_factory=Wreck)
    untouched: list[str] = field(default_factory=lambda: [f"team-{number:02d}" for number in range(3, 26)])
    climbing: dict[str, int] = field(default_factory=dict)
    """Key names and how many levels each has reached."""

    def spend(self) -> None:
        """Two keys reach their first level; those whose level was seen may reach the next: no poll can miss one."""
        for name, reached in self.climbing.items():
            level = (80, 95, 100)[reached - 1]
            if reached < len(LEVELS) and (name, level) in self.left.told and self.dice.random() < 0.5:
                self._reach(name, reached + 1)
        for _ in range(2):
            if self.untouched:
                self._reach(self.untouched.pop(0), 1)

    def _reach(self, name: str, level: int) -> None:
        self.climbing[name] = level
        self.rig.flowy.keys[name].spentToday = list(LEVELS)[level - 1]

    def life(self, moment: Callable[["Watched"], None]) -> Wreck:
        """Start the daemon, kill it at the moment, and look at what it left."""
        self.lives += 1
        with Running(self.rig, name=f"life-{self.lives:02d}") as daemon:
            moment(self)
            assert daemon.process.poll() is None, daemon.log_file.read_text()
            daemon.send(signal.SIGKILL)
            daemon.process.wait(10)
            assert faults(daemon) == []
        before, self.left = self.left, wreck(self.rig.database, self.rig.folder / f"left-{self.lives:02d}")
        assert {row for row in before.rows if row[0] != "held"} <= self.left.rows
        assert self.left.sent("ops") <= {version.outbox_id for version in self.rig.slack.versions}
        return self.left

    def pause(self, most: float) -> None:
        Event().wait(self.dice.uniform(0, most))


def faults(daemon: Running) -> list[dict[str, Any]]:
    return [line for line in daemon.log() if line["level"] == "error"]


# ── moments ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def while_it_starts(watched: Watched) -> None:
    watched.spend()
    watched.pause(1.5)


def while_it_migrates(watched: Watched) -> None:
    """A new database; its schema takes about a tenth of a second."""
    wait_until(watched.rig.database.exists, "a database", within=60)
    watched.pause(0.12)


def while_it_polls(watched: Watched) -> None:
    watched.spend()
    asked = len(watched.rig.flowy.requests)
    wait_until(lambda: len(watched.rig.flowy.requests) > asked, "a poll")
    watched.pause(0.15)


def after_spend(watched: Watched) -> None:
    while_it_polls(watched)
    watched.spend()
    watched.pause(1.5)


def while_it_posts(watched: Watched) -> None:
    slack, method = watched.rig.slack, "chat.postMessage"
    answers = (slack.hang, slack.drop, partial(slack.fail, 500), partial(slack.fail, 503))
    _while_sending(watched, [partial(answer, on=method) for answer in answers], lambda: slack.requests.count(method))


def while_it_mails(watched: Watched) -> None:
    sink = watched.rig.sink
    _while_sending(watched, [sink.hang, sink.drop], lambda: len(sink.attempts))


def _while_sending(watched: Watched, answers: Sequence[Callable[..., None]], tries: Callable[[], int]) -> None:
    """Taken or not, the daemon hears nothing of use; or it hears that it was, and may be about to record it."""
    if watched.dice.random() < 0.7:
        watched.dice.choice(answers)(taken=watched.dice.random() < 0.5)
    watched.spend()
    before = tries()
    wait_until(lambda: tries() > before, "something sent", within=40)
    watched.pause(0.03)


MOMENTS = (
    *[while_it_starts] * 3,
    *[while_it_polls] * 3,
    *[after_spend] * 3,
    *[while_it_posts] * 2,
    *[while_it_mails] * 2,
)
KILLS = int(os.environ.get("KILLS", "0"))
SEEDS = range(-(-KILLS // (len(MOMENTS) + 1))) if KILLS else (1848,)


def run_until_quiet(watched: Watched) -> Wreck:
    """The last start: no repair, no fault, and in the end nothing waits."""
    rig = watched.rig
    with Running(rig, name="last") as daemon:
        daemon.until_polled()
        wait_until(partial(nothing_is_due, rig), "an empty outbox", within=90)
        assert daemon.stopped()[0] == 0
        assert faults(daemon) == []
    return wreck(rig.database, rig.folder / "end")


def nothing_is_due(rig: Rig) -> bool:
    """Whether all that waits is held back by quiet hours."""
    with closing(sqlite3.connect(rig.database)) as opened:
        return not list(opened.execute("SELECT 1 FROM outbox WHERE status = 'waiting' AND held_until IS NULL"))


# ── what people were told ────────────────────────────────────────────────────────────────────────────────────────────


def mails_to(rig: Rig, recipient: str) -> list[EmailMessage]:
    parsed = (message_from_bytes(m.raw, policy=policy.default) for m in rig.sink.mails if m.recipient == recipient)
    return [mail for mail in parsed if isinstance(mail, EmailMessage)]


def words(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    return f"{mail['Subject']}\n{part.get_content() if part else ''}"


def outbox_id(mail: EmailMessage) -> str:
    return str(mail["Message-ID"]).strip("<>").partition("@")[0]


def untold(watched: Watched, texts: Iterable[str]) -> list[str]:
    """The levels that keys have reached and that are in none of the texts."""
    texts = list(texts)
    wanted = [(name, list(LEVELS.values())[reached - 1]) for name, reached in watched.climbing.items()]
    return [f"{name} {said}" for name, said in wanted if not any(name in text and said in text for text in texts)]


@pytest.fixture
def climbing(rig: Rig, request: pytest.FixtureRequest) -> Watched:
    # A new day would set the counters back in the middle.
    wait_until(lambda: now() + timedelta(seconds=150) < next_midnight(), "midnight to be over", within=200)
    night = f"{now() - timedelta(hours=1):%H:%M}-{now() + timedelta(hours=6):%H:%M} UTC"
    rig.configure(every="1s", more="[detectors.spike]\nenabled = false\n")
    text = rig.config.read_text(encoding="utf-8")
    mail = text[text.index("[channels.mail]") : text.index("[detectors.spike]")].replace("oncall@", "night@")
    sleeper = mail.replace("[channels.mail]", "[channels.sleeper]") + f'quiet_hours = "{night}"\n'
    text = text.replace('to = ["oncall@example.com"]', f"to = {[*RECIPIENTS, GONE]}") + sleeper
    rig.config.write_text(text, encoding="utf-8")
    rig.sink.refuse(GONE)
    rig.flowy.balance = 1e9  # early in a UTC day, what the keys spend here would soon empty the usual one
    return Watched(rig, Random(request.param))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("climbing", SEEDS, indirect=True)
def test_nothing_is_lost_whenever_it_is_killed(climbing: Watched) -> None:
    rig = climbing.rig
    for moment in (while_it_migrates, *climbing.dice.sample(MOMENTS, k=len(MOMENTS))):
        climbing.life(moment)

    end = run_until_quiet(climbing)
    assert end.rows >= {row for row in climbing.left.rows if row[0] != "held"}
    caps = [(alert["key_name"], alert["status"]) for alert in rig.alerts() if alert["kind"] == "cap"]
    assert sorted(caps) == sorted((name, "open") for name in climbing.climbing)
    assert untold(climbing, rig.told()) == []
    assert end.silent("ops") == set()
    posted = Counter(version.outbox_id for version in rig.slack.versions if not version.updates)
    assert max(posted.values()) == 1
    assert {version.outbox_id for version in rig.slack.versions} == end.sent("ops")
    assert end.silent("mail") == set()
    for recipient in RECIPIENTS:
        mails = mails_to(rig, recipient)
        assert untold(climbing, map(words, mails)) == []
        assert {outbox_id(mail) for mail in mails} == end.sent("mail")
        assert len({(outbox_id(mail), words(mail)) for mail in mails}) == len(end.sent("mail"))
    assert GONE not in {mail.recipient for mail in rig.sink.mails}
    told_at_night = list(map(words, mails_to(rig, SLEEPER)))
    assert end.held() == {name for name, reached in climbing.climbing.items() if reached == 1}
    assert not any(LEVELS[850.0] in text for text in told_at_night)
    assert untold(climbing, told_at_night) == [
        f"{name} {LEVELS[850.0]}" for name in climbing.climbing if name in end.held()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("climbing", [3], indirect=True)
def test_a_kill_in_the_first_migration_leaves_no_half_schema(climbing: Watched) -> None:
    rig = climbing.rig
    for _ in range(5):
        for file in rig.folder.glob(f"{rig.database.name}*"):
            file.unlink()
        climbing.left = Wreck()
        climbing.life(while_it_migrates)
        climbing.life(while_it_polls)
        assert climbing.left.rows
    assert run_until_quiet(climbing).rows
    assert untold(climbing, rig.told()) == []
