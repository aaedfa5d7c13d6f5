"""Whether a key is spent at the even pace of a machine, which people and their traffic hardly ever keep.

Readings are taken as ticks of a quarter of an hour or a little more. A tick whose pace is within a few per cent of the
one before is a repeat; how often this key's ticks are repeats is learned, and a run of `n` of them is as surprising as
that share to the power of `n`.
"""

from dataclasses import dataclass
from math import log10

TICK = 14 * 60.0
"""Seconds; a reading that comes sooner is part of the tick."""

_LONGEST = 33 * 60.0  # a tick longer than this says nothing about a pace
_NEAR = 0.05  # of the pace before
_FEWEST = 2  # repeats in a row
_LEARNED = 4  # repeats of a run: it must not become normal while it lasts
_FORGET = 2.0 ** (-1 / 2000)
_SHARE, _WEIGHT = 0.1, 60.0  # what is believed before any is seen
_MOST = 12.0
_WORTH, _FREE = 0.6, 0.5  # beside how much was spent: the two are not quite independent


@dataclass(slots=True)
class Rhythm:
    """Mutable, like the history it belongs to; O(1) per tick."""

    pace: float = 0.0
    """Credits per second in the last tick."""
    run: int = 0
    """Repeats in a row, up to now."""
    repeats: float = 0.0
    ticks: float = 0.0
    evidence: float = 0.0
    """What the run adds to the surprise of spend that is more than expected."""

    def add(self, spent: float, seconds: float) -> None:
        """Take in a tick."""
        before, self.pace, self.evidence = self.pace, spent / seconds, 0.0
        if before <= 0 or spent <= 0 or seconds > _LONGEST:
            self.run = 0
            return
        self.repeats *= _FORGET
        self.ticks = self.ticks * _FORGET + 1
        if abs(self.pace - before) > _NEAR * before:
            self.run = 0
            return
        self.run += 1
        if self.run >= _FEWEST:
            share = (self.repeats + _WEIGHT * _SHARE) / (self.ticks + _WEIGHT)
            self.evidence = _WORTH * max(min(-self.run * log10(share), _MOST) - _FREE, 0.0)
        if self.run <= _LEARNED:
            self.repeats += 1

    def dump(self) -> list[float]:
        """For `Rhythm(*…)`."""
        return [self.pace, self.run, self.repeats, self.ticks, self.evidence]
