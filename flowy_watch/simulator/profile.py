"""What an ordinary week looks like: requests expected per hour, and the apps they run."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

DAY = 24
Week: TypeAlias = tuple[tuple[float, ...], ...]  # requests expected per hour; Monday first, 24 to a day


class Rhythm(Enum):
    HUMAN = "irregular"
    MACHINE = "the same distance every time"


@dataclass(frozen=True, slots=True)
class Profile:
    """The apps are taken in turn, which keeps an hour's price close to its usual one."""

    week: Week
    apps: tuple[str, ...]
    rhythm: Rhythm = Rhythm.HUMAN

    def times(self, factor: float) -> "Profile":
        week = tuple(tuple(rate * factor for rate in day) for day in self.week)
        return Profile(week, self.apps, self.rhythm)


def hours(rate: float, *, begin: int = 0, end: int = DAY, otherwise: float = 0.0) -> tuple[float, ...]:
    return tuple(rate if begin <= hour < end else otherwise for hour in range(DAY))


QUIET = hours(0)


def every_day(day: tuple[float, ...]) -> Week:
    return (day,) * 7


def on_weekdays(day: tuple[float, ...], *, weekend: tuple[float, ...] = QUIET) -> Week:
    return (day,) * 5 + (weekend,) * 2


def on_days(day: tuple[float, ...], *weekdays: int) -> Week:
    return tuple(day if number in weekdays else QUIET for number in range(7))


def constant(rate: float, *apps: str) -> Profile:
    """So many an hour, day and night, evenly: what a program does and people do not."""
    return Profile(every_day(hours(rate)), apps, Rhythm.MACHINE)
