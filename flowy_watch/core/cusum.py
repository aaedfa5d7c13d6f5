"""Evidence that adds up over hours: none of them odd enough to be told, all of them together.

A cumulative sum (Page, "Continuous inspection schemes", Biometrika 1954) of how surprising each hour was, less a drift
that ordinary hours do not outrun. How high it climbs on ordinary days is the key's own: an exponential tail fitted to
its past heights above a start, as `core.surprise` does with peaks.
"""

from array import array
from math import log, log10
from typing import ClassVar

from flowy_watch.core.surprise import HINT, ODD_CUSUM, ODD_SPEND, SPENT, SPENT_CUSUM, TOLD_FROM, Verdict

LAG = 24
"""Hours before a height is learned from, as for windows."""

_HOUR_MOST = 2.0  # what one hour adds: a single wild one is for the windows to say
_MOST = 9.0
_FORGET = 2.0 ** (-1 / (24 * 20))
_SHARE, _SHARE_WEIGHT = 0.01, 200.0  # what is believed of the heights before any is seen, in hours
_MEAN_WEIGHT = 20.0
_LIMIT = 5.0  # times the usual excess: it counts for no more when the tail is fitted
_UNKNOWN = -1.0

#           drift, start, usual excess
_MANNERS = {SPENT: (0.3, 4.0, 1.5), ODD_SPEND: (0.2, 3.0, 1.2)}


class Cusum:
    """The sum for one stream of a key; O(1) per hour. Mutable, like the baseline it belongs to."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "height",
        "since",
        "actual",
        "expected",
        "seen",
        "peaks",
        "tails",
        "excess",
    )
    __slots__ = ("_drift", "_start", "_usual", "heights", "stream", *FIELDS)

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self._drift, self._start, self._usual = _MANNERS[stream]
        self.heights = array("f", [_UNKNOWN]) * LAG
        self.height = 0.0
        self.since = 0.0
        """The hour in which it last began to climb from zero; from there on spend and forecast are summed."""
        self.actual = self.expected = 0.0
        self.seen = self.peaks = self.tails = self.excess = 0.0

    def pass_by(self, hours: int) -> None:
        """Hours that nobody watched tell nothing, and what was before them becomes old news."""
        self.height = max(self.height - self._drift * hours, 0.0)

    def add(self, hour: int, surprise: float, actual: float, expected: float) -> None:
        """Take in a finished hour of its stream."""
        if self.height <= 0:
            self.since, self.actual, self.expected = hour, 0.0, 0.0
        self.actual += actual
        self.expected += expected
        self.height = max(self.height + min(surprise, _HOUR_MOST) - self._drift, 0.0)

    def learn(self, hour: int, *, judged: bool) -> None:
        """Learn from the height of a day ago and remember this hour's, if the key could be judged in it."""
        past = self.heights[hour % LAG]
        self.heights[hour % LAG] = self.height if judged else _UNKNOWN
        if past < 0:
            return
        for name in ("seen", "peaks", "tails", "excess"):
            setattr(self, name, getattr(self, name) * _FORGET)
        self.seen += 1
        over, limit = past - self._start, _LIMIT * self._usual
        if over > 0:
            self.peaks += 1
            self.excess += min(over, limit)
            self.tails += over < limit

    @property
    def surprise(self) -> float:
        """How rarely this key climbs so high."""
        over = self.height - self._start
        if over <= 0:
            return 0.0
        mean = (self.excess + _MEAN_WEIGHT * self._usual) / (self.tails + _MEAN_WEIGHT)
        share = (self.peaks + _SHARE_WEIGHT * _SHARE) / (self.seen + _SHARE_WEIGHT)
        return min(over / mean / log(10) - log10(share), _MOST)

    def judge(self, hour: int, actual: float, expected: float, signs: float = 0.0) -> Verdict | None:
        """The finished hours before `hour`; its own spend and forecast up to now are added for the words.

        `signs` is what speaks for an incident beside how much was spent.
        """
        surprise = self.surprise
        if surprise > HINT:
            surprise += signs
        if surprise < TOLD_FROM:
            return None
        stream = SPENT_CUSUM if self.stream == SPENT else ODD_CUSUM
        return Verdict(surprise, stream, hour - int(self.since), self.actual + actual, self.expected + expected)

    def numbers(self) -> list[float]:
        """All but the heights, in the order of FIELDS."""
        return [getattr(self, name) for name in self.FIELDS]

    @classmethod
    def of(cls, stream: int, numbers: "array[float]", heights: "array[float]") -> "Cusum":
        made = cls(stream)
        for name, value in zip(cls.FIELDS, numbers, strict=True):
            setattr(made, name, value)
        made.heights = heights
        return made
