"""How well the detection detects, and how often it cries wolf.

    python bench/detect.py labelled DIR…   each with polls.csv.gz, workspace.csv.gz and labels.json
    python bench/detect.py nab DIR         a checkout of the Numenta Anomaly Benchmark; beside a tuned z-score
    python bench/detect.py ordinary        made-up workspaces without an incident; false alerts beside the knob

Alerts are those of `flowy-watch backtest`; labels are read only to score them.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from os import cpu_count
from pathlib import Path
from statistics import median
from typing import Any

from _nab import BYTES, COUNTS, RULES, as_readings, best_at, caught, cheapest_with, read_series, thresholds
from _ordinary import PER_DAY, START, make_keys, manner_of, polls
from _replay import DEFAULT, Told, replay, with_progress
from _report import show_labelled, show_nab, show_ordinary
from _score import Score, episodes, read_labels, score

from flowy_watch.sources.file import read_export

SWEEP = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
KNOBS = (0.5, 1.0, 4.0, 16.0)
WARM_UP = timedelta(days=14)


def labelled(folders: Sequence[Path], settings: Sequence[float]) -> dict[str, Any]:
    """Scores by folder and setting, and their medians over the folders."""
    with ProcessPoolExecutor(cpu_count()) as pool:
        found = dict(zip(folders, pool.map(partial(_score_folder, settings=settings), folders), strict=True))
    medians = {setting: median(found[folder][setting].score for folder in folders) for setting in settings}
    return {"folders": {str(folder): scores for folder, scores in found.items()}, "median_score": medians}


def _score_folder(folder: Path, settings: Sequence[float]) -> dict[float, Score]:
    export = read_export(folder / "polls.csv.gz", folder / "workspace.csv.gz")
    readings = with_progress(export.readings, name=folder.name, total=len(export.readings))
    told = replay(readings, settings)
    labels = read_labels(folder / "labels.json")
    return {setting: score(labels, [(one.key_id, one.at.timestamp()) for one in told[setting]]) for setting in settings}


def nab(folder: Path, settings: Sequence[float], *, with_bytes: bool) -> dict[str, Any]:
    series = read_series(folder, (*COUNTS, *BYTES) if with_bytes else COUNTS)
    readings = as_readings(series)
    told = replay(with_progress(readings, name="nab", total=len(readings)), settings)
    ours = {setting: caught(series, _times(told[setting])) for setting in settings}
    by_file = {
        one.name: {str(setting): asdict(caught([one], _times(told[setting]))) for setting in settings} for one in series
    }
    rules = {rule.name: thresholds(series, rule) for rule in RULES}
    beside = []
    for setting, mine in ours.items():
        for name, tuned in rules.items():
            same, enough = best_at(tuned, mine.false_episodes), cheapest_with(tuned, mine.caught)
            beside.append(
                {
                    "setting": setting,
                    "rule": name,
                    "caught_at_our_false": same and same.result.caught,
                    "false_at_our_caught": enough and enough.result.false_episodes,
                }
            )
    best = {name: max(tuned, key=lambda one: one.result.score) for name, tuned in rules.items()}
    return {
        "ours": {setting: {**asdict(mine), "score": mine.score} for setting, mine in ours.items()},
        "beside": beside,
        "best": {name: {**asdict(one), "score": one.result.score} for name, one in best.items()},
        "files": by_file,
    }


def _times(told: Sequence[Told]) -> dict[str, Sequence[float]]:
    times: dict[str, list[float]] = {}
    for one in told:
        times.setdefault(one.key_id, []).append(one.at.timestamp())
    return {name: sorted(of_file) for name, of_file in times.items()}


def ordinary(keys: int, days: int, seeds: Sequence[int], settings: Sequence[float]) -> dict[str, Any]:
    """False alerts per thirty days and workspace at each setting."""
    with ProcessPoolExecutor(cpu_count()) as pool:
        runs = list(pool.map(partial(_ordinary_alerts, keys=keys, days=days, settings=settings), seeds))
    months = len(seeds) * (days - WARM_UP.days) / 30
    found: dict[str, Any] = {"keys": keys, "days": days, "workspaces": len(seeds), "months": months, "settings": {}}
    for setting in settings:
        told = [one for run in runs for one in run[setting]]
        first = [at for run in runs for times in _times(run[setting]).values() for at in episodes(times)]
        found["settings"][setting] = {
            "alerts": len(told),
            "alerts_per_month": len(told) / months,
            "ratio": len(told) / months / setting,
            "episodes_per_month": len(first) / months,
            "per_month_of_each_workspace": [len(run[setting]) / months * len(seeds) for run in runs],
            "kinds": {kind: n / months for kind, n in Counter(one.kind for one in told).items()},
            "manners": {manner: n / months for manner, n in Counter(manner_of(one.key_id) for one in told).items()},
        }
    return found


def _ordinary_alerts(seed: int, keys: int, days: int, settings: Sequence[float]) -> dict[float, list[Told]]:
    made = make_keys(keys, days, seed)
    readings = with_progress(polls(made, seed), name=f"workspace {seed}", total=days * PER_DAY)
    since = START + WARM_UP
    return {setting: [one for one in told if one.at > since] for setting, told in replay(readings, settings).items()}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    shared.add_argument(
        "--at", type=float, action="append", metavar="N", help="false_alarms_per_month; may be repeated"
    )
    shared.add_argument("--sweep", action="store_true", help=f"at {', '.join(f'{n:g}' for n in SWEEP)}")
    parts = parser.add_subparsers(dest="part")
    one = parts.add_parser("labelled", parents=[shared])
    one.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    one = parts.add_parser("nab", parents=[shared])
    one.add_argument("folder", type=Path, metavar="DIR")
    one.add_argument("--bytes", action="store_true", help="take the files that count bytes, too")
    one = parts.add_parser("ordinary", parents=[shared])
    one.add_argument("--keys", type=int, default=200)
    one.add_argument("--days", type=int, default=90)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--workspaces", type=int, default=2, help="with seeds that follow each other")
    return parser


def main(words: Sequence[str]) -> None:
    # Without a word: the part that needs no data, so that `make bench` can run it.
    chosen = arguments().parse_args(words or ["ordinary"])
    usual = KNOBS if chosen.part == "ordinary" else (DEFAULT,)
    settings = SWEEP if chosen.sweep else tuple(chosen.at or usual)
    if chosen.part == "labelled":
        found = labelled(chosen.folders, settings)
    elif chosen.part == "nab":
        found = nab(chosen.folder, settings, with_bytes=chosen.bytes)
    else:
        seeds = range(chosen.seed, chosen.seed + chosen.workspaces)
        found = ordinary(chosen.keys, chosen.days, seeds, settings)
    if chosen.json:
        print(json.dumps(found, indent=1, default=asdict))
    elif chosen.part == "labelled":
        show_labelled(found, settings)
    elif chosen.part == "nab":
        show_nab(found)
    else:
        show_ordinary(found)


if __name__ == "__main__":
    main(sys.argv[1:])
