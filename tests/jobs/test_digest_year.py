"""A year of digests on a machine that is killed whenever it sends, restarted, put to sleep, and whose clock changes.

In this process, over a real database; DIGEST_YEARS=20 plays more years, each with its own dice.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.core.edition import Edition
from flowy_watch.core.message import Dialect, Message, PlainMessage
from flowy_watch.core.notification import Notification
from flowy_watch.core.period import Calendar, Period
from flowy_watch.core.usage import DAY
from flowy_watch.errors import TryLater
from flowy_watch.jobs.deliver import Delivery
from flowy_watch.jobs.digest import DigestJob, Plan
from flowy_watch.store import Store, Work
from flowy_watch.store.usage import GOOD
from tests.builders import reading, snapshot
from tests.jobs.outbox_rig import FakeChannel, OwnerRenderer, SetClock
from tests.jobs.rigs import hasty

WEEKS = [Period.of(Period.parse("2026-W02").span, Period.parse("2026-W02").first + n * 7 * DAY) for n in range(52)]
ASLEEP = WEEKS[20]
RECIPIENTS = ("ana@example.com", "ben@example.com")
CLOSE = timedelta(hours=23, minutes=59, seconds=50)
HALF_PAST_TWO = Calendar(6, time(2, 30), ZoneInfo("Europe/Madrid"))  # Sundays: clocks change then, at two and at three


class Killed(BaseException):
    """Power off, at this very instant."""


@dataclass
class Fate:
    """Whether the machine dies now."""

    dice: Random
    share: float = 0.25
    kills: int = 0

    def strike(self) -> None:
        if self.dice.random() < self.share:
            self.kills += 1
            raise Killed


class MortalStore(Store):
    """Dies now and then before a commit or right after it."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self.fate = fate
        hasty(self)

    @contextmanager
    def write(self) -> Iterator[Work]:
        with super().write() as work:
            yield work
            self.fate.strike()
        self.fate.strike()


@dataclass
class World:
    """What stands outside of the machine: who got what."""

    fate: Fate
    taken: list[tuple[str, str, str]] = field(default_factory=list)
    """Channel, id, words."""

    def arrived(self, channel: str) -> list[tuple[str, str]]:
        return [(number, words) for name, number, words in self.taken if name == channel]


class Mail(FakeChannel):
    """Takes what it is given; the machine dies before, after, or the server asks to wait."""

    world: World

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        assert isinstance(message, PlainMessage)
        fate = self.world.fate
        fate.strike()
        if fate.dice.random() < 0.1:
            raise TryLater("busy")
        self.world.taken.append((self.name, envelope.outbox_id, message.text))
        fate.strike()
        return Receipt("taken")


class Askable(Mail):
    """As Slack: what arrived can be read back."""

    def find(self, envelope: Envelope, *, since: datetime) -> Receipt | None:
        known = {number for name, number, _ in self.world.taken if name == self.name}
        return Receipt("found") if envelope.outbox_id in known else None


class FiguresRenderer(OwnerRenderer):
    """The recipient, the week and its exact total."""

    def render(self, notification: Notification, dialect: Dialect) -> Message:
        issue = notification.issue
        assert issue
        return PlainMessage(f"{issue.edition.recipient} {issue.digest.period.name} {issue.digest.total}")


class Machine:
    """One life of the process, from a start to a kill.

    Its connections end with it; the store object goes on, for compiling its statements anew took half of the year.
    """

    def __init__(self, store: MortalStore, world: World, clock: SetClock) -> None:
        self.store = store
        editions = [*(Edition("mail", to) for to in RECIPIENTS), Edition("ops")]
        self.job = DigestJob(self.store, Plan(editions, HALF_PAST_TWO, lambda _, __: ""))
        self.deliveries = []
        for channel in (Mail(name="mail"), Askable(name="ops")):
            channel.world = world
            self.deliveries.append(Delivery(self.store, channel, FiguresRenderer(), clock))
        self.clock = clock

    def work(self) -> None:
        self.job.run(self.clock.now())
        for delivery in self.deliveries:
            delivery.send_due()

    def die(self) -> None:
        self.store.close()


def instants(dice: Random, *, often: bool) -> Iterator[tuple[datetime, bool]]:
    """When the machine wakes, and whether it is to poll: each day's end, around each digest, and whenever."""
    at = WEEKS[0].start_at
    end = WEEKS[-1].end_at + 9 * DAY
    while at < end:
        moments = [(at + CLOSE, True)]
        if often or at.weekday() == 2:
            moments.append((at + timedelta(minutes=dice.randrange(1439)), False))
        if at.weekday() == 6:
            moments += [(at + timedelta(minutes=n), False) for n in range(10, 200, 10 if often else 45)]
        if not ASLEEP.start_at <= at < ASLEEP.end_at:
            yield from sorted(moments)
        at += DAY


def play(url: str, seed: int) -> tuple[World, Store]:
    """The first year looks only when something may happen, which is quick; later ones look often."""
    dice = Random(seed)
    world, clock = World(Fate(dice)), SetClock()
    calm = MortalStore(url, Fate(dice, share=0))
    mortal = MortalStore(url, world.fate)
    machine = Machine(mortal, world, clock)
    for at, polls in instants(dice, often=seed > 0):
        clock.at = at
        if polls and at < WEEKS[-1].end_at:
            with calm.write() as work:
                keys = [snapshot(dice.randrange(1000) / 7, at, key_id=f"key_{n}", name=f"k{n}") for n in range(3)]
                poll_id = work.usage.add_poll(at, GOOD, keys=3)
                work.usage.add_snapshots(poll_id, reading(*keys, at=at), work.usage.numbers())
        for _ in range(2 if seed or not polls else 0):
            with suppress(Killed):
                machine.work()
                if dice.random() > 0.5:  # else restarted although nothing was wrong: some five times a week
                    break
            machine.die()
            machine = Machine(mortal, world, clock)
            clock.at += timedelta(seconds=20)
    world.fate.share = 0
    for minutes in range(0, 120, 10):
        clock.at += timedelta(minutes=minutes)
        machine.work()
    machine.die()
    return world, calm


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("DIGEST_YEARS", "1"))))
def test_a_year_of_kills_is_52_digests_for_each_recipient_and_their_sum_is_the_database(
    open_store: Callable[..., Store], tmp_path: Path, seed: int
) -> None:
    open_store("year.db")
    world, store = play(f"sqlite:///{tmp_path / 'year.db'}", seed)

    names = [week.name for week in WEEKS]
    assert world.fate.kills > 100
    slack = [words.split() for _, words in world.arrived("ops")]
    assert [name for name, _ in slack] == names  # in order, none twice: what was in doubt was read back
    mails = world.arrived("mail")
    for recipient in RECIPIENTS:
        got = dict.fromkeys((number, words) for number, words in mails if words.startswith(recipient))
        # A mail that was in doubt comes again under the same Message-ID and is the same mail: the reader has one.
        assert len({number for number, _ in got}) == len(got) == 52
        assert sorted(words.split()[1] for _, words in got) == sorted(names)
    with store.read() as work:
        rows = work.usage.daily()
    assert sum(int(total) for _, total in slack) == sum(row.spent_microcredits for row in rows)
    assert len({row.day for row in rows}) == 52 * 7 - 7
    store.close()


def test_the_year_has_both_clock_changes_in_it() -> None:
    due = {HALF_PAST_TWO.due_at(week) for week in WEEKS}
    assert len(due) == 52
    assert {datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)} <= due
