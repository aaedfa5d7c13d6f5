"""When a key is expected to be used: declared hours of the week in somebody's own zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(
    r"(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))?\s+(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?:\s+(?P<zone>\S+))?"
)


@dataclass(frozen=True, slots=True)
class Hours:
    """`Mon-Fri 07:00-20:00 Europe/Madrid`; the end may be 24:00, and before the start, for a span over midnight."""

    text: str
    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """Raises ValueError saying which part is wrong."""
        match = _FORM.fullmatch(text.strip())
        if not match:
            raise ValueError('must look like "Mon-Fri 07:00-20:00 Europe/Madrid"')
        first = _weekday(match["first"])
        span = (_weekday(match["last"]) - first) % 7 + 1 if match["last"] else 1
        try:
            zone = ZoneInfo(match["zone"] or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("names no known time zone") from error
        start, end = _clock(match["start"]), _clock(match["end"])
        return cls(text.strip(), frozenset((first + n) % 7 for n in range(span)), start, end, zone)

    @classmethod
    def parse_daily(cls, text: str) -> "Hours":
        """As `parse`, where days may be left out: then every day is meant."""
        with_days = f"Mon-Sun {text.strip()}" if text.strip()[:1].isdigit() else text
        try:
            return cls.parse(with_days)
        except ValueError as error:
            words = str(error).replace("Mon-Fri 07:00-20:00", "22:00-07:00")
            raise ValueError(words) from None

    def until(self, at: datetime) -> datetime:
        """When hours that cover `at` end; where one span follows upon another, when the last of them does."""
        local = at.astimezone(self.zone)
        for days in range(9):
            day = local.date() + timedelta(days=days)
            end = datetime.combine(day, self.end, self.zone).astimezone(UTC)
            if end > at and not self.cover(end):
                return end
        return at + timedelta(days=7)  # hours without an end: what is held then is looked at once a week

    def cover(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        clock = local.time()
        if self.start < self.end or self.end == time():
            return local.weekday() in self.days and self.start <= clock and (self.end == time() or clock < self.end)
        if clock >= self.start:
            return local.weekday() in self.days
        return clock < self.end and (local.weekday() - 1) % 7 in self.days


def _weekday(word: str) -> int:
    try:
        return _DAYS.index(word.lower())
    except ValueError:
        raise ValueError("names days as Mon, Tue, Wed, Thu, Fri, Sat, Sun") from None


def _clock(text: str) -> time:
    if text == "24:00":
        return time()
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError("has a time that is no time of day") from None
