"""A backtest says what the daemon would have said."""

from flowy_watch.core.usage import KeyStatus, Reading
from flowy_watch.detectors import DETECTORS
from flowy_watch.jobs.backtest import backtest
from flowy_watch.jobs.prune import prune
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, bursts, reading, snapshot

from .rigs import Rig, detectors, rules

KINDS = tuple(DETECTORS)


def nine_days() -> list[Reading]:
    """Four ordinary days, then: a key that drifts up, one that is stolen, one that appears late, an empty purse."""
    out, drifted, stolen = [], 0.0, 0.0
    for n in range(9 * 24):
        at, day, hours = MIDNIGHT - 9 * DAY + n * HOUR + 50 * MINUTE, n // 24, n % 24
        drifted = (0 if hours == 0 else drifted) + bursts(seed=3)(n) * (1.6 if day >= 5 else 1)
        stolen = (0 if hours == 0 else stolen) + (180 if day == 8 and hours >= 11 else 2)
        status = KeyStatus.REVOKED if day == 8 and hours >= 13 else KeyStatus.ACTIVE
        keys = [snapshot(drifted, at, cap=3000, used=at - MINUTE)]
        keys.append(snapshot(stolen, at, cap=900, key_id="key_2", name="encode", used=at, status=status))
        if day >= 3:
            keys.append(snapshot(0, at, key_id="key_3", name="late"))
        out.append(reading(*keys, at=at, balance=max(4000 - n * 20, 0)))
    return out


def test_a_backtest_equals_the_same_polls_run_live(store: Store) -> None:
    readings = nine_days()
    rig = Rig(store, *KINDS)
    for one in readings:
        rig.source.answer = one
        rig.job.run(one.taken_at)
    with store.read() as work:
        live = [(a.finding.kind, a.finding.key_id, a.opened_at, a.resolved_at) for a in work.alerts.all()][::-1]

    for kinds in (KINDS, *((kind,) for kind in KINDS)):
        tested = backtest(readings, detectors(*kinds), rules().rules_of)
        found = [(a.finding.kind, a.finding.key_id, a.opened_at, a.resolved_at) for a in tested.alerts]
        assert found == [one for one in live if one[0] in kinds]
        assert (tested.polls, tested.keys) == (len(readings), 3)
    assert {kind for kind, *_ in live} >= {"cap", "spike", "ramp", "last_used", "balance", "safeguard"}


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
