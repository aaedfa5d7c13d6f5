"""The score of alerts against labels: credits saved, less false episodes. Labels are read here and nowhere else.

SCORE = 100 × (saved − F). *saved* is the share of an incident's excess credits not yet spent when the first alert of
its key came, averaged within each kind of incident, then over the kinds. *F* is the number of false episodes per key
and thirty days. An alert up to 24 h after an incident still counts as having found it, but saves nothing. A benign
change may be told once.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, groupby
from operator import attrgetter
from pathlib import Path
from statistics import fmean
from typing import Any

DAY = 86400.0
MONTH = 30 * DAY
_BENIGN = "benign-change"


@dataclass(frozen=True, slots=True)
class Span:
    """Something that happened to a key, in seconds since 1970."""

    kind: str
    start: float
    end: float
    spent: tuple[float, ...] = (0.0,)
    """Excess credits from the start to the end of each step."""

    def near(self, at: float) -> bool:
        return self.start < at <= self.end + DAY

    def saved_at(self, at: float, step: float) -> float:
        """The share of the excess not yet spent, by straight lines between steps."""
        steps = min(max((at - self.start) / step, 0.0), len(self.spent) - 1.0)
        whole = min(int(steps), len(self.spent) - 2)
        lost = self.spent[whole] + (steps - whole) * (self.spent[whole + 1] - self.spent[whole])
        return 1 - lost / self.spent[-1]


@dataclass(frozen=True, slots=True)
class Labels:
    step: float
    scored: dict[str, tuple[float, float]]
    """From when to when each key is scored."""
    spans: dict[str, list[Span]]

    @property
    def key_months(self) -> float:
        return sum(end - start for start, end in self.scored.values()) / MONTH


@dataclass(frozen=True, slots=True)
class Found:
    """An incident, and how its first alert fared."""

    kind: str
    saved: float
    delay: float | None
    """Seconds to the first alert; None when there was none."""


@dataclass(frozen=True, slots=True)
class Kind:
    kind: str
    incidents: int
    recall: float
    saved: float


@dataclass(frozen=True, slots=True)
class Score:
    score: float
    saved: float
    false_per_key_month: float
    false_episodes: int
    recall: float
    median_delay_hours: float | None
    p90_delay_hours: float | None
    kinds: tuple[Kind, ...]


def read_labels(path: Path) -> Labels:
    raw = json.loads(path.read_text())
    spans: dict[str, list[Span]] = {key_id: [] for key_id in raw["keys"]}
    for event in raw["events"]:
        spans[event["key_id"]].append(_span(event))
    scored = {k: (_seconds(v["scored_from"]), _seconds(v["scored_to"])) for k, v in raw["keys"].items()}
    return Labels(raw["step_minutes"] * 60.0, scored, spans)


def _span(event: dict[str, Any]) -> Span:
    spent = tuple(accumulate(event.get("excess_15min", ()), initial=0.0))
    return Span(event["kind"], _seconds(event["start"]), _seconds(event["end"]), spent)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def score(labels: Labels, alerts: Iterable[tuple[str, float]]) -> Score:
    """`alerts` are key ids and seconds since 1970, in any order."""
    times: dict[str, list[float]] = {}
    for key_id, at in alerts:
        times.setdefault(key_id, []).append(at)
    found: list[Found] = []
    false = 0
    for key_id, spans in labels.spans.items():
        start, end = labels.scored[key_id]
        seen = rest = sorted(at for at in times.get(key_id, ()) if start < at <= end)
        for span in spans:
            if span.kind != _BENIGN:
                found.append(_found(span, [at for at in seen if span.near(at)], labels.step))
                rest = [at for at in rest if not span.near(at)]
            elif near := [at for at in rest if span.near(at)]:
                # The first episode of a benign change costs nothing.
                rest = [at for at in rest if not (span.near(at) and at < near[0] + DAY)]
        false += len(episodes(rest))
    return _summary(found, false, labels.key_months)


def _found(span: Span, alerts: Sequence[float], step: float) -> Found:
    if not alerts:
        return Found(span.kind, 0.0, None)
    return Found(span.kind, span.saved_at(alerts[0], step), alerts[0] - span.start)


def episodes(times: Iterable[float]) -> list[float]:
    """The first alert of each 24 hours, of sorted times."""
    firsts: list[float] = []
    for at in times:
        if not firsts or at >= firsts[-1] + DAY:
            firsts.append(at)
    return firsts


def _summary(found: Sequence[Found], false: int, months: float) -> Score:
    by_kind = groupby(sorted(found, key=attrgetter("kind")), key=attrgetter("kind"))
    kinds = tuple(_kind(kind, list(of_kind)) for kind, of_kind in by_kind)
    delays = sorted(one.delay / 3600 for one in found if one.delay is not None)
    saved = fmean(kind.saved for kind in kinds) if kinds else 0.0
    return Score(
        score=100 * (saved - false / months),
        saved=saved,
        false_per_key_month=false / months,
        false_episodes=false,
        recall=len(delays) / max(len(found), 1),
        median_delay_hours=quantile(delays, 0.5),
        p90_delay_hours=quantile(delays, 0.9),
        kinds=kinds,
    )


def _kind(kind: str, found: Sequence[Found]) -> Kind:
    recall = sum(one.delay is not None for one in found) / len(found)
    return Kind(kind, len(found), recall, fmean(one.saved for one in found))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Of sorted values, by straight lines between them."""
    if not values:
        return None
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
