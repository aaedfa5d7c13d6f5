"""Snapshots and balances in files and requests: which rows can be believed, and what they say."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from flowy_watch.core.usage import (
    CREDIT,
    MOST,
    KeyStatus,
    Microcredits,
    Reading,
    Snapshot,
    clean_name,
    credits_to_micro,
)
from flowy_watch.errors import SourceError
from flowy_watch.sources.fields import balance_to_micro, status_of
from flowy_watch.sources.lines import Columns, opened
from flowy_watch.sources.order import Numbered, Ordered
from flowy_watch.sources.texts import Remembered, instant, key_id

T = TypeVar("T")

COLUMNS = ("key_id", "name", "at", "spent_today", "last_used_at", "daily_cap", "status")
_TEXT, _AMOUNT = (str, NoneType), (int, float, NoneType)
_KINDS = dict(zip(COLUMNS, (_TEXT, _TEXT, _TEXT, _AMOUNT, _TEXT, _AMOUNT, _TEXT), strict=True))
_NEEDED = ("key_id", "at", "spent_today")
_LISTED = 100  # bad lines that are named; all are counted
_TOLERATED = timedelta(minutes=5)  # between the clock of an export and ours
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")


class ColumnNames(BaseModel):
    """`[import.columns]` and `[source.columns]`: what a file calls our columns. Empty: as we do."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_id: str = ""
    name: str = ""
    at: str = ""
    spent_today: str = ""
    last_used_at: str = ""
    daily_cap: str = ""
    status: str = ""

    @property
    def called(self) -> dict[str, str]:
        """Theirs by ours, of those that differ."""
        return {ours: theirs for ours, theirs in self if theirs}


def columns(called: Mapping[str, str] | None = None) -> Columns:
    """Those of snapshots; `called` says what a file calls them, by our names."""
    return Columns("snapshot", COLUMNS, _NEEDED, called or {})


@dataclass(frozen=True, slots=True)
class BadLine:
    number: int
    reason: str


@dataclass(slots=True)
class Bad:
    """The lines that could not be believed: all counted, the first hundred named."""

    count: int = 0
    named: list[BadLine] = field(default_factory=list)

    def note(self, number: int, reason: str) -> None:
        self.count += 1
        if len(self.named) < _LISTED:
            self.named.append(BadLine(number, reason))


@dataclass(frozen=True, slots=True)
class Export:
    """What a file holds: readings in the order of time, and the lines that could not be believed."""

    readings: tuple[Reading, ...]
    bad: Bad


def read_export(path: Path, workspace: Path | None = None, called: Mapping[str, str] | None = None) -> Export:
    """Read a whole export. Raises SourceError when a file cannot be read or has not one good line."""
    with Intake() as intake:
        intake.read_file(path, called)
        return Export(tuple(intake.readings(read_balances(workspace) if workspace else {})), intake.bad)


class Intake:
    """Rows as they come, made into readings in the order of time. Needs little memory for however many.

    `latest` is now, after which no row can have been written.
    """

    def __init__(self, latest: datetime | None = None) -> None:
        self.bad = Bad()
        self._latest = latest
        self._ordered = Ordered()
        self._times = Remembered(instant)
        self._names = Remembered(clean_name)
        self._ids = Remembered(key_id)

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, *_: object) -> None:
        self._ordered.close()

    def read_file(
        self,
        path: Path,
        called: Mapping[str, str] | None = None,
        *,
        progress: Callable[[int, int], object] = lambda read, of: None,
    ) -> None:
        """Raises SourceError when it cannot be read, or holds no good line. `progress` hears of bytes."""
        with opened(path) as lines:
            for n, (number, row) in enumerate(lines.rows(columns(called))):
                self._take(number, row)
                if n % 1000 == 0:
                    progress(lines.read, lines.size)
            progress(lines.size, lines.size)
        self._need_one(str(path))

    def read_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """The same of objects in a request. A file may know only texts; a request must say what a value is."""
        for number, row in enumerate(rows, 1):
            wrong = next((name for name, kinds in _KINDS.items() if not _is(row.get(name), kinds)), None)
            self._take(number, f"has a {wrong} of the wrong kind" if wrong else row)
        self._need_one("the request")

    @property
    def count(self) -> int:
        """Good lines so far."""
        return self._ordered.count

    def readings(self, balances: Mapping[datetime, Microcredits]) -> Iterator[Reading]:
        for at, group in groupby(self._ordered, key=lambda one: one.snapshot.taken_at):
            yield Reading(at, tuple(self._each_once(group)), balance=balances.get(at))

    def _each_once(self, group: Iterable[Numbered]) -> Iterable[Snapshot]:
        """Of lines about one key and one moment the first counts; another that says otherwise is bad."""
        keys: dict[str, Numbered] = {}
        for one in group:
            first = keys.setdefault(one.snapshot.key_id, one)
            if first.snapshot != one.snapshot:
                self.bad.note(one.number, f"says otherwise than line {first.number} of the same key and moment")
        return [one.snapshot for one in keys.values()]

    def _take(self, number: int, row: Mapping[str, Any] | str) -> None:
        if isinstance(row, str):
            self.bad.note(number, row)
            return
        try:
            self._ordered.add(self._snapshot(row), number)
        except ValueError as error:
            self.bad.note(number, str(error))

    def _need_one(self, what: str) -> None:
        if not self.count:
            first = self.bad.named[0] if self.bad.count else None
            why = f"; line {first.number}: {first.reason}" if first else ""
            raise SourceError(f"{what} holds no snapshot (columns: {', '.join(COLUMNS)}){why}")

    def _snapshot(self, row: Mapping[str, Any]) -> Snapshot:
        at = self._time(row, "at")
        if at is None:
            raise ValueError("has no at")
        if self._latest is not None and at > self._latest:
            raise ValueError(f"is from the future ({at:%Y-%m-%d %H:%M} UTC)")
        used = self._time(row, "last_used_at")
        if used is not None and self._latest is not None and used > self._latest + _TOLERATED:
            raise ValueError("last_used_at is in the future")
        if "spent_today" not in row:
            raise ValueError("has no spent_today")
        status = row.get("status")
        name = row.get("name")
        return Snapshot(
            self._id(row),
            self._names[str(name)] if isinstance(name, str | int) and not isinstance(name, bool) else "",
            at,
            _amount(row, "spent_today"),
            used,
            _amount(row, "daily_cap"),
            KeyStatus.ACTIVE if status is None or status == "" else _named("status", status_of, status),
        )

    def _id(self, row: Mapping[str, Any]) -> str:
        raw = row.get("key_id")
        if type(raw) is int:
            raw = str(raw)
        if raw is None or raw == "":
            raise ValueError("has no key_id")
        if not isinstance(raw, str):
            raise ValueError("key_id is not text")
        return _named("key_id", self._ids.__getitem__, raw)

    def _time(self, row: Mapping[str, Any], name: str) -> datetime | None:
        raw = row.get(name)
        if raw is None or raw == "":
            return None
        if not isinstance(raw, str):
            raise ValueError(f"{name} is not a time in ISO 8601")
        return _named(name, self._times.__getitem__, raw.strip())


def read_balances(path: Path) -> dict[datetime, Microcredits]:
    """Rows of `at,balance`. Raises SourceError naming the first bad line."""
    found = {}
    with opened(path) as lines:
        for number, row in lines.rows(Columns("balance", ("at", "balance"), ("at", "balance"))):
            try:
                at, balance = _balance(row)
            except ValueError as error:
                raise SourceError(f"{path}, line {number}: {error}") from None
            found[at] = balance
    return found


def _balance(row: Mapping[str, Any] | str) -> tuple[datetime, Microcredits]:
    if isinstance(row, str):
        raise ValueError(row)
    at, left = row.get("at"), row.get("balance")
    if not isinstance(at, str):
        raise ValueError("at is not a time in ISO 8601")
    if isinstance(left, str) and left.startswith("-"):
        return _named("at", instant, at), -_named("balance", _micro, left[1:])
    return _named("at", instant, at), _named("balance", _micro if isinstance(left, str) else balance_to_micro, left)


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _named(name: str, read: Callable[[Any], T], raw: object) -> T:
    try:
        return read(raw)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _amount(row: Mapping[str, Any], name: str) -> Microcredits | None:
    raw = row.get(name)
    if raw is None or raw == "":
        return None
    return _named(name, _micro if isinstance(raw, str) else credits_to_micro, raw)


def _micro(text: str) -> Microcredits:
    """As `credits_to_micro`, of a number as a text; exact to the micro-credit however large."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number, such as 1234.5")
    amount = Decimal(text) * CREDIT
    if not 0 <= amount <= MOST:
        raise ValueError("is not an amount of credits (negative, or absurdly large)")
    return int(amount.to_integral_value())
