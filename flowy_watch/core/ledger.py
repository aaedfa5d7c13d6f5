"""Whether the balance falls by what the keys spend."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowy_watch.core.usage import Microcredits

HOURS = 24
_DAYS = 14


@dataclass(slots=True)
class Ledger:
    """Fall of the balance and spend of the keys over the last 24 hours, hour by hour. Mutable, like the histories.

    An interval that cannot be compared is left out on both sides: over 00:00 UTC, where counters start again unseen;
    with a top-up in it; with a key seen for the first time, whose spend began before.
    """

    hours: list[list[int]] = field(default_factory=list)
    """Hour number, fall, spend."""
    usual: list[Microcredits] = field(default_factory=list)
    """What stayed unexplained on each of the last days, latest last."""
    _at: datetime | None = None
    _balance: Microcredits | None = None
    _spent: Microcredits = 0
    _whole: bool = False

    def add(self, at: datetime, spent: Microcredits, balance: Microcredits | None, *, whole: bool) -> None:
        """Take in a reading: what its keys spent since the one before; `whole` if no key's share of it is unknown."""
        if self._at is not None and self._at.date() != at.date():
            self.usual = [*self.usual, max(self.unexplained, 0)][-_DAYS:]
            self._balance = None
        self._at = at
        self._spent += spent
        self._whole = self._whole and whole
        if balance is None:
            return
        before, self._balance = self._balance, balance
        if before is not None and balance <= before and self._whole:
            self._book(int(at.timestamp()) // 3600, before - balance, self._spent)
        self._spent, self._whole = 0, True

    def _book(self, hour: int, fell: Microcredits, spent: Microcredits) -> None:
        if not self.hours or self.hours[-1][0] != hour:
            self.hours = [row for row in self.hours if row[0] > hour - HOURS]
            self.hours.append([hour, 0, 0])
        self.hours[-1][1] += fell
        self.hours[-1][2] += spent

    @property
    def fell(self) -> Microcredits:
        return sum(row[1] for row in self.hours)

    @property
    def unexplained(self) -> Microcredits:
        """By how much more the balance fell than the keys spent, over the last 24 hours; negative for less."""
        return sum(row[1] - row[2] for row in self.hours)

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it, for `load`."""
        at = self._at and self._at.isoformat()
        return {"hours": self.hours, "usual": self.usual, "last": [at, self._balance, self._spent, self._whole]}

    @classmethod
    def load(cls, state: dict[str, Any]) -> "Ledger":
        """Raises KeyError, TypeError or ValueError when `state` is not of this version's making."""
        at, balance, spent, whole = state["last"]
        return cls(state["hours"], state["usual"], at and datetime.fromisoformat(at), balance, spent, whole)
