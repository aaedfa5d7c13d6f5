"""What is normal for a key, with how much evidence it has."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isnan, nan
from statistics import median

WEEKS = 5
WEEK = 168
SLOTS = WEEKS * WEEK  # hours kept: five weeks, so each hour of the week has been seen up to five times
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday

MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation comparable to a standard deviation for normal data (Rousseeuw & Croux 1993)."""

FEWEST_DAYS = 3
"""A key that has been seen for less is new: nothing is usual for it yet."""

DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Band:
    """What is usual in one span of time, in credits. `bar` is where it stops being usual."""

    low: float
    high: float
    bar: float
    when: str
    """In words: "on Mondays around 14:00 UTC"."""
    observations: int


def hour_number(at: datetime) -> int:
    """Hours since 1970-01-01 00:00 UTC."""
    return int(at.timestamp()) // 3600


class Baseline:
    """Five weeks of a key's spend per hour, in credits, as a ring; an hour nobody watched is NaN.

    Mutable, unlike other values: one hour of 10,000 keys changes 40 kB here and would copy 34 MB as frozen values.
    """

    __slots__ = ("_band_hour", "_bands", "hours", "last_hour", "since_hour")

    def __init__(self) -> None:
        self.hours = array("f", [nan]) * SLOTS
        self.since_hour = 0
        self.last_hour = 0
        self._band_hour = 0
        self._bands: tuple[Band | None, Band | None] = (None, None)

    def learn(self, hour: int, spent: float) -> None:
        """Record the whole spend of a finished hour. Hours that were skipped since the last one are unknown."""
        if not self.since_hour:
            self.since_hour = hour
        elif hour <= self.last_hour:
            return
        else:
            for missing in range(max(self.last_hour + 1, hour - SLOTS), hour):
                self.hours[missing % SLOTS] = nan
        self.hours[hour % SLOTS] = spent
        self.last_hour = hour

    def days_known(self, hour: int) -> float:
        """Days between the first hour learned and `hour`."""
        return (hour - self.since_hour) / 24 if self.since_hour else 0.0

    def bands(self, hour: int) -> tuple[Band | None, Band | None]:
        """What is usual within `hour`, and from 00:00 UTC until its end; None where too little is known.

        Kept for the hour: detectors ask in every poll, the answer changes once an hour.
        """
        if hour != self._band_hour:
            self._band_hour = hour
            known = self.days_known(hour) >= FEWEST_DAYS
            self._bands = (self._hour_band(hour), self._day_band(hour)) if known else (None, None)
        return self._bands

    def _at(self, hour: int) -> float:
        if not self.since_hour <= hour <= self.last_hour or hour <= self.last_hour - SLOTS:
            return nan
        return self.hours[hour % SLOTS]

    def _hour_band(self, hour: int) -> Band | None:
        """Same weekday and hour, an hour either way, over the past weeks; every day's same hour while weeks are few."""
        weekly = self._known(hour - week * WEEK + near for week in range(1, WEEKS + 1) for near in (-1, 0, 1))
        daily = self._known(hour - day * 24 + near for day in range(1, 15) for near in (-1, 0, 1))
        day_name = DAYS[(hour // 24 + _EPOCH_WEEKDAY) % 7]
        clock = f"around {hour % 24:02d}:00 UTC"
        anywhere = self._busiest()
        if len(weekly) >= 6:
            return _band(weekly, anywhere, f"on {day_name} {clock}")
        return _band(daily, anywhere, f"{clock}") if len(daily) >= 6 else None

    def _day_band(self, hour: int) -> Band | None:
        midnight = hour - hour % 24
        totals = [self._until(midnight - day * 24, hour % 24) for day in range(1, WEEKS * 7 + 1)]
        known = [t for t in totals if not isnan(t)]
        weekly = [t for t in totals[6::7] if not isnan(t)]
        if len(known) < FEWEST_DAYS:
            return None
        busiest = sorted(known)[-2] if len(known) > 7 else max(known)
        clock = f"by {hour % 24:02d}:59 UTC"
        if len(weekly) >= 3:
            return _band(weekly, busiest, f"on {DAYS[(hour // 24 + _EPOCH_WEEKDAY) % 7]} {clock}")
        return _band(known, busiest, clock)

    def _until(self, midnight: int, hour_of_day: int) -> float:
        """Spend from a midnight to the end of an hour of that day; NaN when an hour of it is unknown."""
        return sum(self._at(midnight + h) for h in range(hour_of_day + 1))

    def _busiest(self) -> float:
        """The hour that one in a hundred exceeds, at any time of the week: a burst this high is nothing new."""
        known = sorted(v for v in self.hours if not isnan(v))
        return known[-1 - len(known) // 100] if known else 0.0

    def _known(self, hours: Iterable[int]) -> list[float]:
        return [v for h in hours if not isnan(v := self._at(h))]

    def pack(self) -> bytes:
        """For storage: two integers and the ring, native byte order."""
        return array("q", [self.since_hour, self.last_hour]).tobytes() + self.hours.tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> "Baseline":
        """Raises ValueError when the bytes are not of this version's making."""
        if len(packed) != 16 + 4 * SLOTS:
            raise ValueError("not a baseline of this version")
        baseline = cls()
        baseline.since_hour, baseline.last_hour = array("q", packed[:16])
        baseline.hours = array("f", packed[16:])
        return baseline


def _band(values: list[float], busiest: float, when: str) -> Band:
    """Median and scaled MAD, and never below what the key has shown itself able to do at other times."""
    middle = median(values)
    spread = MAD_TO_SIGMA * median(abs(v - middle) for v in values)
    ordered = sorted(values)
    trim = len(ordered) // 8
    low, high = ordered[trim], ordered[len(ordered) - 1 - trim]
    bar = max(middle + 8 * spread, 3 * middle, 2.5 * high, 2.5 * busiest)
    return Band(low, high, bar, when, len(values))
