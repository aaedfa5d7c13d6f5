"""At which times of day a key is used at all, seen from further away than a forecast looks.

A forecast looks at what was spent in the same hour of past weeks. A key used in sessions has mostly spent nothing in
it, at noon as at midnight; that it is used by day and not by night shows only in the hours around, over weeks.
"""

from array import array
from math import log10
from typing import NamedTuple

_NEAR = 3  # hours before and after
_DAYS = 34
_FEWEST = 50  # hours seen: below it no time of the day is odd
_WORTH, _FREE, _MOST = 1.2, 0.3, 2.0
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


class Habit(NamedTuple):
    """The hours around this time of day, on past days of its kind: working days or weekends."""

    used: int
    seen: int

    def oddity(self, share: float) -> float:
        """What it adds to the surprise of a use now; `share` is how many of all its hours see the key used.

        The decimal logarithm of how much rarer use is around this time, less what chance does.
        """
        if self.seen < _FEWEST:
            return 0.0
        rarer = log10((share * self.seen + 0.5) / (self.used + 0.5))
        return _WORTH * min(max(rarer - _FREE, 0.0), _MOST)


def habit_at(hour: int, hours: "array[float]") -> Habit:
    """From a ring of spend by hour, NaN where it is unknown. The last day is left out: it may be an incident's."""
    slots, around = len(hours), array("f")
    for day in _SAME_KIND[(hour // 24 + _EPOCH_WEEKDAY) % 7]:
        first = (hour - 24 * day - _NEAR) % slots
        end = first + (_NEAR if day == 1 else 2 * _NEAR) + 1
        around += hours[first:end]
        if end > slots:
            around += hours[: end - slots]
    seen = len([spent for spent in around if spent == spent])  # not NaN
    return Habit(seen - around.count(0.0), seen)


def is_weekend(hour: int) -> bool:
    return (hour // 24 + _EPOCH_WEEKDAY) % 7 >= 5


_SAME_KIND = tuple(
    tuple(day for day in range(1, _DAYS + 1) if ((weekday - day) % 7 >= 5) == (weekday >= 5)) for weekday in range(7)
)
