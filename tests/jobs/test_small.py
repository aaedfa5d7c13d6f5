"""Anomalies worth too little for an alert: nobody is told, and the digest knows of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flowy_watch.core.finding import Finding, Small
from flowy_watch.core.period import Period
from flowy_watch.core.usage import CREDIT
from flowy_watch.detectors import View
from flowy_watch.jobs.prune import prune
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, NOON, finding, snapshot

from .rigs import TELLING, Rig

TEN = 10 * CREDIT


class Scripted:
    """Finds what the test says."""

    Config = type(None)

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()

    def examine(self, view: View) -> Iterator[Finding]:
        yield from self.findings


class SmallRig(Rig):
    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.found = Scripted()
        self._detectors = [self.found]
        self.tell_by(TELLING)

    def find(self, at: datetime, *excess: float | None) -> None:
        """A poll that finds a spike of each of these keys: so small, or worth an alert where it is None."""
        self.found.findings = tuple(
            replace(
                finding("spike", key_id=f"key_{n}", title=f"key {n} spent {worth} more"),
                small=None if worth is None else Small(int(worth * CREDIT), TEN),
            )
            for n, worth in enumerate(excess)
        )
        self.poll(at, *(snapshot(1, key_id=f"key_{n}") for n in range(2)))

    def small(self) -> list[tuple[str, float, timedelta]]:
        """Key, excess and length of each episode, oldest first."""
        with self.store.read() as work:
            found = work.small.latest()[::-1]
        return [(one.key_id, one.excess / CREDIT, one.last_seen_at - one.opened_at) for one in found]


@pytest.fixture
def small_rig(store: Store) -> SmallRig:
    return SmallRig(store)


def test_a_small_anomaly_is_no_alert_and_one_episode_at_its_worst(small_rig: SmallRig) -> None:
    for hour, worth in enumerate((3, 5, 4)):
        small_rig.find(NOON + hour * HOUR, worth)
    assert small_rig.told() == []
    assert small_rig.small() == [("key_0", 5, 2 * HOUR)]
    with small_rig.store.read() as work:
        (figures,) = work.digests.facts(Period.parse("2026-W10"), earlier=4).small
    assert (figures.title, figures.least, figures.opened_at) == ("key 0 spent 5 more", TEN, NOON)


def test_after_the_quiet_time_of_its_kind_it_is_another_episode(small_rig: SmallRig) -> None:
    for at in (NOON, NOON + 5 * HOUR, NOON + 11 * HOUR):
        small_rig.find(at, 3)
    assert small_rig.small() == [("key_0", 3, 5 * HOUR), ("key_0", 3, timedelta(0))]


def test_what_grows_into_an_alert_is_told_there_and_not_also_as_small(small_rig: SmallRig) -> None:
    small_rig.find(NOON, 3, 4)
    small_rig.find(NOON + HOUR, None, 4)
    assert [kind for kind, *_ in small_rig.told()] == ["spike"]
    small_rig.find(NOON + 2 * HOUR, 3, 4)
    assert small_rig.small() == [("key_1", 4, 2 * HOUR)]


def test_what_is_left_in_the_windows_after_its_alert_ended_is_not_counted(small_rig: SmallRig) -> None:
    small_rig.find(NOON, None)
    for at in (NOON + HOUR, NOON + 7 * HOUR, NOON + 8 * HOUR):
        small_rig.find(at, 3)
    assert (small_rig.unresolved(), small_rig.small()) == ([], [])
    small_rig.find(NOON + 4 * DAY, 3)
    assert small_rig.small() == [("key_0", 3, timedelta(0))]


def test_old_ones_are_forgotten_with_the_notices(small_rig: SmallRig) -> None:
    small_rig.find(NOON, 3)
    for later, left in ((180, 1), (181, 0)):
        prune(small_rig.store, retain=35 * DAY, now=NOON + later * DAY)
        assert len(small_rig.small()) == left
