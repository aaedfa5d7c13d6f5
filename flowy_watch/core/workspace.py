"""The workspace as a whole: its balance, what it burns, and how well it can be seen."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from flowy_watch.core.calibration import Calibration
from flowy_watch.core.fall import Fall
from flowy_watch.core.ledger import Ledger
from flowy_watch.core.usage import DAY, Microcredits, Trouble, day_of, day_start

_FULL_DAYS = 7
_BALANCE_DAYS = 35


@dataclass(slots=True)
class WorkspaceHistory:
    """Balance and total spend over days. Mutable like `History`, and for the same reason."""

    balance: Microcredits | None = None
    balance_at: datetime | None = None
    day_highs: dict[date, Microcredits] = field(default_factory=dict)
    """The highest balance of each of the last 35 days."""
    day_totals: dict[date, Microcredits] = field(default_factory=dict)
    moved_at: datetime | None = None
    """When any key, counter or the balance last changed."""
    longest_still: timedelta = timedelta(0)
    first_at: datetime | None = None
    calibration: Calibration = field(default_factory=Calibration)
    ledger: Ledger = field(default_factory=Ledger)
    fall: Fall = field(default_factory=Fall)

    def add(self, at: datetime, total: Microcredits | None, balance: Microcredits | None, *, moved: bool) -> None:
        """`total` is what all keys spent today; None where that is not known of every one."""
        self.first_at = self.first_at or at
        if total is not None:
            self.day_totals[day_of(at)] = total
        else:
            self.day_totals.pop(day_of(at), None)  # what it was an hour ago is too little
        for old in [d for d in self.day_totals if d < day_of(at) - 2 * _FULL_DAYS * DAY]:
            del self.day_totals[old]
        if balance is not None:
            moved = moved or balance != self.balance
            self.fall.add(at, self.balance, balance)
            self.balance, self.balance_at = balance, at
            today = day_of(at)
            self.day_highs[today] = max(self.day_highs.get(today, balance), balance)
            for old in [d for d in self.day_highs if d <= today - _BALANCE_DAYS * DAY]:
                del self.day_highs[old]
        if self.moved_at is None:
            self.moved_at = at
        elif moved:
            self.longest_still = max(self.longest_still, at - self.moved_at)
            self.moved_at = at

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it, for `load`."""
        return {
            "balance": self.balance,
            "balance_at": self.balance_at and self.balance_at.isoformat(),
            "day_highs": {day.isoformat(): high for day, high in self.day_highs.items()},
            "day_totals": {day.isoformat(): total for day, total in self.day_totals.items()},
            "moved_at": self.moved_at and self.moved_at.isoformat(),
            "longest_still": self.longest_still.total_seconds(),
            "first_at": self.first_at and self.first_at.isoformat(),
            "calibration": self.calibration.dump(),
            "ledger": self.ledger.dump(),
            "fall": self.fall.dump(),
        }

    @classmethod
    def load(cls, state: dict[str, Any]) -> "WorkspaceHistory":
        """Raises KeyError, TypeError or ValueError when `state` is not of this version's making."""
        return cls(
            balance=state["balance"],
            balance_at=state["balance_at"] and datetime.fromisoformat(state["balance_at"]),
            day_highs={date.fromisoformat(day): high for day, high in state["day_highs"].items()},
            day_totals={date.fromisoformat(day): total for day, total in state["day_totals"].items()},
            moved_at=state["moved_at"] and datetime.fromisoformat(state["moved_at"]),
            longest_still=timedelta(seconds=state["longest_still"]),
            first_at=state["first_at"] and datetime.fromisoformat(state["first_at"]),
            calibration=Calibration.load(state["calibration"]),
            ledger=Ledger.load(state["ledger"]),
            fall=Fall.load(state["fall"]),
        )

    @property
    def highest_balance(self) -> Microcredits:
        """What a full purse looked like lately."""
        return max(self.day_highs.values(), default=0)

    def burn_per_day(self, at: datetime) -> Microcredits | None:
        """Expected spend per day: the mean of up to seven past days, or today's pace while fewer than three are known.

        Of a day on which some key's spend is not known, it is by how much the balance fell. None when neither says
        anything: no past days, and less than an hour of today.
        """
        today = day_of(at)
        days = [self._spent_on(today - n * DAY) for n in range(1, _FULL_DAYS + 1)]
        past = [spent for spent in days if spent is not None]
        elapsed, spent_today = at - day_start(today), self._spent_on(today)
        if len(past) >= 3 or elapsed < timedelta(hours=1) or spent_today is None:
            return sum(past) // len(past) if past else None
        return (sum(past) + int(spent_today * (DAY / elapsed))) // (len(past) + 1)

    def _spent_on(self, day: date) -> Microcredits | None:
        return self.day_totals.get(day, self.fall.days.get(day))


@dataclass(frozen=True, slots=True)
class StandingTrouble:
    """One of several sources that fails."""

    trouble: Trouble
    polls: int
    """In a row, up to now."""
    since: datetime
    """Its first of them."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the last polls went, the present one included."""

    good: bool
    failures: int = 0
    """Polls in a row, up to now, that were not good."""
    last_good_at: datetime | None = None
    first_failure_at: datetime | None = None
    reason: str = ""
    refused: bool = False
    """The credential was refused: waiting will not help."""
    clock_offset: timedelta | None = None
    skewed: int = 0
    """Polls in a row in which the source's clock and ours were further apart than tolerated."""
    troubles: tuple[StandingTrouble, ...] = ()
    """Of several sources, those that failed in this poll."""
