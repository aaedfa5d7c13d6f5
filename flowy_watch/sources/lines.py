"""Rows of a file, CSV or JSON Lines, compressed or not: one line at a time, whatever is in it."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import orjson

from flowy_watch.core.spreadsheet import unguarded
from flowy_watch.core.usage import clean_name
from flowy_watch.errors import SourceError

LONGEST = 64 * 1024  # bytes of one line
_SHOWN = 12  # columns of a file that has not ours
_GZIP = b"\x1f\x8b"
_DELIMITERS = ",;\t"

Row: TypeAlias = tuple[int, Mapping[str, Any] | str]
"""The number of a line and its fields by our names for them; or, where it has none, why."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields that are wanted of a file."""

    of: str
    """What a row is."""
    names: tuple[str, ...]
    needed: tuple[str, ...]
    called: Mapping[str, str] = field(default_factory=dict)
    """What the file calls those that it calls otherwise, by our names."""

    def __str__(self) -> str:
        return ", ".join(self.names)

    def theirs(self) -> dict[str, str]:
        return {ours: self.called.get(ours, ours) for ours in self.names}


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    wrong: str = ""
    """Why it is no text."""


class Lines:
    """An open file, gone through once. Holds one line of it at a time."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        self._path, self._raw = path, raw
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        self._file = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
        self._number = 0
        self.size = path.stat().st_size
        """In bytes, as it lies on the disk."""

    @property
    def read(self) -> int:
        """How many bytes of `size` were read so far."""
        return self._raw.tell()

    def rows(self, columns: Columns) -> Iterator[Row]:
        """Raises SourceError when the file cannot be read to its end, or has not the columns that are needed."""
        try:
            lines = self._lines()
            first = next(lines, None)
            if first is None:
                return
            if first.wrong:
                raise SourceError(f"cannot read {self._path}: its first line {first.wrong}")
            name = self._path.name.removesuffix(".gz")
            if name.endswith((".jsonl", ".ndjson")) or first.text.lstrip().startswith("{"):
                yield from _objects(chain((first,), lines), columns)
            else:
                yield from _records(first.text, lines, columns, str(self._path))
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"cannot read {self._path}: {getattr(error, 'strerror', None) or error}") from error

    def _lines(self) -> Iterator[_Line]:
        """Those that are not blank."""
        while line := self._file.readline(LONGEST + 1):
            self._number += 1
            if len(line) > LONGEST:
                while line and not line.endswith(b"\n"):
                    line = self._file.readline(LONGEST)
                yield _Line(self._number, "", f"is longer than {LONGEST:,} bytes")
                continue
            try:
                text = line.decode("utf-8-sig" if self._number == 1 else "utf-8")
            except UnicodeDecodeError:
                yield _Line(self._number, "", "is not UTF-8")
                continue
            if text.strip():
                yield _Line(self._number, text.rstrip("\r\n"))


@contextmanager
def opened(path: Path) -> Iterator[Lines]:
    """Raises SourceError."""
    try:
        with path.open("rb") as raw:
            yield Lines(path, raw)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


def _objects(lines: Iterator[_Line], columns: Columns) -> Iterator[Row]:
    theirs = columns.theirs()
    for line in lines:
        yield line.number, line.wrong or _object(line.text, theirs)


def _object(text: str, theirs: Mapping[str, str]) -> Mapping[str, Any] | str:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "is not JSON"
    if not isinstance(row, dict):
        return "is not a JSON object"
    return {ours: row[name] for ours, name in theirs.items() if name in row}


def _records(head: str, lines: Iterator[_Line], columns: Columns, what: str) -> Iterator[Row]:
    delimiter = max(_DELIMITERS, key=head.count)
    header = _fields(head, delimiter)
    if header is None:
        raise SourceError(f"cannot read {what}: a quote of its first line is not closed")
    places = _places([one.strip() for one in header], columns, what)
    for line in lines:
        fields = None if line.wrong else _fields(line.text, delimiter)
        if fields is None:
            yield line.number, line.wrong or "has a quote out of place, or one that is not closed on its line"
        elif len(fields) != len(header):
            yield line.number, f"has {len(fields)} columns and not {len(header)}"
        else:
            if "'" in line.text:
                fields = [unguarded(one) for one in fields]
            yield line.number, {ours: fields[place] for ours, place in places.items()}


def _fields(line: str, delimiter: str) -> list[str] | None:
    """A record is one line. If it could be several, a stray quote would give one key's figures to another."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        records = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def _places(header: list[str], columns: Columns, what: str) -> dict[str, int]:
    """Where each of our columns stands. Names that are not mapped are found in any case."""
    lowered = [name.lower() for name in header]
    places, missing = {}, []
    for ours, theirs in columns.theirs().items():
        found = [n for n, name in enumerate(header) if name == theirs]
        if not found and ours not in columns.called:
            found = [n for n, name in enumerate(lowered) if name == ours]
        if len(found) > 1:
            raise SourceError(f"{what} has {len(found)} columns {clean_name(theirs)}")
        if found:
            places[ours] = found[0]
        elif ours in columns.needed or ours in columns.called:
            missing.append(ours)
    if missing:
        shown = ", ".join(clean_name(name) for name in header[:_SHOWN]) + (", …" if len(header) > _SHOWN else "")
        raise SourceError(
            f"{what} holds no {columns.of} (columns: {columns}): it has {shown} and not"
            f" {', '.join(clean_name(columns.theirs()[ours]) for ours in missing)};"
            f" say what it calls them: --map {missing[0]}=NAME"
        )
    return places
