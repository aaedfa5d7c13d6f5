"""The measure of the detection measures what it says."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowy_watch.detectors import DETECTORS
from flowy_watch.jobs.backtest import backtest
from flowy_watch.settings import parse

HOUR = 3600.0
DAY = 24 * HOUR


def seen(
    kind: str = "leak", start: float = 0.0, end: float = HOUR, spent: tuple[float, ...] = (0, 40, 80, 90, 100)
) -> Any:
    from _score import Span

    return Span(kind, start, end, spent)


def scored(spans: list[Any], *alerts: float) -> Any:
    from _score import Labels, score

    return score(Labels(HOUR / 4, {"a": (-DAY, 29 * DAY)}, {"a": spans}), [("a", at) for at in alerts])


@pytest.mark.slow
def test_settings_that_share_a_replay_tell_what_each_tells_alone() -> None:
    from _ordinary import make_keys, polls
    from _replay import NOT_ANOMALIES, replay

    settings, keys = (1.0, 16.0, 300.0), make_keys(8, 24, seed=3)
    shared = replay(polls(keys, 3), settings)

    options = parse('source.token = "-"', environ={})
    every_kind = [DETECTORS[name](chosen.config) for name, chosen in options.detectors.items()]
    for setting in settings:
        alone = backtest(polls(keys, 3), every_kind, options.rules_of, setting).alerts
        assert [(one.key_id, one.kind, one.at) for one in shared[setting]] == [
            (a.finding.key_id, a.finding.kind, a.opened_at) for a in alone if a.finding.kind not in NOT_ANOMALIES
        ]
    assert len(shared[1.0]) < len(shared[300.0])


def test_what_was_not_yet_spent_when_the_alert_came_is_saved() -> None:
    assert scored([seen()], HOUR / 4).saved == pytest.approx(0.6)
    assert scored([seen()], 3 * HOUR / 8).saved == pytest.approx(0.4)  # half of the second step
    assert scored([seen()], HOUR / 4, HOUR / 2).saved == pytest.approx(0.6)  # the first alert counts


def test_an_alert_in_the_day_after_finds_an_incident_and_saves_nothing() -> None:
    late = scored([seen()], 2 * HOUR)
    assert (late.recall, late.saved, late.false_episodes, late.median_delay_hours) == (1.0, 0.0, 0, 2.0)


def test_silence_scores_nothing() -> None:
    silent = scored([seen()])
    assert (silent.score, silent.recall, silent.median_delay_hours) == (0.0, 0.0, None)


def test_false_alerts_of_a_day_are_one_episode() -> None:
    found = scored([], 3 * DAY, 3 * DAY + HOUR, 4 * DAY - 1, 4 * DAY, 9 * DAY)
    assert (found.false_episodes, found.score) == (3, -300.0)


def test_a_benign_change_may_be_told_once() -> None:
    change = seen("benign-change", DAY, 5 * DAY, (0.0,))
    assert scored([change], 2 * DAY, 2 * DAY + HOUR).false_episodes == 0
    assert scored([change], 2 * DAY, 4 * DAY).false_episodes == 1


def test_kinds_of_incident_weigh_the_same() -> None:
    spans = [seen("leak"), seen("leak", 5 * DAY, 5 * DAY + HOUR), seen("loop", 9 * DAY, 9 * DAY + HOUR)]
    assert scored(spans, HOUR / 4, 5 * DAY + HOUR / 4).saved == pytest.approx(0.3)


def test_the_same_seed_gives_the_same_workspace() -> None:
    from _ordinary import make_keys, polls

    first, again, other = (list(polls(make_keys(20, 2, seed), seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert all(s.spent >= 0 for reading in first for s in reading.snapshots)


def test_a_z_score_is_held_against_the_same_windows_as_we_are(tmp_path: Path) -> None:
    from _nab import RULES, as_readings, best_at, caught, cheapest_with, read_series, thresholds

    (tmp_path / "labels").mkdir()
    (tmp_path / "data").mkdir()
    lines = [f"2015-02-{1 + n // 24:02} {n % 24:02}:00:00,{90 if n in (300, 400) else 10 + n % 2}" for n in range(480)]
    (tmp_path / "data" / "a.csv").write_text("timestamp,value\n" + "\n".join(lines))
    window = ["2015-02-13 06:00:00", "2015-02-13 18:00:00"]
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps({"a.csv": [window]}))

    (series,) = read_series(tmp_path, ["a.csv"])
    last = as_readings([series])[-1].snapshots[0]
    assert last.spent == sum(10 + n % 2 for n in range(456, 480)) * 1_000_000

    one = caught([series], {"a": [series.times[300], series.times[301], series.times[350], series.times[360]]})
    assert (one.windows, one.caught, one.false_episodes) == (1, 1, 1)

    found = thresholds([series], RULES[0])
    freely, strictly, cheapest = best_at(found, 1), best_at(found, 0), cheapest_with(found, 1)
    assert freely == strictly == cheapest  # the first peak widens the week beside which the second is seen
    assert cheapest is not None
    assert (cheapest.result.caught, cheapest.result.false_episodes) == (1, 0)
    assert (found[0].result.caught, found[0].result.false_episodes) == (1, 1)
    assert cheapest_with(found, 2) is None


def test_each_part_can_be_asked_for_and_prints_json(bench: Path, tmp_path: Path) -> None:
    rows = ["key_id,name,at,spent_today,last_used_at,daily_cap"]
    rows += [f"a,a,2026-01-{day:02}T{hour:02}:30:00Z,{hour * 5},," for day in range(1, 20) for hour in range(24)]
    rows += [f"a,a,2026-01-20T{hour:02}:30:00Z,{hour * 5 + max(hour - 11, 0) * 500},," for hour in range(24)]
    with gzip.open(tmp_path / "polls.csv.gz", "wt") as file:
        file.write("\n".join(rows))
    with gzip.open(tmp_path / "workspace.csv.gz", "wt") as file:
        file.write("at,balance\n2026-01-01T00:30:00Z,100000\n")
    leak = {"kind": "leak", "start": "2026-01-20T11:30:00Z", "end": "2026-01-20T23:30:00Z", "excess_15min": [125] * 48}
    spans = {"scored_from": "2026-01-15T00:00:00Z", "scored_to": "2026-01-21T00:00:00Z"}
    labels = {"step_minutes": 15, "keys": {"a": spans}, "events": [{"key_id": "a", **leak}]}
    (tmp_path / "labels.json").write_text(json.dumps(labels))

    found = run(bench, "labelled", str(tmp_path), "--at", "4")
    (scores,) = found["folders"].values()
    assert scores["4.0"]["recall"] == 1.0
    assert found["median_score"]["4.0"] > 80

    found = run(bench, "ordinary", "--keys", "20", "--days", "16", "--workspaces", "1", "--at", "4")
    assert found["settings"]["4.0"]["alerts"] >= 0


def run(bench: Path, *words: str) -> Any:
    command = [sys.executable, str(bench / "detect.py"), *words, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
