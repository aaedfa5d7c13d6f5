"""A fortnight seen live and the same fortnight backtested: the same alerts, in the same order, to the poll."""

from datetime import timedelta
from pathlib import Path

import pytest

from flowy_watch.core.usage import CREDIT, Reading
from flowy_watch.detectors import DETECTORS
from flowy_watch.jobs.backtest import backtest
from flowy_watch.jobs.poll import PollJob
from flowy_watch.simulator.history import world_with_history
from flowy_watch.sources.file import read_export
from flowy_watch.store import Store
from tests.builders import DAY, NOON

from .rigs import ScriptedSource, detectors, rules

STEALING = timedelta(hours=9)


def fortnight(folder: Path) -> list[Reading]:
    """A simulated workspace; on the twelfth day its third key is stolen, on the tenth nothing is seen for an hour."""
    snapshots, balances = folder / "snapshots.csv", folder / "balances.csv"
    world_with_history(snapshots, balances, start=NOON, lasts=14 * DAY, every=timedelta(minutes=30))
    readings = list(read_export(snapshots, balances).readings)
    began = readings[0].taken_at + 11 * DAY
    blind = readings[0].taken_at + 9 * DAY
    victim = readings[0].snapshots[2].key_id
    out = []
    for reading in readings:
        if blind < reading.taken_at < blind + timedelta(hours=3):
            continue
        stolen = (min(reading.taken_at, began + STEALING) - began) / timedelta(hours=1)
        if stolen > 0 and reading.taken_at.date() == began.date():
            taken = tuple(
                s._replace(spent=s.spent + int(stolen * 900) * CREDIT) if s.key_id == victim else s
                for s in reading.snapshots
            )
            reading = Reading(reading.taken_at, taken, balance=reading.balance)
        out.append(reading)
    return out


@pytest.mark.slow
def test_a_fortnight_live_and_backtested_gives_the_same_alerts(tmp_path: Path, store: Store) -> None:
    readings, kinds = fortnight(tmp_path), tuple(DETECTORS)
    source = ScriptedSource()
    job = PollJob(source, store, detectors(*kinds), rules())
    for n, reading in enumerate(readings):
        if n in (5, len(readings) // 2, len(readings) - 200):  # the daemon was started anew
            job = PollJob(source, store, detectors(*kinds), rules())
        source.answer = reading
        job.run(reading.taken_at)
    with store.read() as work:
        live = [
            (a.finding.kind, a.finding.key_id, a.opened_at, a.resolved_at, a.finding.title)
            for a in work.alerts.all()
            if a.finding.kind != "blind"
        ]

    tested = backtest(readings, detectors(*kinds), rules().rules_of)

    told = [(a.finding.kind, a.finding.key_id, a.opened_at, a.resolved_at, a.finding.title) for a in tested.alerts]
    assert told == live[::-1]
    assert ("spike", readings[0].snapshots[2].key_id) in {(kind, key_id) for kind, key_id, *_ in told}
