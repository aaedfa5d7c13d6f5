"""The same detectors and `reconcile` over history: what would have been told, and what other settings would have."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from flowy_watch.core.alert import OF_SPEND, Alert, Change, Evaluated, Status, Uses, reconcile
from flowy_watch.core.finding import Finding
from flowy_watch.core.history import History
from flowy_watch.core.stop import use_of
from flowy_watch.core.usage import DAY, Reading, Snapshot
from flowy_watch.core.watch import Watch
from flowy_watch.core.workspace import Health
from flowy_watch.detectors import Detector, KeyRules, View
from flowy_watch.render.chart_alert import Scene
from flowy_watch.render.chart_scenes import Recorder

ODD_SPEND = ("spike", "ramp")
"""Kinds that the knob moves; all others are told whatever it says."""

SETTINGS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
FINE_SETTINGS = (*(round(step * scale, 2) for scale in (0.1, 1, 10) for step in _STEPS), 100.0)
"""What is tried when a setting is wanted for a rate: each a fifth to a third above the one before."""

_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Setting:
    """What one setting of the knob would have told on this history."""

    false_alarms_per_month: float
    threshold: float
    """The surprise that it stood for at the end of the history."""
    alerts: tuple[Alert, ...]
    """Those about odd spend alone, as they opened."""
    per_month: float


@dataclass(frozen=True, slots=True)
class Backtest:
    alerts: tuple[Alert, ...]
    """In the order in which they opened."""
    polls: int
    keys: int
    first_at: datetime | None = None
    last_at: datetime | None = None
    settings: tuple[Setting, ...] = ()
    scenes: tuple[Scene, ...] = ()
    """One for each alert, in the same order, when they were asked for."""

    @property
    def months(self) -> float:
        """How long the history is, in months of thirty days; a day at least."""
        span = self.last_at - self.first_at if self.first_at and self.last_at else DAY
        return max(span, DAY) / _MONTH


def backtest(
    readings: Iterable[Reading],
    detectors: Sequence[Detector],
    rules_of: Callable[[str, str], KeyRules],
    false_alarms_per_month: float = 4.0,
    *,
    settings: Iterable[float] = (),
    scenes: bool = False,
    progress: Callable[[datetime], object] | None = None,
) -> Backtest:
    """Replay readings, oldest first, through everything a live poll decides with; nothing is stored or sent.

    `settings` of the knob are tried in the same pass: what a key's history knows, and how surprising it finds a poll,
    does not depend on the knob, which only says what is told. `progress` hears how far the replay has come.
    """
    watch, polls = Watch(), 0
    uses = partial(use_of, histories=watch.histories)
    told = _Told(uses)
    tried = {setting: _Told(uses) for setting in sorted(set(settings))}
    recorder = Recorder(watch) if scenes else None
    first_at = None
    for reading in readings:
        now, known = reading.taken_at, watch.listed_before
        kept, _ = watch.believable(reading)
        new = watch.add(replace(reading, snapshots=kept))
        watch.listed_before, polls, first_at = True, polls + 1, first_at or now
        appeared = new if known else frozenset[str]()
        view = _Asked(now, watch.listed, watch.workspace, Health(good=True), rules_of, appeared, false_alarms_per_month)
        found = [_examine(detector, view) for detector in detectors]
        findings = [finding for one in found for finding in one.findings]
        evaluated = _evaluated(kept, balance=reading.balance is not None)
        opened = told.take(findings, evaluated, now)
        found = [one for one in found if one.findings or one.asked]
        for setting, other in tried.items():
            if found or other.unresolved:
                by = View(now, watch.listed, watch.workspace, view.health, rules_of, appeared, setting)
                odd = [finding for one in found for finding in one.by(by) if finding.kind in ODD_SPEND]
                other.take(odd, evaluated, now)
        if recorder:
            recorder.note(reading, kept, opened)
        if progress:
            progress(now)
    result = Backtest(tuple(told.opened.values()), polls, len(watch.histories), first_at, watch.taken_at)
    threshold = watch.workspace.calibration.threshold
    return replace(
        result,
        settings=tuple(
            Setting(one, threshold(one), tuple(other.first.values()), len(other.opened) / result.months)
            for one, other in tried.items()
        ),
        scenes=recorder.finish() if recorder else (),
    )


def setting_for(wanted: float, settings: Iterable[Setting]) -> Setting | None:
    """The setting that comes nearest to `wanted` alerts about odd spend a month, not above; the quietest of equals."""
    quiet = [setting for setting in settings if setting.per_month <= wanted]
    return max(quiet, key=lambda setting: (setting.per_month, -setting.false_alarms_per_month), default=None)


@dataclass(frozen=True, slots=True)
class _Asked(View):
    """A view that remembers of which keys it was asked from which surprise on to tell."""

    asked: dict[str, History] = field(default_factory=dict)

    def threshold(self, history: History) -> float:
        self.asked[history.latest.key_id] = history
        return View.threshold(self, history)


@dataclass(frozen=True, slots=True)
class _Examined:
    """What one detector found, and the keys of which another setting of the knob could have it find something else."""

    detector: Detector
    findings: tuple[Finding, ...]
    asked: dict[str, History]

    def by(self, other: View) -> Iterator[Finding]:
        """What it would have found with another setting. A detector is pure and judges each key by itself: about a key
        of which it did not ask for the threshold it would have found the same."""
        yield from (finding for finding in self.findings if finding.key_id not in self.asked)
        if self.asked:
            yield from self.detector.examine(replace(other, histories=tuple(self.asked.values())))


def _examine(detector: Detector, view: _Asked) -> _Examined:
    view.asked.clear()
    findings = tuple(detector.examine(view))
    return _Examined(detector, findings, dict(view.asked) if view.asked else {})


def _evaluated(kept: Iterable[Snapshot], *, balance: bool) -> Evaluated:
    listed = {snapshot.key_id: snapshot.spent is not None for snapshot in kept}

    def could_see(finding: Finding) -> bool:
        if not finding.key_id:
            return balance
        return listed.get(finding.key_id, False) or (finding.kind not in OF_SPEND and finding.key_id in listed)

    return could_see


class _Told:
    """The alerts of one replay: what a database would hold."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self.first: dict[int, Alert] = {}
        """As they opened."""
        self.opened: dict[int, Alert] = {}
        self.unresolved: dict[int, Alert] = {}
        self._ended: dict[str, Alert] = {}
        """The last of each fingerprint that ended."""

    def take(self, findings: Sequence[Finding], evaluated: Evaluated, now: datetime) -> list[Alert]:
        """Reconcile with one poll's findings and return the alerts that it opened."""
        if not findings and not self.unresolved:
            return []
        ended = self._ended.values()
        result = reconcile(
            self.unresolved.values(), findings, evaluated=evaluated, uses=self._uses, ended=ended, now=now
        )
        new = []
        for alert in result.seen:
            self.unresolved[alert.id] = alert
        for transition in result.transitions:
            alert = transition.alert
            if transition.change is Change.OPENED:
                alert = replace(alert, id=len(self.opened) + 1)
                self.first[alert.id] = alert
                new.append(alert)
            self.opened[alert.id] = self.unresolved[alert.id] = alert
            if alert.status is Status.RESOLVED:
                del self.unresolved[alert.id]
                if alert.life.flaps:
                    self._ended[alert.fingerprint] = alert
        return new
