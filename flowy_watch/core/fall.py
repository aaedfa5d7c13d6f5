"""By how much the balance fell: what is spent where no counter tells it."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from flowy_watch.core.usage import DAY, Microcredits, day_of

_PACE_OVER = timedelta(minutes=30).total_seconds()
_LEAST_SPAN = 30.0  # seconds
_DAYS = 14


@dataclass(slots=True)
class Fall:
    """Never more than was spent: a top-up hides what was spent since the poll before. Mutable, like the histories."""

    days: dict[date, Microcredits] = field(default_factory=dict)
    """Of each of the last days that was seen from its start."""
    _total: Microcredits = 0
    _marks: list[tuple[float, Microcredits]] = field(default_factory=list)
    """Moments in seconds since 1970, and what had fallen by then: those of the last half hour and one before."""

    def add(self, at: datetime, before: Microcredits | None, balance: Microcredits) -> None:
        """Take in a balance, and the one known before it."""
        fell = max(before - balance, 0) if before is not None else 0
        seconds, marks = at.timestamp(), self._marks
        self._total += fell
        today = day_of(at)
        if today in self.days:
            self.days[today] += fell
        elif marks and int(marks[-1][0]) // 86400 < int(seconds) // 86400:
            self.days[today] = fell
            for old in [d for d in self.days if d < today - _DAYS * DAY]:
                del self.days[old]
        marks.append((seconds, self._total))
        while len(marks) > 2 and marks[1][0] <= seconds - _PACE_OVER:
            del marks[0]

    def per_hour(self) -> Microcredits:
        """The pace of the last half hour, or between the last two polls where they are further apart."""
        if len(self._marks) < 2:
            return 0
        (began, before), (seconds, total) = self._marks[0], self._marks[-1]
        span = seconds - began
        return int((total - before) * 3600 / span) if span >= _LEAST_SPAN else 0

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it, for `load`."""
        days = {day.isoformat(): fell for day, fell in self.days.items()}
        return {"days": days, "total": self._total, "marks": self._marks}

    @classmethod
    def load(cls, state: dict[str, Any]) -> "Fall":
        """Raises KeyError, TypeError or ValueError when `state` is not of this version's making."""
        days = {date.fromisoformat(day): fell for day, fell in state["days"].items()}
        return cls(days, state["total"], [(at, total) for at, total in state["marks"]])
