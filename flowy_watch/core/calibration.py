"""From the false alarms people accept to the surprise from which they are told.

Every UTC day ends with the highest surprise of each key. On days without an incident these peaks fall off a little
slower than exponentially: a generalised Pareto tail, its scale fitted to the workspace's own last weeks (peaks over
threshold: Pickands 1975; Siffer et al., KDD 2017), its shape what made-up workspaces of 200 ordinary keys have shown.
It is read backwards: at which surprise are there so many peaks a month, over all keys together?

Three guards keep incidents out of what is called ordinary: a peak that is beyond doubt is left out together with its
key's next days, an excess counts only up to a limit, and a fit begins from what other workspaces have shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp
from typing import Any

from flowy_watch.core.surprise import BEYOND_DOUBT, TOLD_FROM

MONTH = 30.0

_FORGET = exp(-1 / 35)  # per day: five weeks are remembered
_DAYS_AFTER = 2
_LIMIT = 1.0  # an excess counts up to here
_PRIOR_KEY_DAYS, _PRIOR_RATE = 600.0, 0.034  # one peak in thirty days of a key
_PRIOR_PEAKS, _PRIOR_MEAN = 20.0, 0.5
_SHAPE = 0.06  # too little to be seen in one workspace; without it twice as much as wanted is told at a half a month
_SCALE = 0.92  # of the mean excess below the limit
_LOWEST, _HIGHEST = TOLD_FROM + 0.25, 11.0


@dataclass(slots=True)
class Calibration:
    """Peaks of past days as sums in which older days weigh less. Mutable, like the histories they come from."""

    key_days: float = 0.0
    peaks: float = 0.0
    whole: float = 0.0
    """Peaks whose excess is below the limit."""
    excess: float = 0.0
    keys: int = 0
    """Keys that could have been surprising on the last day."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Key ids and the last day on which their peaks are no evidence."""

    def close_day(self, day: int, highest: Mapping[str, float]) -> None:
        """Take in the highest surprise of each key that was judged on a day (counted in days since 1970)."""
        self.keys = len(highest)
        for name in ("key_days", "peaks", "whole", "excess"):
            setattr(self, name, getattr(self, name) * _FORGET)
        self.left_out = {key_id: until for key_id, until in self.left_out.items() if until >= day}
        self.key_days += len(highest)
        for key_id, peak in highest.items():
            if peak >= BEYOND_DOUBT:
                self.left_out[key_id] = day + _DAYS_AFTER
            elif peak >= TOLD_FROM and key_id not in self.left_out:
                over = min(peak - TOLD_FROM, _LIMIT)
                self.peaks += 1
                self.excess += over
                self.whole += over < _LIMIT

    @property
    def slope(self) -> float:
        """By how much the surprise grows when days are e times as rare, where the tail begins."""
        return _SCALE * (self.excess + _PRIOR_PEAKS * _PRIOR_MEAN) / (self.whole + _PRIOR_PEAKS)

    @property
    def rate(self) -> float:
        """Peaks per key and day."""
        return (self.peaks + _PRIOR_KEY_DAYS * _PRIOR_RATE) / (self.key_days + _PRIOR_KEY_DAYS)

    def threshold(self, per_month: float) -> float:
        """The surprise that ordinary days of all keys together reach `per_month` times in thirty days."""
        wanted = per_month / MONTH / max(self.keys, 1)
        times: float = max(self.rate / wanted, 1.0) ** _SHAPE
        return min(max(TOLD_FROM + self.slope * (times - 1) / _SHAPE, _LOWEST), _HIGHEST)

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it, for `load`."""
        sums = [self.key_days, self.peaks, self.whole, self.excess]
        return {"sums": sums, "keys": self.keys, "left_out": self.left_out}

    @classmethod
    def load(cls, state: dict[str, Any]) -> "Calibration":
        """Raises KeyError, TypeError or ValueError when `state` is not of this version's making."""
        key_days, peaks, whole, excess = map(float, state["sums"])
        return cls(key_days, peaks, whole, excess, int(state["keys"]), dict(state["left_out"]))
