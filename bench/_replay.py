"""What `flowy-watch backtest` would tell at several settings of its one knob, from one replay."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flowy_watch.core.finding import Finding
from flowy_watch.core.usage import Reading
from flowy_watch.detectors import DETECTORS, Detector, View
from flowy_watch.jobs.backtest import backtest
from flowy_watch.settings import parse

NOT_ANOMALIES = frozenset({"cap", "balance", "unattributed", "safeguard", "blind"})
"""Kinds that state facts; the score leaves them out. They neither hear nor tell the other detectors anything."""

_SETTINGS = parse('source.token = "not used here"', environ={})
DEFAULT = _SETTINGS.workspace.false_alarms_per_month


@dataclass(frozen=True, slots=True)
class Told:
    """One alert as it opened."""

    key_id: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AtSetting:
    """A detector that sees the view of one setting, and whose findings lead a life of their own.

    This gives the alerts of a backtest at that setting alone, though several share a replay:

    * `Watch`, and with it every history, verdict and calibration, is moved by readings only; the knob enters a
      decision through `View.false_alarms_per_month` and nowhere else, and detectors are pure by their contract;
    * `reconcile` treats each fingerprint by itself, and its lives go by kind. The setting is added to the
      fingerprint's period, which keeps kinds as they are and keeps settings apart.

    `tests/bench` holds both against separate backtests.
    """

    detector: Detector
    setting: float

    def examine(self, view: View) -> Iterator[Finding]:
        for finding in self.detector.examine(replace(view, false_alarms_per_month=self.setting)):
            yield replace(finding, period=f"{finding.period}@{self.setting!r}")


def replay(readings: Iterable[Reading], settings: Sequence[float]) -> dict[float, list[Told]]:
    """The alerts about keys at each setting, in the order in which they opened."""
    detectors = [
        AtSetting(DETECTORS[name](chosen.config), setting)
        for name, chosen in _SETTINGS.detectors.items()
        if chosen.enabled and name not in NOT_ANOMALIES
        for setting in settings
    ]
    told: dict[float, list[Told]] = {setting: [] for setting in settings}
    for alert in backtest(readings, _wrapped(detectors), _SETTINGS.rules_of).alerts:
        finding = alert.finding
        if finding.key_id is not None and finding.kind not in NOT_ANOMALIES:
            setting = float(finding.period.rpartition("@")[2])
            told[setting].append(Told(finding.key_id, finding.kind, alert.opened_at))
    return told


def _wrapped(detectors: Sequence[AtSetting]) -> Sequence[Detector]:
    # A frozen dataclass has no class attribute Config, which the Protocol asks for and a replay never reads.
    return detectors  # type: ignore[return-value]


def with_progress(readings: Iterable[Reading], *, name: str, total: int) -> Iterator[Reading]:
    """Says on standard error, every tenth of the way, how far a replay has come."""
    for number, reading in enumerate(readings, 1):
        if number * 10 // total > (number - 1) * 10 // total:
            print(f"{name}: {number / total:.0%}", file=sys.stderr, flush=True)
        yield reading
