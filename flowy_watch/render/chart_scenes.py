"""Scenes for charts, collected while polls go by, in bounded memory: eight days of hours for each key."""

from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite, nan

from flowy_watch.core.alert import Alert
from flowy_watch.core.baseline import FEWEST_HOURS, SLOTS, Baseline, Usual, hour_number
from flowy_watch.core.usage import CREDIT, Reading, Snapshot
from flowy_watch.core.watch import Watch
from flowy_watch.render.chart_alert import Scene

_BEFORE, _AFTER = 7 * 24, 24  # hours around the moment
_LEAST_BEFORE = 6
_KEPT = _BEFORE + _AFTER + 8


class _Ring:
    """One figure for each of the last hours, NaN for those that nobody wrote."""

    __slots__ = ("_figures", "_last")

    def __init__(self) -> None:
        self._figures, self._last = array("d", [nan]) * _KEPT, 0

    def put(self, hour: int, figure: float) -> None:
        for missing in range(max(self._last + 1, hour - _KEPT + 1), hour):
            self._figures[missing % _KEPT] = nan
        if hour > self._last - _KEPT:
            self._figures[hour % _KEPT] = figure
            self._last = max(self._last, hour)

    def at(self, hour: int) -> float:
        return self._figures[hour % _KEPT] if self._last - _KEPT < hour <= self._last else nan


class _Track:
    """What a key's charts need beside its baseline, which keeps the hours themselves."""

    __slots__ = ("counter", "expected", "first_hour", "learned")

    def __init__(self, first_hour: int) -> None:
        self.first_hour = self.learned = first_hour
        self.counter, self.expected = _Ring(), _Ring()


@dataclass(frozen=True, slots=True)
class _Due:
    """An alert whose scene waits for the day after. What was usual is kept as it was known when the alert opened: by
    now the ring of the baseline may hold the alert's own hours in the place of those five weeks before."""

    alert: Alert
    hours: range
    usual: tuple[Usual, ...]


class Recorder:
    """Told of every poll after `watch` took it in, it makes the scene of an alert a day after the alert opened."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._hour = 0
        self._tracks: dict[str, _Track] = {}
        self._balance = _Ring()
        self._first_hour = 0
        self._due: deque[_Due] = deque()
        self._scenes: dict[int, Scene] = {}

    def note(self, reading: Reading, kept: Iterable[Snapshot], opened: Iterable[Alert]) -> None:
        hour = hour_number(reading.taken_at)
        self._first_hour = self._first_hour or hour
        if hour != self._hour:
            while self._due and hour >= self._due[0].hours.stop:
                self._make(self._due.popleft())
            self._learn()
            self._hour = hour
        for snapshot in kept:
            if snapshot.spent is None:
                continue
            track = self._tracks.get(snapshot.key_id)
            if track is None:
                track = self._tracks[snapshot.key_id] = _Track(hour)
                if hour % 24:
                    track.counter.put(hour - 1, snapshot.spent / CREDIT)
            track.counter.put(hour, snapshot.spent / CREDIT)
        if reading.balance is not None:
            self._balance.put(hour, reading.balance / CREDIT)
        self._due.extend(self._begin(alert, hour) for alert in opened)

    def finish(self) -> tuple[Scene, ...]:
        """The scenes of all alerts, in the order in which they opened."""
        self._learn()
        while self._due:
            self._make(self._due.popleft())
        return tuple(self._scenes[number] for number in sorted(self._scenes))

    def _learn(self) -> None:
        """Once an hour: keep the forecasts of the hours that have ended."""
        for key_id, track in self._tracks.items():
            baseline = self._watch.histories[key_id].baseline
            for hour in range(max(track.learned + 1, baseline.last_hour - 72), baseline.last_hour + 1):
                track.expected.put(hour, _forecast(baseline, hour))
            track.learned = max(track.learned, baseline.last_hour)

    def _begin(self, alert: Alert, hour: int) -> _Due:
        track = self._tracks.get(alert.finding.key_id or "")
        begun = track.first_hour if track else self._first_hour
        hours = range(max(hour - _BEFORE, min(begun, hour - _LEAST_BEFORE)), hour + _AFTER + 1)
        if track is None:
            return _Due(alert, hours, ())
        baseline = self._watch.histories[alert.finding.key_id or ""].baseline
        return _Due(alert, hours, tuple(baseline.usual(one, 1) for one in hours))

    def _make(self, due: _Due) -> None:
        alert, key_id = due.alert, due.alert.finding.key_id
        hours = range(due.hours.start, min(due.hours.stop, self._hour + 1))
        start_at = datetime.fromtimestamp(hours.start * 3600, UTC)
        scene = Scene(alert.id, alert.finding, alert.opened_at, start_at, ())
        if key_id and (track := self._tracks.get(key_id)):
            baseline, usual = self._watch.histories[key_id].baseline, due.usual[: len(hours)]
            scene = replace(
                scene,
                spent=[_spent(baseline, track, hour) for hour in hours],
                counter=[track.counter.at(hour) for hour in hours],
                expected=[track.expected.at(hour) for hour in hours],
                low=[one.low if one.times > 1 else nan for one in usual],
                high=[one.high if one.times > 1 else nan for one in usual],
            )
        else:
            scene = replace(scene, balance=[self._balance.at(hour) for hour in hours])
        self._scenes[alert.id] = scene


def _forecast(baseline: Baseline, hour: int) -> float:
    """What was expected of an hour that has just ended; NaN while the key is too new to expect anything."""
    if not isfinite(baseline.hours[hour % SLOTS]) or hour - baseline.since_hour < FEWEST_HOURS:
        return nan
    expected = baseline._recent[1]
    return expected[hour % len(expected)]


def _spent(baseline: Baseline, track: _Track, hour: int) -> float:
    """Spend of an hour as the baseline knows it; where it was not watched from its start, as the counter shows it."""
    if max(baseline.since_hour, baseline.last_hour - SLOTS + 1) <= hour <= baseline.last_hour:
        spent = baseline.hours[hour % SLOTS]
        if isfinite(spent):
            return spent
    before = track.counter.at(hour - 1) if hour % 24 else 0.0
    return max(track.counter.at(hour) - before, 0.0) if isfinite(before) else nan
