"""Mutated exports: what is right is imported, what is wrong is named, and twice the same file changes nothing.

`FLOWY_WATCH_FUZZ_LINES=10000 FLOWY_WATCH_FUZZ_SEEDS=20` makes it the long one.
"""

import json
import os
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flowy_watch.jobs.exchange import import_file
from flowy_watch.sources.file import COLUMNS
from flowy_watch.sources.texts import key_id
from flowy_watch.store import Store
from tests.builders import DAY, MINUTE, NOON

LINES = int(os.environ.get("FLOWY_WATCH_FUZZ_LINES", "1000"))
SEEDS = range(int(os.environ.get("FLOWY_WATCH_FUZZ_SEEDS", "1")))
NOW = NOON + DAY
ALPHABET = "0123456789.-+eE:TZ,;\" abzk_é\u202e\x00{}[]ntf'"

Fields = tuple[int | None, int | None, int | None, str]
"""Spent, cap, last used in microseconds, status: of one key and moment."""


def _row(draw: Random, number: int) -> dict[str, Any]:
    at = NOON - DAY + number // 12 * MINUTE
    used = at - draw.randrange(9) * MINUTE
    return {
        "key_id": f"key_{number % 12}",
        "name": draw.choice(["render", "a, b", 'the "best"', "ünïcode"]),
        "at": at.isoformat().replace("+00:00", draw.choice(["Z", "+00:00", ""])),
        "spent_today": draw.choice([0, 1.5, 0.1, 1234567.000001, 9e12]),
        "last_used_at": draw.choice([None, used.isoformat()]),
        "daily_cap": draw.choice([None, 40, 0.5]),
        "status": draw.choice([None, "active", "Revoked", "expired"]),
    }


def _mutated(draw: Random, line: str) -> str:
    text = list(line)
    for _ in range(draw.choice([1, 1, 2, 5])):
        place = draw.randrange(len(text) + 1)
        match draw.randrange(5):
            case 0:
                text[place:place] = draw.choice(ALPHABET)
            case 1:
                text[place : place + 1] = draw.choice(ALPHABET)
            case 2:
                del text[place : place + draw.choice([1, 1, 4])]
            case 3:
                del text[place:]
            case 4:
                text[place:place] = draw.choice(["2030-01-01T00:00:00Z", "1e300", "null", ',"', "-1", "9" * 40])
    return "".join(text) or ","


# ── what is right, decided by other means than the product's ─────────────────────────────────────────────────────────


def _csv_fields(line: str) -> list[str] | None:
    """By hand: a field is quoted from its first letter to one before a comma or the end."""
    fields, rest = [], line
    while True:
        if rest.startswith('"'):
            quoted = re.match(r'"((?:[^"]|"")*)"(?=,|$)', rest)
            if not quoted:
                return None
            fields.append(quoted[1].replace('""', '"'))
            rest = rest[quoted.end() :]
        else:
            field, comma, after = rest.partition(",")
            fields.append(field)
            rest = comma + after
        if not rest:
            return fields
        rest = rest[1:]


def _amount(value: Any) -> int | None:
    """Micro-credits; None where there is none. Raises ValueError."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    text = value.strip() if isinstance(value, str) else repr(value)
    if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", text):
        raise ValueError
    exact = Decimal(text) * 10**6
    if exact < 0 or exact > 9 * 10**18:
        raise ValueError
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN)) if exact < 10**26 else int(exact)


def _instant(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError
    at = datetime.fromisoformat(value.strip())
    if len(value.strip()) <= 10:
        raise ValueError
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if at.year < 2000:
        raise ValueError
    return at


def _judged(row: dict[str, Any]) -> tuple[tuple[datetime, str], Fields]:
    at, used = _instant(row.get("at")), _instant(row.get("last_used_at"))
    spent, cap = _amount(row.get("spent_today")), _amount(row.get("daily_cap"))
    raw = row.get("key_id")
    status = row.get("status")
    name = {None: "active", "": "active"}.get(status) if not isinstance(status, str) or not status else status
    name = name.strip().lower() if isinstance(name, str) else ""
    key = key_id(str(raw)) if isinstance(raw, str) or type(raw) is int else ""
    late = used is not None and used > NOW + timedelta(minutes=5)
    if (
        at is None
        or at > NOW
        or "spent_today" not in row
        or late
        or not key
        or name not in ("active", "revoked", "expired")
    ):
        raise ValueError
    return (at, key), (spent, cap, None if used is None else int(used.timestamp() * 1_000_000), name)


def _parsed(form: str, line: str) -> dict[str, Any]:
    if form == "csv":
        fields = _csv_fields(line)
        if fields is None or len(fields) != len(COLUMNS):
            raise ValueError
        return dict(zip(COLUMNS, fields, strict=True))
    row = json.loads(line, parse_constant=lambda _: 1 / 0)
    if not isinstance(row, dict):
        raise ValueError
    return row


def expected(form: str, lines: list[str], first: int) -> tuple[dict[tuple[datetime, str], Fields], set[int]]:
    right: dict[tuple[datetime, str], tuple[dict[str, Any], Fields]] = {}
    wrong = set()
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue  # a blank line is no line
        try:
            row = _parsed(form, line)
            identity, fields = _judged(row)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            wrong.add(number)
            continue
        before = right.setdefault(identity, (row, fields))
        if before[1] != fields or before[0].get("name") != row.get("name"):
            wrong.add(number)
    return {identity: fields for identity, (_, fields) in right.items()}, wrong


def everything(path: Path) -> dict[str, list[Any]]:
    with sqlite3.connect(path) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: list(database.execute(f"SELECT * FROM {table}")) for table in sorted(tables)}
    database.close()
    return found


def stored(store: Store) -> dict[tuple[datetime, str], Fields]:
    with store.read() as work:
        return {
            (s.taken_at, s.key_id): (
                s.spent,
                s.daily_cap,
                None if s.last_used_at is None else int(s.last_used_at.timestamp() * 1_000_000),
                s.status.value,
            )
            for reading in work.usage.readings()
            for s in reading.snapshots
        }


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutated_export_brings_exactly_what_is_right(
    open_store: Callable[..., Store], tmp_path: Path, form: str, seed: int
) -> None:
    draw, lines = Random(seed), []
    for number in range(LINES):
        row = _row(draw, number)
        if form == "csv":
            cells = ["" if value is None else str(value) for value in row.values()]
            line = ",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' if re.search('[,"]', c) else c for c in cells)
        else:
            line = json.dumps(row, ensure_ascii=False)
        lines.append(_mutated(draw, line) if draw.random() < 0.5 else line)
    head = [",".join(COLUMNS)] if form == "csv" else []
    path = tmp_path / f"usage.{form}"
    path.write_text("\n".join(head + lines), encoding="utf-8")
    right, wrong = expected(form, lines, 1 + len(head))

    store = open_store()
    done = import_file(store, path, now=NOW)
    assert stored(store) == right
    assert (done.bad_lines, done.snapshots) == (len(wrong), len(right))
    named = {line.number for line in done.bad}
    assert named <= wrong
    assert len(done.bad) == min(100, len(wrong))
    assert all(line.reason and "\n" not in line.reason for line in done.bad)
    assert len(wrong) > LINES // 10

    before = everything(tmp_path / "watch.db")
    again = import_file(store, path, now=NOW)
    assert (again.polls, again.snapshots, again.known) == (0, 0, done.polls)
    assert everything(tmp_path / "watch.db") == before


def test_an_import_that_is_killed_anywhere_and_started_again_comes_to_the_same(
    open_store: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowy_watch.jobs.exchange._POLLS_AT_ONCE", 3)
    draw = Random(1)
    path = tmp_path / "usage.jsonl"
    path.write_text("\n".join(json.dumps(_row(draw, number)) for number in range(120)), encoding="utf-8")
    whole = open_store("whole.db")
    import_file(whole, path, now=NOW)

    class Killed(BaseException):
        pass

    class Kill:
        def __init__(self, after: int) -> None:
            self.left = after

        def __call__(self, what: str, done: int, of: int) -> None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    interrupted = open_store("interrupted.db")
    for after in range(9):
        try:
            import_file(interrupted, path, now=NOW, progress=Kill(after))
        except Killed:
            continue
        break
    else:
        pytest.fail("never came to its end")
    assert after > 4
    assert everything(tmp_path / "interrupted.db") == everything(tmp_path / "whole.db")
