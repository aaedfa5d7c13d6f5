"""Weeks and months of UTC days, and when their digest is due."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from flowy_watch.core.usage import DAY, day_of, day_start

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_WEEK, _MONTH = re.compile(r"(\d{4})-W(\d{2})"), re.compile(r"(\d{4})-(\d{2})")

_FIRST_YEAR, _LAST_YEAR = 1970, 9998


class Span(StrEnum):
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A week (ISO 8601) or a month of UTC days: from 00:00 UTC of `first` up to, without, 00:00 UTC of `end`."""

    first: date
    end: date
    span: Span = Span.WEEK

    @classmethod
    def week_of(cls, day: date) -> "Period":
        monday = day - day.weekday() * DAY
        return cls(monday, monday + 7 * DAY, Span.WEEK)

    @classmethod
    def month_of(cls, day: date) -> "Period":
        first = day.replace(day=1)
        return cls(first, (first + 31 * DAY).replace(day=1), Span.MONTH)

    @classmethod
    def of(cls, span: Span, day: date) -> "Period":
        return cls.week_of(day) if span is Span.WEEK else cls.month_of(day)

    @classmethod
    def parse(cls, name: str) -> "Period":
        """`2026-W47` or `2026-10`. Raises ValueError for what no calendar has."""
        if (match := re.match(r"\d{4}", name)) and not _FIRST_YEAR <= int(match[0]) <= _LAST_YEAR:
            raise ValueError("lies outside of any calendar that was watched")
        if match := _WEEK.fullmatch(name):
            return cls.week_of(date.fromisocalendar(int(match[1]), int(match[2]), 1))
        if match := _MONTH.fullmatch(name):
            return cls.month_of(date(int(match[1]), int(match[2]), 1))
        raise ValueError("is no week such as 2026-W47 and no month such as 2026-10")

    @property
    def name(self) -> str:
        if self.span is Span.MONTH:
            return f"{self.first:%Y-%m}"
        year, week, _ = self.first.isocalendar()
        return f"{year}-W{week:02d}"

    @property
    def start_at(self) -> datetime:
        return day_start(self.first)

    @property
    def end_at(self) -> datetime:
        return day_start(self.end)

    @property
    def length(self) -> int:
        """In days."""
        return (self.end - self.first).days

    def days(self) -> Iterator[date]:
        return (self.first + n * DAY for n in range(self.length))

    def before(self) -> "Period":
        return Period.of(self.span, self.first - DAY)

    def after(self) -> "Period":
        return Period.of(self.span, self.end)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When people want to read the digest of a finished period."""

    weekday: int
    """0 is Monday; counts for weeks. That of a month is read on its first day after."""
    time: time
    zone: ZoneInfo

    def due_at(self, period: Period) -> datetime:
        """One instant for each period, and never before the period is over.

        A time of day that the clock jumps over is taken as if it had not; of one that comes twice, the first counts.
        """
        later = self.weekday if period.span is Span.WEEK else 0
        local = datetime.combine(period.end + later * DAY, self.time, self.zone)
        return max(local.astimezone(UTC), period.end_at)

    def first_due(self, span: Span, now: datetime) -> Period:
        """The earliest period whose digest is not due before `now`: where a calendar begins."""
        period = Period.of(span, day_of(now) - 32 * DAY)
        while self.due_at(period) < now:
            period = period.after()
        return period


def last_finished(span: Span, now: datetime) -> Period:
    return Period.of(span, day_of(now)).before()


def days_between(first: date, end: date) -> list[date]:
    return [first + n * DAY for n in range((end - first).days)]


WEEK = timedelta(days=7)
