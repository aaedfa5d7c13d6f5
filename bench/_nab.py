"""Real counts as usage: files of the Numenta Anomaly Benchmark, and the z-score that stands beside us.

Taken are the files that count things per interval, as credits are counted: tweets, requests to a load balancer, taxi
passengers. Not taken: speeds, travel times, occupancies, temperatures, prices and utilisations, which are levels and
add up to nothing; bytes (`--bytes` takes them), which add up but are no count; artificial series.

All files are keys of one workspace, each at its own time: the knob counts all keys together, and the z-score's
threshold is one for all files too. A value is the credits spent in the interval that ends at its time, when a
poll is made.
"""

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import inf, sqrt
from operator import attrgetter
from pathlib import Path

from _score import MONTH, episodes

from flowy_watch.core.usage import Reading, Snapshot, credits_to_micro

_TWEETED = ("AAPL", "AMZN", "CRM", "CVS", "FB", "GOOG", "IBM", "KO", "PFE", "UPS")
COUNTS = (
    *(f"realTweets/Twitter_volume_{of}.csv" for of in _TWEETED),
    "realAWSCloudwatch/elb_request_count_8c0756.csv",
    "realKnownCause/nyc_taxi.csv",
)
BYTES = (
    "realAWSCloudwatch/ec2_network_in_257a54.csv",
    "realAWSCloudwatch/ec2_network_in_5abac7.csv",
    "realAWSCloudwatch/iio_us-east-1_i-a2eb1cd9_NetworkIn.csv",
    "realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv",
    "realAWSCloudwatch/ec2_disk_write_bytes_c0d644.csv",
)
_BYTES_PER_CREDIT = 10_000.0
_PROBATION = 0.15  # of each file
_WEEK = 7 * 86400.0
_FEWEST = 36  # values before a z-score is believed


@dataclass(frozen=True, slots=True)
class Series:
    """One file; times in seconds since 1970, taken to be UTC."""

    name: str
    times: tuple[float, ...]
    values: tuple[float, ...]
    windows: tuple[tuple[float, float], ...]
    """Labelled, from first to last; those that begin in the probation are left out."""
    judged_from: float

    @property
    def months(self) -> float:
        return (self.times[-1] - self.judged_from) / MONTH


@dataclass(frozen=True, slots=True)
class Caught:
    """How alerts fared on some files."""

    windows: int
    caught: int
    false_episodes: int
    key_months: float

    @property
    def score(self) -> float:
        """As for labelled workspaces: what is won, less false episodes per key-month, in per cent."""
        return 100 * (self.caught / max(self.windows, 1) - self.false_episodes / self.key_months)


def read_series(folder: Path, names: Sequence[str]) -> list[Series]:
    labelled = json.loads((folder / "labels" / "combined_windows.json").read_text())
    return [_read(folder / "data" / name, labelled[name]) for name in names]


def _read(path: Path, labelled: Iterable[Sequence[str]]) -> Series:
    with path.open(newline="") as file:
        rows = {_seconds(row["timestamp"]): float(row["value"]) for row in csv.DictReader(file)}
    times = sorted(rows)
    judged_from = times[int(_PROBATION * len(times))]
    windows = [(_seconds(start), _seconds(end)) for start, end in labelled]
    scale = _BYTES_PER_CREDIT if path.parent.name + "/" + path.name in BYTES else 1.0
    return Series(
        path.stem,
        tuple(times),
        tuple(rows[at] / scale for at in times),
        tuple(window for window in windows if window[0] > judged_from),
        judged_from,
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def as_readings(series: Iterable[Series]) -> list[Reading]:
    """A poll at each time at which some file has a value."""
    snapshots = sorted((one for each in series for one in _snapshots(each)), key=attrgetter("taken_at"))
    return [Reading(at, tuple(group)) for at, group in groupby(snapshots, key=attrgetter("taken_at"))]


def _snapshots(series: Series) -> Iterator[Snapshot]:
    day, spent, used_at = -1, 0.0, None
    for seconds, value in zip(series.times, series.values, strict=True):
        at = datetime.fromtimestamp(seconds, UTC)
        if int(seconds // 86400) != day:
            day, spent = int(seconds // 86400), 0.0
        spent += value
        used_at = at - timedelta(seconds=1) if value else used_at
        yield Snapshot(series.name, series.name, at, credits_to_micro(spent), used_at)


def caught(series: Sequence[Series], alerts: dict[str, Sequence[float]]) -> Caught:
    """`alerts`: sorted times by the name of the file; those during the probation do not count."""
    hits = false = 0
    for one in series:
        times = [at for at in alerts.get(one.name, ()) if at >= one.judged_from]
        hits += sum(any(start <= at <= end for at in times) for start, end in one.windows)
        outside = [at for at in times if not any(start <= at <= end for start, end in one.windows)]
        false += len(episodes(outside))
    return Caught(sum(len(one.windows) for one in series), hits, false, sum(one.months for one in series))


@dataclass(frozen=True, slots=True)
class Rule:
    """A z-score: of single values or of sums over an hour, upwards only or both ways."""

    name: str
    span: float
    both_ways: bool


RULES = (
    Rule("z of values, upwards", 0.0, False),
    Rule("z of values, both ways", 0.0, True),
    Rule("z of hours, upwards", 3600.0, False),
    Rule("z of hours, both ways", 3600.0, True),
)


@dataclass(frozen=True, slots=True)
class Tuned:
    """A rule at a threshold chosen in hindsight."""

    threshold: float
    result: Caught


def z_scores(series: Series, rule: Rule) -> list[tuple[float, float]]:
    """Times and z-scores beside the mean and standard deviation of the week before."""
    week: deque[tuple[float, float]] = deque()
    recent: deque[tuple[float, float]] = deque()
    scores, total, squares = [], 0.0, 0.0
    for at, value in zip(series.times, series.values, strict=True):
        recent.append((at, value))
        while recent[0][0] <= at - rule.span and len(recent) > 1:
            recent.popleft()
        x = sum(v for _, v in recent)
        while week and week[0][0] < at - _WEEK:
            _, old = week.popleft()
            total, squares = total - old, squares - old * old
        if len(week) >= _FEWEST and at >= series.judged_from:
            mean = total / len(week)
            deviation = sqrt(max(squares / len(week) - mean * mean, 0.0))
            away = abs(x - mean) if rule.both_ways else x - mean
            scores.append((at, away / deviation if deviation > 1e-9 else inf if away > 1e-9 else 0.0))
        week.append((at, x))
        total, squares = total + x, squares + x * x
    return scores


def thresholds(series: Sequence[Series], rule: Rule) -> list[Tuned]:
    """How the rule fares at each of many thresholds, the lowest first."""
    scores = {one.name: [(at, z) for at, z in z_scores(one, rule) if z >= 1.5] for one in series}
    found = []
    for n in range(400):
        threshold = 1.5 * 1.012**n  # to 175 standard deviations
        scores = {name: [(at, z) for at, z in pairs if z >= threshold] for name, pairs in scores.items()}
        found.append(
            Tuned(threshold, caught(series, {name: [at for at, _ in pairs] for name, pairs in scores.items()}))
        )
    return found


def best_at(found: Iterable[Tuned], most_false: int) -> Tuned | None:
    """The most windows at no more false episodes than these."""
    allowed = [one for one in found if one.result.false_episodes <= most_false]
    return max(allowed, key=lambda one: (one.result.caught, -one.result.false_episodes), default=None)


def cheapest_with(found: Iterable[Tuned], least_caught: int) -> Tuned | None:
    """The fewest false episodes at no fewer windows than these."""
    enough = [one for one in found if one.result.caught >= least_caught]
    return min(enough, key=lambda one: (one.result.false_episodes, -one.result.caught), default=None)
