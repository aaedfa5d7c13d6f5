"""Snapshots in from files and out to files."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from flowy_watch.core.usage import CREDIT, Microcredits, Reading, Snapshot
from flowy_watch.errors import SourceError
from flowy_watch.sources.file import COLUMNS, BadLine, Export, read_export, read_rows
from flowy_watch.store import Store
from flowy_watch.store.usage import GOOD, IMPORTED

_POLLS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Imported:
    polls: int
    snapshots: int
    known: int
    """Polls that the database already had: importing a file twice changes nothing."""
    bad: tuple[BadLine, ...]


def import_file(
    store: Store, path: Path, workspace: Path | None, *, now: datetime, progress: Callable[[int, int], None]
) -> Imported:
    """Add a file's polls to the database. Interrupted, it may be started again: what is there is passed over."""
    return _import(store, read_export(path, workspace), str(path), now=now, progress=progress)


def import_pushed(store: Store, rows: Iterable[dict[str, Any]], *, now: datetime) -> Imported:
    """The same for the objects of a request, which look like the lines of a file."""
    return _import(store, read_rows(rows), "the request", now=now, progress=lambda *_: None)


def _import(
    store: Store, export: Export, what: str, *, now: datetime, progress: Callable[[int, int], None]
) -> Imported:
    if export.readings[-1].taken_at > now:
        raise SourceError(f"{what} holds snapshots from the future ({export.readings[-1].taken_at:%Y-%m-%d %H:%M} UTC)")
    added = snapshots = 0
    for start in range(0, len(export.readings), _POLLS_AT_ONCE):
        with store.write() as work:
            numbers = work.usage.numbers()
            for reading in export.readings[start : start + _POLLS_AT_ONCE]:
                if work.usage.polled_at(reading.taken_at) is not None:
                    continue
                poll_id = work.usage.add_poll(reading.taken_at, GOOD, kind=IMPORTED, keys=len(reading.snapshots))
                work.usage.add_snapshots(poll_id, reading, numbers)
                added, snapshots = added + 1, snapshots + len(reading.snapshots)
            work.usage.forget_states()
        progress(min(start + _POLLS_AT_ONCE, len(export.readings)), len(export.readings))
    return Imported(added, snapshots, len(export.readings) - added, export.bad)


def export_to(store: Store, out: IO[str], *, since: datetime | None, form: str) -> int:
    """Write stored snapshots as CSV or JSON Lines, oldest first; returns how many."""
    count = 0
    with store.read() as work:
        write = _csv(out) if form == "csv" else _jsonl(out)
        for snapshot in _snapshots(work.usage.readings(since)):
            write(snapshot)
            count += 1
    return count


def _snapshots(readings: Iterator[Reading]) -> Iterator[Snapshot]:
    for reading in readings:
        yield from reading.snapshots


def _csv(out: IO[str]) -> Callable[[Snapshot], object]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    return lambda s: writer.writerow(["" if value is None else value for value in _fields(s).values()])


def _jsonl(out: IO[str]) -> Callable[[Snapshot], object]:
    return lambda s: out.write(json.dumps(_fields(s), ensure_ascii=False) + "\n")


def _fields(s: Snapshot) -> dict[str, str | int | float | None]:
    return {
        "key_id": s.key_id,
        "name": s.name,
        "at": _iso(s.taken_at),
        "spent_today": _credits(s.spent),
        "last_used_at": _iso(s.last_used_at) if s.last_used_at else None,
        "daily_cap": None if s.daily_cap is None else _credits(s.daily_cap),
        "status": s.status.value,
    }


def _credits(amount: Microcredits) -> int | float:
    return amount // CREDIT if amount % CREDIT == 0 else amount / CREDIT


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
