"""The source `file`: an export that a program of yours keeps writing."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flowy_watch.core.check import Check
from flowy_watch.core.provenance import Figure, Knowledge, Sure
from flowy_watch.core.usage import Microcredits, Reading, Skipped, Snapshot, day_of
from flowy_watch.core.words import span_words
from flowy_watch.errors import SourceError
from flowy_watch.sources.contract import Span
from flowy_watch.sources.file import ColumnNames, Intake, read_balances
from flowy_watch.sources.pace import TellsTime


class FileOptions(BaseModel):
    """`[source]` of kind `file`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: Path
    """CSV or JSON Lines, as `flowy-watch import` takes them. Best replaced as a whole, by renaming."""
    workspace: Path | None = None
    """A file of `at,balance`."""
    columns: ColumnNames = ColumnNames()
    max_age: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=2))] = timedelta(minutes=30)
    """When the newest line is older, the export has stopped and the watch is blind."""
    deadline: Span = timedelta(seconds=60)
    """For reading it all."""


class FileSource:
    """The latest line of each key. A line of another UTC day says nothing about what was spent today."""

    Config = FileOptions
    knows: ClassVar[Knowledge] = {
        figure: Sure.EXACT for figure in Figure if figure not in (Figure.ORIGINS, Figure.RATE_LIMIT)
    }

    def __init__(
        self,
        config: FileOptions,
        _clock: TellsTime | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._monotonic = config, monotonic
        self._read: tuple[tuple[int, ...], list[Snapshot], tuple[Skipped, ...]] | None = None

    def close(self) -> None:
        """Nothing stays open between pulls."""

    def pull(self, now: datetime) -> Reading:
        latest, skipped = self._latest(now)
        newest = max(snapshot.taken_at for snapshot in latest)
        if now - newest > self._config.max_age:
            age = span_words(now - newest)
            raise SourceError(f"{self._config.path} has stopped: its newest line is {age} old (source.max_age)")
        present = [one for one in latest if newest - one.taken_at <= self._config.max_age]
        return Reading(now, tuple(_as_of(one, now) for one in present), self._balance(now), skipped=skipped)

    def check(self, now: datetime) -> Iterable[Check]:
        try:
            reading = self.pull(now)
        except SourceError as error:
            yield Check("export readable", ok=False, detail=str(error))
            return
        yield Check("export readable", ok=True, detail=f"{len(reading.snapshots)} keys")
        if reading.skipped:
            first = reading.skipped[0]
            detail = f"{len(reading.skipped)} bad, the first is {first.key_id}: {first.reason}"
            yield Check("every line good", ok=False, detail=detail)

    def _latest(self, now: datetime) -> tuple[list[Snapshot], tuple[Skipped, ...]]:
        """By key. A file that is as it was is not read again."""
        path = self._config.path
        try:
            found = path.stat()
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}") from error
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._read and self._read[0] == mark:
            return self._read[1:]
        ends = self._monotonic() + self._config.deadline.total_seconds()

        def in_time(_read: int, _of: int) -> None:
            if self._monotonic() > ends:
                raise SourceError(f"{path} is too large to be read within source.deadline; export less of the past")

        latest: dict[str, Snapshot] = {}
        with Intake(now) as intake:
            intake.read_file(path, self._config.columns.called, progress=in_time)
            for reading in intake.readings({}):
                latest.update((snapshot.key_id, snapshot) for snapshot in reading.snapshots)
            skipped = tuple(Skipped(f"line {line.number}", line.reason) for line in intake.bad.named)
        self._read = mark, list(latest.values()), skipped
        return self._read[1:]

    def _balance(self, now: datetime) -> Microcredits | None:
        if self._config.workspace is None:
            return None
        balances = read_balances(self._config.workspace)
        known = [at for at in balances if timedelta(0) <= now - at <= self._config.max_age]
        return balances[max(known)] if known else None


def _as_of(snapshot: Snapshot, now: datetime) -> Snapshot:
    spent = snapshot.spent if day_of(snapshot.taken_at) == day_of(now) else None
    return snapshot._replace(taken_at=now, spent=spent)
