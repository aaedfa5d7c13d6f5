"""What the next days will probably cost: each weekday as it was lately, and how far that was off."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from flowy_watch.core.usage import Microcredits

WEEK_DAYS = 7
LEAST_DAYS = 14
"""Below two weeks no weekday has been seen twice, and nothing is known of how days differ."""
_TEN_PER_CENT = 1.2816  # standard deviations above which a tenth of a normal distribution lies: the range holds 80 %
_LONGEST = 365


@dataclass(frozen=True, slots=True)
class Expected:
    """An amount that is not known yet. Four times of five it should lie within the range."""

    amount: Microcredits
    low: Microcredits
    high: Microcredits

    def holds(self, actual: Microcredits) -> bool:
        return self.low <= actual <= self.high


@dataclass(frozen=True, slots=True)
class Runway:
    """How many days the balance lasts: at the expected burn, if days turn out dear, if they turn out cheap.

    None is longer than a year.
    """

    days: int | None
    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast from the daily totals of whole days, the latest last: two to eight weeks of them.

    The mean of each weekday, and around it the deviation of past days from theirs. The sum of n days then deviates by
    d·√n, and more by what the means themselves may be off, which does not average out: d·n/√(days known).
    """

    totals: tuple[Microcredits, ...]

    @classmethod
    def of(cls, totals: Sequence[Microcredits | None]) -> "Forecast | None":
        """From the unbroken run of days at the end of `totals`; None when it is shorter than two weeks."""
        known: list[Microcredits] = []
        for total in reversed(totals):
            if total is None:
                break
            known.append(total)
        whole = len(known) // WEEK_DAYS * WEEK_DAYS
        return cls(tuple(reversed(known[:whole]))) if whole >= LEAST_DAYS else None

    def day(self, ahead: int) -> float:
        """The mean of the weekday that is `ahead` days after the last known one; 1 is the day after it."""
        same = self.totals[(ahead - 1) % WEEK_DAYS :: WEEK_DAYS]
        return sum(same) / len(same)

    @property
    def deviation(self) -> float:
        means = [self.day(ahead) for ahead in range(1, WEEK_DAYS + 1)]
        squares = sum((total - means[place % WEEK_DAYS]) ** 2 for place, total in enumerate(self.totals))
        return sqrt(squares / (len(self.totals) - WEEK_DAYS))

    def next(self, days: int, *, already: Microcredits = 0) -> Expected:
        """The sum of the next `days`, with what is spent `already`."""
        middle = sum(self.day(ahead) for ahead in range(1, days + 1))
        off = self.off(days)
        return Expected(already + round(middle), already + round(max(middle - off, 0.0)), already + round(middle + off))

    def off(self, days: int) -> float:
        """By how much the sum of `days` may be off, either way."""
        return _TEN_PER_CENT * self.deviation * sqrt(days + days * days / len(self.totals))

    def runway(self, balance: Microcredits) -> Runway:
        """How many whole days a balance pays for."""
        found: list[int | None] = [None, None, None]
        middle, deviation = 0.0, self.deviation
        for days in range(1, _LONGEST + 1):
            middle += self.day(days)
            off = _TEN_PER_CENT * deviation * sqrt(days + days * days / len(self.totals))
            for place, spent in enumerate((middle, middle + off, middle - off)):
                if found[place] is None and spent > balance:
                    found[place] = days - 1
            if None not in found:
                break
        return Runway(*found)


def percentile(values: Sequence[int], share: float) -> int:
    """The smallest of `values` that at least `share` of them do not exceed. Raises ValueError if there are none."""
    if not values:
        raise ValueError("no values have no percentile")
    return sorted(values)[max(ceil(share * len(values)), 1) - 1]
