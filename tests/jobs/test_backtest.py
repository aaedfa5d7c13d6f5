"""A backtest says what the daemon would have said."""

import pytest

from flowy_watch.core.usage import KeyStatus, Reading
from flowy_watch.detectors import DETECTORS
from flowy_watch.jobs.backtest import backtest
from flowy_watch.jobs.prune import prune
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, reading, snapshot

from .rigs import Rig, detectors, rules

KINDS = tuple(DETECTORS)


def three_days() -> list[Reading]:
    """A steady key, one that is stolen on the third day, one that appears late, and a balance that runs out."""
    out = []
    for n in range(3 * 288):
        at = MIDNIGHT - 3 * DAY + n * 5 * MINUTE
        hours = (at - at.replace(hour=0, minute=0)) / HOUR
        stolen = at >= NOON - HOUR
        keys = [snapshot(hours * 4, at, cap=100, used=at - MINUTE)]
        status = KeyStatus.REVOKED if at >= NOON + HOUR else KeyStatus.ACTIVE
        spent = hours * (60 if stolen else 2)
        keys.append(snapshot(spent, at, cap=900, key_id="key_2", name="encode", used=at, status=status))
        if n > 300:
            keys.append(snapshot(0, at, key_id="key_3", name="late"))
        out.append(reading(*keys, at=at, balance=max(2000 - n * 3, 0)))
    return out


@pytest.mark.parametrize("kinds", [KINDS, *[(kind,) for kind in KINDS]], ids="+".join)
def test_a_backtest_equals_the_same_polls_run_live(store: Store, kinds: tuple[str, ...]) -> None:
    readings = three_days()
    rig = Rig(store, *kinds)
    for one in readings:
        rig.source.answer = one
        rig.job.run(one.taken_at)
    with store.read() as work:
        live = [(a.finding.kind, a.finding.key_id, a.opened_at, a.resolved_at) for a in work.alerts.all()][::-1]

    tested = backtest(readings, detectors(*kinds), rules().rules_of)

    assert [(a.finding.kind, a.finding.key_id, a.opened_at, a.resolved_at) for a in tested.alerts] == live
    assert (tested.polls, tested.keys) == (864, 3)
    assert live or kinds == ("blind",)


def test_a_backtest_of_nothing_finds_nothing() -> None:
    tested = backtest([], detectors(*KINDS), rules().rules_of)
    assert (tested.alerts, tested.polls, tested.keys) == ((), 0, 0)


def test_a_backtest_does_not_believe_yesterdays_counter_after_midnight_either() -> None:
    step, used = 5 * MINUTE, MIDNIGHT - HOUR
    caps = ((MIDNIGHT - step, 100), (MIDNIGHT, 90), (MIDNIGHT + step, 90))
    readings = [reading(snapshot(79, at, cap=cap, used=used), at=at) for at, cap in caps]
    assert backtest(readings, detectors("cap"), rules().rules_of).alerts == ()


def test_pruning_forgets_polls_that_are_older_than_was_asked_for(store: Store) -> None:
    rig = Rig(store)
    rig.spend(NOON - 36 * DAY, 85)
    rig.spend(NOON - 34 * DAY, 1)
    assert prune(store, retain=35 * DAY, now=NOON) == (1, 0)
    with store.read() as work:
        assert [one.taken_at for one in work.usage.readings()] == [NOON - 34 * DAY]
        assert len(work.alerts.all()) == 1
    assert rig.spend(NOON, 2).outcome == "good"
