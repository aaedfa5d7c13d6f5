"""Snapshots and balances in files: CSV or JSON Lines, compressed when the name ends in .gz."""

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import NoneType
from typing import IO, Any

from flowy_watch.core.usage import KeyStatus, Microcredits, Reading, Snapshot, clean_name, credits_to_micro
from flowy_watch.errors import SourceError

COLUMNS = ("key_id", "name", "at", "spent_today", "last_used_at", "daily_cap", "status")
_TEXT, _AMOUNT = (str, NoneType), (int, float, NoneType)
_KINDS = dict(zip(COLUMNS, (_TEXT, _TEXT, _TEXT, _AMOUNT, _TEXT, _AMOUNT, _TEXT), strict=True))


@dataclass(frozen=True, slots=True)
class BadLine:
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Export:
    """What a file holds: readings in the order of time, and the lines that could not be believed."""

    readings: tuple[Reading, ...]
    bad: tuple[BadLine, ...]


def read_export(path: Path, workspace: Path | None = None) -> Export:
    """Read a whole export. Raises SourceError when a file cannot be read or has not one good line."""
    snapshots, bad = _believed(_rows(path), str(path), _snapshot)
    balances = dict(read_balances(workspace)) if workspace else {}
    return Export(tuple(_readings(snapshots, balances)), bad)


def read_rows(rows: Iterable[dict[str, Any]]) -> Export:
    """The same of rows that came in a request. Raises SourceError when none is good."""
    snapshots, bad = _believed(enumerate(rows, 1), "the request", _strictly)
    return Export(tuple(_readings(snapshots, {})), bad)


def _strictly(row: dict[str, Any], times: dict[str, datetime]) -> Snapshot:
    """A file knows only texts; a request says of what kind a value is, and must say it right."""
    for name, kinds in _KINDS.items():
        if not isinstance(row.get(name), kinds) or isinstance(row.get(name), bool):
            raise ValueError(f"has a {name} of the wrong kind")
    return _snapshot(row, times)


def _believed(
    rows: Iterable[tuple[int, dict[str, Any]]], what: str, read: Callable[..., Snapshot]
) -> tuple[list[Snapshot], tuple[BadLine, ...]]:
    snapshots: list[Snapshot] = []
    bad: list[BadLine] = []
    times: dict[str, datetime] = {}
    for number, row in rows:
        try:
            snapshots.append(read(row, times))
        except (ValueError, TypeError, OverflowError) as error:
            bad.append(BadLine(number, str(error)))
    if not snapshots:
        why = f"; line {bad[0].number}: {bad[0].reason}" if bad else ""
        raise SourceError(f"{what} holds no snapshot (columns: {', '.join(COLUMNS)}){why}")
    return snapshots, tuple(bad)


def read_balances(path: Path) -> Iterator[tuple[datetime, Microcredits]]:
    """Rows of `at,balance`. Raises SourceError naming the first bad line."""
    times: dict[str, datetime] = {}
    for number, row in _rows(path):
        try:
            balance = float(row["balance"])
            yield (
                _time(str(row["at"]), times),
                -credits_to_micro(-balance) if balance < 0 else credits_to_micro(balance),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SourceError(f"{path}, line {number}: balance or at {error}") from error


def _readings(snapshots: list[Snapshot], balances: dict[datetime, Microcredits]) -> Iterator[Reading]:
    snapshots.sort(key=lambda s: s.taken_at)
    for at, group in groupby(snapshots, key=lambda s: s.taken_at):
        keys = {snapshot.key_id: snapshot for snapshot in group}
        yield Reading(at, tuple(keys.values()), balance=balances.get(at))


def _snapshot(row: dict[str, Any], times: dict[str, datetime]) -> Snapshot:
    key_id = clean_name(str(row.get("key_id") or ""))
    if not key_id:
        raise ValueError("has no key_id")
    if row.get("at") in (None, "") or row.get("spent_today") in (None, ""):
        raise ValueError("has no at or no spent_today")
    used, cap, status = row.get("last_used_at"), row.get("daily_cap"), row.get("status")
    return Snapshot(
        key_id,
        clean_name(str(row.get("name") or "")),
        _time(str(row["at"]), times),
        _amount(row["spent_today"]),
        _time(str(used), times) if used not in (None, "") else None,
        _amount(cap) if cap not in (None, "") else None,
        KeyStatus(str(status).lower()) if status not in (None, "") else KeyStatus.ACTIVE,
    )


def _amount(value: Any) -> Microcredits:
    if isinstance(value, str):
        value = int(value) if value.strip().isdigit() else float(value)
    return credits_to_micro(value)


def _time(text: str, known: dict[str, datetime]) -> datetime:
    """One object for equal texts: a file repeats each poll's time once per key."""
    at = known.get(text)
    if at is None:
        parsed = datetime.fromisoformat(text)
        at = known[text] = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    return at


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with _open(path) as file:
            name = path.name.removesuffix(".gz")
            yield from _json_rows(file) if name.endswith((".jsonl", ".ndjson")) else _csv_rows(file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise SourceError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _csv_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(file)
    for row in reader:
        yield reader.line_num, row


def _json_rows(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        yield number, row if isinstance(row, dict) else {}


def _open(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
