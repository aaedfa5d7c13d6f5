"""What must not change the alerts of a whole run, whatever the keys do. Keys here are read hourly for weeks."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowy_watch.core.alert import Alert
from flowy_watch.core.baseline import Baseline
from flowy_watch.core.history import History
from flowy_watch.core.usage import Microcredits, Reading
from flowy_watch.core.watch import Watch
from flowy_watch.core.workspace import Health, WorkspaceHistory
from flowy_watch.detectors import DETECTORS, Detector, KeyRules, View
from flowy_watch.detectors.ramp import RampConfig, RampDetector
from flowy_watch.detectors.spike import SpikeConfig, SpikeDetector
from flowy_watch.jobs.backtest import backtest
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, credit, reading, snapshot

DAYS = 14
POLLS = DAYS * 24
START = MIDNIGHT - DAYS * DAY
FEW = settings(max_examples=2)
SEEDS = st.integers(0, 10**6)

Manner = Callable[[Random, int], float]
MANNERS: dict[str, Manner] = {
    "steady": lambda dice, hour: dice.gammavariate(4, 25),
    "office": lambda dice, hour: dice.gammavariate(4, 50) if 8 <= hour % 24 < 18 and hour // 24 % 7 < 5 else 0.0,
    "nightly": lambda dice, hour: dice.gammavariate(9, 50) if hour % 24 == 3 else 0.0,
    "seldom": lambda dice, hour: dice.lognormvariate(3, 1) if dice.random() < 0.03 else 0.0,
}


def run(seed: int, *, incident: float = 20, scale: int = 1, kinds: Iterable[str] = MANNERS) -> list[Reading]:
    """Hourly readings, ten minutes before the hour; in the last days one key spends `incident` times its most."""
    dice = Random(seed)
    names = list(kinds)
    stolen, stolen_at = dice.choice(names), POLLS - dice.randrange(12, 72)
    totals: dict[str, Microcredits] = {}
    spends = {name: [MANNERS[name](dice, hour) for hour in range(POLLS)] for name in names}
    out, balance = [], credit(1e6) * scale
    for hour in range(POLLS):
        at, listed = START + hour * HOUR + 50 * MINUTE, []
        for name in names:
            spent = spends[name][hour]
            if name == stolen and stolen_at <= hour < stolen_at + 5:
                spent += incident * max(spends[name][:stolen_at])
            micro = credit(round(spent, 2)) * scale
            totals[name] = micro + (0 if hour % 24 == 0 else totals[name])
            balance -= micro
            made = snapshot(0, at, key_id=name, name=name, used=None)
            listed.append(made._replace(spent=totals[name]))
        out.append(replace(reading(*listed, at=at), balance=balance))
    return out


def all_detectors(least: float | None = None) -> list[Detector]:
    made: list[Detector] = [kind(kind.Config()) for kind in DETECTORS.values()]  # type: ignore[attr-defined]
    if least is None:
        return made
    return [SpikeDetector(SpikeConfig(least_credits=least)), RampDetector(RampConfig(least_credits=least))]


def no_rules(key_id: str, name: str) -> KeyRules:
    return KeyRules()


Told = tuple[str, str | None, int, object, object]


def told(alerts: Iterable[Alert]) -> list[Told]:
    return sorted(
        (a.finding.kind, a.finding.key_id or "", a.level, a.opened_at, a.resolved_at)  # type: ignore[type-var]
        for a in alerts
    )


def alerts(readings: Sequence[Reading], detectors: Sequence[Detector] | None = None) -> list[Told]:
    return told(backtest(readings, detectors or all_detectors(), no_rules).alerts)


@pytest.mark.parametrize("seed", range(4))
def test_an_incident_is_told_and_without_it_next_to_nothing_is(seed: int) -> None:
    calm, loud = (alerts(run(seed, incident=times)) for times in (0, 20))

    assert len([one for one in loud if one not in calm]) >= 1
    assert len(calm) <= 5  # 4 a month are accepted of keys that the watch has known for two weeks


@FEW
@given(SEEDS, st.permutations(list(range(len(MANNERS)))))
def test_the_order_in_which_keys_are_listed_changes_nothing(seed: int, order: list[int]) -> None:
    readings = run(seed)
    mixed = [replace(one, snapshots=tuple(one.snapshots[n] for n in order)) for one in readings]

    assert alerts(mixed) == alerts(readings)


@FEW
@given(SEEDS)
def test_a_workspace_that_counts_in_other_credits_is_told_the_same(seed: int) -> None:
    least = all_detectors(least=0)

    assert alerts(run(seed, scale=1000), least) == alerts(run(seed), least)


def opened_in(found: Sequence[Told], start: int, end: int) -> list[Told]:
    return [one for one in found if START + start * HOUR <= one[3] < START + end * HOUR]  # type: ignore[operator]


@FEW
@given(SEEDS, st.integers(5, DAYS - 1), st.integers(1, 30))
@example(seed=25787, day=5, hours=23)  # the hour after it was judged as if it had been a day
def test_a_day_that_nobody_watched_opens_nothing_by_itself(seed: int, day: int, hours: int) -> None:
    readings = run(seed, incident=0, kinds=("steady", "office", "nightly"))
    gap = [one for n, one in enumerate(readings) if not day * 24 <= n < day * 24 + hours]
    before = opened_in(alerts(readings), 0, POLLS)

    new = [one for one in alerts(gap) if one[:2] not in {known[:2] for known in before}]

    assert opened_in(new, day * 24, day * 24 + hours + 2) == []


@FEW
@given(SEEDS, st.integers(24, POLLS - 1), st.integers(1, 10**7))
def test_a_top_up_opens_nothing_and_changes_no_other_alert(seed: int, poll: int, amount: int) -> None:
    readings = run(seed)
    paid = [replace(one, balance=(one.balance or 0) + (n >= poll) * credit(amount)) for n, one in enumerate(readings)]

    assert alerts(paid) == alerts(readings)


@FEW
@given(SEEDS, st.floats(0.01, 20))
def test_midnight_opens_nothing(seed: int, minutes: float) -> None:
    """Keys that spend evenly, read right before and right after every 00:00 UTC as well."""
    dice, pace = Random(seed), 60.0
    polls = sorted(
        at
        for day in range(12)
        for at in [
            *(START + day * DAY + (hour + dice.uniform(0.1, 0.9)) * HOUR for hour in range(24)),
            START + day * DAY + minutes * MINUTE,
            START + (day + 1) * DAY - minutes * MINUTE,
        ]
    )
    readings = [
        reading(
            snapshot(round((at - at.replace(hour=0, minute=0, second=0, microsecond=0)) / HOUR * pace, 4), at), at=at
        )
        for at in polls
    ]

    assert alerts(readings) == []


@FEW
@given(SEEDS, st.integers(1, POLLS - 1), st.integers(0, 50), st.integers(1, 8))
def test_a_clock_that_steps_back_and_shows_old_figures_opens_nothing(
    seed: int, poll: int, back: int, times: int
) -> None:
    readings = run(seed, incident=0, kinds=("steady", "office"))
    again = readings[max(poll - back, poll // 24 * 24) : poll + 1][:times]  # of the same UTC day

    stepped = [*readings[: poll + 1], *again]
    # A live poll refuses such a reading; sums of the whole workspace are not made for it.
    of_keys = [one for kind, one in zip(DETECTORS, all_detectors(), strict=True) if kind != "unattributed"]

    found, expected = alerts(stepped, of_keys), alerts(readings[: poll + 1], of_keys)

    assert [one[:4] for one in found] == [one[:4] for one in expected]


@FEW
@given(SEEDS, st.lists(st.integers(0, POLLS - 1), max_size=12))
def test_a_reading_that_is_repeated_opens_nothing(seed: int, polls: list[int]) -> None:
    readings = run(seed)
    twice = [copy for n, one in enumerate(readings) for copy in [one] * (2 if n in polls else 1)]

    assert [one[:4] for one in alerts(twice)] == [one[:4] for one in alerts(readings)]


def stored(watch: Watch) -> Watch:
    """As it comes back from a database after a restart."""
    again = Watch()
    for key_id, history in watch.histories.items():
        baseline = Baseline.unpack(history.baseline.pack())
        again.histories[key_id] = History.load(json.loads(json.dumps(history.dump())), baseline)
    again.workspace = WorkspaceHistory.load(json.loads(json.dumps(watch.workspace.dump())))
    again.taken_at, again.listed_before = watch.taken_at, watch.listed_before
    return again


@settings(max_examples=3)
@given(SEEDS, st.sets(st.integers(24, POLLS - 1), max_size=4), st.sets(st.integers(24, POLLS - 1), max_size=40))
def test_a_restart_at_any_poll_changes_nothing(seed: int, restarts: set[int], missed: set[int]) -> None:
    detectors = [one for kind, one in zip(DETECTORS, all_detectors(), strict=True) if kind != "blind"]
    straight, broken = Watch(), Watch()
    for n, one in enumerate(run(seed)):
        if n in missed:
            continue
        if n in restarts:
            broken = stored(broken)
        found = []
        for watch in (straight, broken):
            new = watch.add(one)
            histories = [watch.histories[s.key_id] for s in one.snapshots]
            seen = View(one.taken_at, histories, watch.workspace, Health(good=True), no_rules, new)
            found.append(
                (
                    [(h.verdict, h.drift, h.peaks, h.longest_still) for h in histories],
                    [finding for detector in detectors for finding in detector.examine(seen)],
                )
            )
        if n not in restarts:
            assert found[0] == found[1]
        else:
            assert found[0][1] == found[1][1]
