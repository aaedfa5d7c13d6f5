"""Snapshots in from files and out to files."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from flowy_watch.core.spreadsheet import guarded
from flowy_watch.core.usage import CREDIT, Microcredits, Reading, Snapshot
from flowy_watch.sources.file import COLUMNS, BadLine, Intake, read_balances
from flowy_watch.store import Store, Work
from flowy_watch.store.usage import GOOD, IMPORTED

_POLLS_AT_ONCE, _SNAPSHOTS_AT_ONCE = 500, 50_000


@dataclass(frozen=True, slots=True)
class Imported:
    polls: int
    snapshots: int
    known: int
    """Polls that the database already had: importing a file twice changes nothing."""
    bad: tuple[BadLine, ...]
    """The first hundred lines that could not be believed."""
    bad_lines: int = 0
    """How many there were."""


def import_file(
    store: Store,
    path: Path,
    workspace: Path | None = None,
    *,
    called: Mapping[str, str] | None = None,
    now: datetime,
    progress: Callable[[str, int, int], object] = lambda what, done, of: None,
) -> Imported:
    """Add a file's snapshots to the database. Interrupted, it may be started again: what is there is passed over.

    `called` says what the file calls our columns. `progress` hears what is done, how much of it, of how much.
    Raises SourceError; then nothing was added.
    """
    balances = read_balances(workspace) if workspace else {}
    with Intake(now) as intake:
        intake.read_file(path, called, progress=lambda read, of: progress("Reading", read, of))
        return _import(store, intake, balances, lambda done: progress("Importing", done, intake.count))


def import_pushed(store: Store, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> Imported:
    """The same for the objects of a request, which look like the lines of a file."""
    with Intake(now) as intake:
        intake.read_rows(rows)
        return _import(store, intake, {}, lambda done: None)


def _import(
    store: Store, intake: Intake, balances: Mapping[datetime, Microcredits], progress: Callable[[int], object]
) -> Imported:
    polls = snapshots = known = done = 0
    for stretch in _stretches(intake.readings(balances)):
        with store.write() as work:
            numbers, youngest = work.usage.numbers(), work.usage.latest_first_seen()
            first_at = None
            for reading in stretch:
                added = _add(work, reading, numbers, youngest)
                polls, snapshots, known = polls + bool(added), snapshots + added, known + (not added)
                done += len(reading.snapshots)
                if added and (first_at is None or reading.taken_at < first_at):
                    first_at = reading.taken_at
            if first_at is not None:
                work.usage.forget_states(first_at)
        progress(done)
    return Imported(polls, snapshots, known, tuple(intake.bad.named), intake.bad.count)


def _add(work: Work, reading: Reading, numbers: dict[str, int], youngest: datetime | None) -> int:
    """Add what is not known of one moment, and return how many keys that is. What is stored already, stays."""
    known = work.usage.keys_at(reading.taken_at)
    if known:
        new = tuple(s for s in reading.snapshots if s.key_id not in known)
        reading = replace(reading, snapshots=new, balance=None)
    if reading.snapshots:
        count = len(reading.snapshots)
        poll_id = work.usage.add_poll(reading.taken_at, GOOD, kind=IMPORTED, keys=count)
        work.usage.add_snapshots(poll_id, reading, numbers)
        if youngest and reading.taken_at < youngest:
            work.usage.seen_earlier(poll_id, reading.taken_at)
    return len(reading.snapshots)


def _stretches(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    """As much as is written in one transaction."""
    stretch: list[Reading] = []
    snapshots = 0
    for reading in readings:
        stretch.append(reading)
        snapshots += len(reading.snapshots)
        if len(stretch) >= _POLLS_AT_ONCE or snapshots >= _SNAPSHOTS_AT_ONCE:
            yield stretch
            stretch, snapshots = [], 0
    if stretch:
        yield stretch


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
    return lambda s: writer.writerow(_cell(value) for value in _fields(s).values())


def _cell(value: str | int | float | None) -> str | int | float:
    """Names come from elsewhere: no spreadsheet may run one. Reading takes the guard away again."""
    return guarded(value) if isinstance(value, str) else "" if value is None else value


def _jsonl(out: IO[str]) -> Callable[[Snapshot], object]:
    return lambda s: out.write(json.dumps(_fields(s), ensure_ascii=False) + "\n")


def _fields(s: Snapshot) -> dict[str, str | int | float | None]:
    return {
        "key_id": s.key_id,
        "name": s.name,
        "at": _iso(s.taken_at),
        "spent_today": None if s.spent is None else _credits(s.spent),
        "last_used_at": _iso(s.last_used_at) if s.last_used_at else None,
        "daily_cap": None if s.daily_cap is None else _credits(s.daily_cap),
        "status": s.status.value,
    }


def _credits(amount: Microcredits) -> int | float:
    return amount // CREDIT if amount % CREDIT == 0 else amount / CREDIT


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
