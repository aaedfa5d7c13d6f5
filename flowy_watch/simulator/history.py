"""What a watcher would have seen in the weeks before it was installed, as the CSV files a backtest reads."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from flowy_watch.simulator.credits import as_number
from flowy_watch.simulator.key import Key
from flowy_watch.simulator.workspace import make_world
from flowy_watch.simulator.world import World

SNAPSHOT_COLUMNS = ("key_id", "name", "at", "spent_today", "last_used_at", "daily_cap", "status")
BALANCE_COLUMNS = ("at", "balance")
HISTORY, POLL = timedelta(days=45), timedelta(minutes=15)
_CLOSING = timedelta(seconds=10)


def world_with_history(
    snapshots_file: Path,
    balance_file: Path,
    *,
    start: datetime,
    keys: int | None = None,
    seed: int = 1,
    lasts: timedelta = HISTORY,
    every: timedelta = POLL,
) -> World:
    """A world that stands at `start`, and the files of all it did before."""
    world = make_world(keys, seed=seed, start=start - lasts)
    write_history(world, snapshots_file, balance_file, until=start, every=every)
    return world


def write_history(
    world: World, snapshots_file: Path, balance_file: Path, *, until: datetime, every: timedelta = POLL
) -> int:
    """Move the world from where it stands to `until`, polling it; returns the number of polls.

    The last poll is at `until` exactly, so what the world does next follows the last line without a gap. A file
    whose name ends in .gz is compressed.
    """
    polls = 0
    with _open(snapshots_file) as snapshots, _open(balance_file) as balances:
        snapshot_rows, balance_rows = csv.writer(snapshots), csv.writer(balances)
        snapshot_rows.writerow(SNAPSHOT_COLUMNS)
        balance_rows.writerow(BALANCE_COLUMNS)
        for at in _polls(world.now, until, every):
            with world.at(at):
                snapshot_rows.writerows(_row(key, iso(at)) for key in world.keys)
                balance_rows.writerow((iso(at), as_number(world.balance)))
            polls += 1
    return polls


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _polls(begin: datetime, until: datetime, every: timedelta) -> Iterator[datetime]:
    """In equal steps, and ten seconds before each 00:00 UTC, as a watcher closes the cap days."""
    before = until
    for number in range((until - begin) // every, -1, -1):
        at = until - number * every
        closing = at.replace(hour=0, minute=0, second=0, microsecond=0) - _CLOSING
        if before < closing < at:
            yield closing
        yield at
        before = at


def _row(key: Key, at: str) -> tuple[object, ...]:
    last_used_at = "" if key.last_used_at is None else iso(key.last_used_at)
    cap = "" if key.daily_cap is None else as_number(key.daily_cap)
    return key.id, key.name, at, as_number(key.spent_today), last_used_at, cap, key.status.value


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "wt", encoding="utf-8", newline="")
    return file.open("w", encoding="utf-8", newline="")
