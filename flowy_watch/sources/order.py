"""Snapshots in the order of time, however many: sorted a stretch at a time, on the disk beyond the first."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import orjson

from flowy_watch.core.usage import KeyStatus, Snapshot

_STRETCH = 50_000
"""Snapshots in memory at a time: some 25 MB."""
_FILES = 64
"""Open at a time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Numbered(NamedTuple):
    """A snapshot and the line it came from."""

    snapshot: Snapshot
    number: int


class Ordered:
    """What `add` was given, in the order of time; of equal times in the order given. `close` frees the disk."""

    def __init__(self, *, stretch: int = _STRETCH, files: int = _FILES) -> None:
        self._stretch, self._files = stretch, files
        self._waiting: list[Numbered] = []
        self._runs: list[IO[bytes]] = []
        self._last: datetime | None = None
        """Of the last run."""
        self.count = 0

    def __enter__(self) -> "Ordered":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for run in self._runs:
            run.close()

    def add(self, snapshot: Snapshot, number: int) -> None:
        self._waiting.append(Numbered(snapshot, number))
        self.count += 1
        if len(self._waiting) >= self._stretch:
            self._spill()

    def __iter__(self) -> Iterator[Numbered]:
        self._waiting.sort(key=_time)
        return merge(*map(_read, self._runs), self._waiting, key=_time)

    def _spill(self) -> None:
        self._waiting.sort(key=_time)
        if self._last is None or self._waiting[0].snapshot.taken_at < self._last:
            if len(self._runs) >= self._files:
                self._join()
            self._runs.append(TemporaryFile())  # noqa: SIM115  # `close` closes it
        _write(self._waiting, self._runs[-1])  # a file in the order of time, as most are, is one run
        self._last = self._waiting[-1].snapshot.taken_at
        self._waiting = []

    def _join(self) -> None:
        """All runs into one."""
        before, whole = self._runs, TemporaryFile()  # noqa: SIM115  # as above
        self._runs = [*before, whole]
        _write(merge(*map(_read, before), key=_time), whole)
        for run in before:
            run.close()
        self._runs = [whole]


def _time(one: Numbered) -> datetime:
    return one.snapshot.taken_at


def _write(ordered: Iterable[Numbered], run: IO[bytes]) -> None:
    for s, number in ordered:
        used = None if s.last_used_at is None else _number(s.last_used_at)
        row = (number, s.key_id, s.name, _number(s.taken_at), s.spent, used, s.daily_cap, s.status)
        run.write(orjson.dumps(row) + b"\n")


def _read(run: IO[bytes]) -> Iterator[Numbered]:
    run.seek(0)
    for line in run:
        number, key_id, name, at, spent, used, cap, status = orjson.loads(line)
        used_at = None if used is None else _instant(used)
        yield Numbered(Snapshot(key_id, name, _instant(at), spent, used_at, cap, KeyStatus(status)), number)


def _number(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND
