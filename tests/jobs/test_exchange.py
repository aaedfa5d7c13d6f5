"""Snapshots in from files and out to files."""

import csv
import gzip
import io
import json
from datetime import datetime
from pathlib import Path

import pytest

from flowy_watch.core.usage import KeyStatus
from flowy_watch.errors import SourceError
from flowy_watch.jobs.exchange import Imported, export_to, import_file
from flowy_watch.sources.file import COLUMNS, BadLine
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MINUTE, NOON, credit, snapshot

from .rigs import Rig

CSV = """key_id,name,at,spent_today,last_used_at,daily_cap,status
key_1,render,2026-03-01T12:00:00Z,1.5,2026-03-01T11:59:00Z,40,active
key_2,"en, code",2026-03-01T12:00:00Z,0,,,revoked
key_1,render,2026-03-01T14:00:00+01:00,2,,40,
"""
ROWS = [
    {"key_id": "key_1", "name": "render", "at": "2026-03-01T12:00:00Z", "spent_today": 1.5},
    {"key_id": "key_1", "name": "render", "at": "2026-03-01T13:00:00Z", "spent_today": 2, "status": "ACTIVE"},
]


def take(store: Store, path: Path, workspace: Path | None = None, *, now: datetime = NOON) -> Imported:
    return import_file(store, path, workspace, now=now)


def written(path: Path, content: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        path.write_text(content, encoding="utf-8")
    return path


def exported(store: Store, form: str, since: datetime | None = None) -> str:
    out = io.StringIO(newline="")
    export_to(store, out, since=since, form=form)
    return out.getvalue()


@pytest.mark.parametrize("name", ["usage.csv", "usage.csv.gz"])
def test_csv_is_imported_whole(store: Store, tmp_path: Path, name: str) -> None:
    assert take(store, written(tmp_path / name, CSV)) == Imported(2, 3, 0, ())
    with store.read() as work:
        first, second = work.usage.readings()
    noon = NOON - DAY
    assert first.snapshots == (
        snapshot(1.5, noon, cap=40, used=noon - MINUTE),
        snapshot(0, noon, key_id="key_2", name="en, code", status=KeyStatus.REVOKED),
    )
    assert second.snapshots == (snapshot(2, noon + HOUR, cap=40),)


@pytest.mark.parametrize("name", ["usage.jsonl", "usage.ndjson", "usage.jsonl.gz"])
def test_json_lines_are_imported_whole(store: Store, tmp_path: Path, name: str) -> None:
    lines = "\n\n".join(json.dumps(row) for row in ROWS) + "\n"
    assert take(store, written(tmp_path / name, lines)) == Imported(2, 2, 0, ())


def test_a_byte_order_mark_of_a_spreadsheet_is_passed_over(store: Store, tmp_path: Path) -> None:
    assert take(store, written(tmp_path / "usage.csv", "\ufeff" + CSV)).snapshots == 3


def test_bad_lines_are_named_and_the_others_are_kept(store: Store, tmp_path: Path) -> None:
    bad = CSV + "key_3,x,2026-03-01T12:00:00Z,-1,,,\n,x,2026-03-01T12:00:00Z,1,,,\nkey_3,x,noon,1,,,\nkey_3,x,,,,,\n"
    imported = take(store, written(tmp_path / "usage.csv", bad))
    assert (imported.snapshots, [line.number for line in imported.bad]) == (3, [5, 6, 7, 8])
    assert imported.bad[1:] == (
        BadLine(6, "has no key_id"),
        BadLine(7, "at is not a time in ISO 8601"),
        BadLine(8, "has no at"),
    )


@pytest.mark.parametrize("amount", ['"NaN"', "NaN", "true", "1e300", "-0.1", '"much"', "[]", "{}"])
def test_an_amount_that_is_none_is_a_bad_line(store: Store, tmp_path: Path, amount: str) -> None:
    good = json.dumps(ROWS[0])
    path = written(tmp_path / "usage.jsonl", good + "\n" + good.replace("1.5", amount) + "\n[1]\nnot json\n")
    assert [line.number for line in take(store, path).bad] == [2, 3, 4]


def test_importing_a_file_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    path = written(tmp_path / "usage.csv", CSV)
    take(store, path)
    with store.read() as work:
        before, days = work.usage.count(), work.usage.daily()
    assert take(store, path) == Imported(0, 0, 2, ())
    with store.read() as work:
        assert (work.usage.count(), work.usage.daily()) == (before, days)


def test_an_import_that_was_interrupted_may_be_started_again(store: Store, tmp_path: Path) -> None:
    half = "".join(CSV.splitlines(keepends=True)[:3])
    take(store, written(tmp_path / "half.csv", half))
    assert take(store, written(tmp_path / "usage.csv", CSV)) == Imported(1, 1, 1, ())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_and_imported_again_is_exported_equal(
    store: Store, open_store: object, tmp_path: Path, form: str
) -> None:
    rig = Rig(store)
    names = ['a "quoted", name', "ünïcode 🎬", "=1+1"]
    for n in range(5):
        keys = [snapshot(n * 0.1, cap=40.5, used=NOON, key_id=f"key_{i}", name=name) for i, name in enumerate(names)]
        rig.poll(NOON + n * MINUTE, *keys, balance=10)
    first = exported(store, form)
    other = open_store("other.db")  # type: ignore[operator]
    take(other, written(tmp_path / f"usage.{form}", first), now=NOON + DAY)
    assert exported(other, form) == first
    assert len(first.splitlines()) == 15 + (form == "csv")


def test_no_name_of_an_exported_table_is_a_formula(store: Store, open_store: object, tmp_path: Path) -> None:
    names = ['=HYPERLINK("http://evil.example")', "+1", "-cmd", "@SUM(A1)", "＝1", "'=quoted", "plain"]
    Rig(store).poll(NOON, *(snapshot(1, key_id=f"={n}", name=name) for n, name in enumerate(names)))
    table = list(csv.DictReader(io.StringIO(exported(store, "csv"))))
    assert [row["name"] for row in table] == [*(f"'{name}" for name in names[:6]), "plain"]
    assert {row["key_id"][:2] for row in table} == {"'="}
    assert [json.loads(line)["name"] for line in exported(store, "jsonl").splitlines()] == names
    other = open_store("other.db")  # type: ignore[operator]
    take(other, written(tmp_path / "usage.csv", exported(store, "csv")), now=NOON + DAY)
    assert exported(other, "jsonl") == exported(store, "jsonl")


def test_an_export_of_nothing_is_a_csv_with_its_columns(store: Store) -> None:
    assert (exported(store, "csv"), exported(store, "jsonl")) == (",".join(COLUMNS) + "\n", "")


def test_an_export_may_begin_late(store: Store, tmp_path: Path) -> None:
    take(store, written(tmp_path / "usage.csv", CSV))
    assert len(exported(store, "jsonl", NOON - DAY).splitlines()) == 1


def test_balances_come_from_a_file_of_their_own(store: Store, tmp_path: Path) -> None:
    balances = written(tmp_path / "workspace.csv", "at,balance\n2026-03-01T12:00:00Z,99.5\n2026-03-01T13:00:00Z,-3\n")
    take(store, written(tmp_path / "usage.csv", CSV), balances)
    with store.read() as work:
        assert [one.balance for one in work.usage.readings()] == [credit(99.5), credit(-3)]


def test_a_bad_balance_refuses_the_import_and_is_named(store: Store, tmp_path: Path) -> None:
    balances = written(tmp_path / "workspace.csv", "at,balance\n2026-03-01T12:00:00Z,much\n")
    with pytest.raises(SourceError, match=r"workspace\.csv, line 2"):
        take(store, written(tmp_path / "usage.csv", CSV), balances)


def test_snapshots_from_the_future_are_named_and_skipped(store: Store, tmp_path: Path) -> None:
    imported = take(store, written(tmp_path / "usage.csv", CSV), now=NOON - DAY)
    assert imported == Imported(1, 2, 0, (BadLine(4, "is from the future (2026-03-01 13:00 UTC)"),), 1)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\n\n", "key_id,at\n"])
def test_a_file_without_a_good_line_is_refused_with_the_columns_it_needs(
    store: Store, tmp_path: Path, content: str
) -> None:
    with pytest.raises(SourceError, match=r"holds no snapshot.*key_id, name, at, spent_today"):
        take(store, written(tmp_path / "usage.csv", content))


def test_a_file_that_cannot_be_read_is_refused_by_name(store: Store, tmp_path: Path) -> None:
    (tmp_path / "half.csv.gz").write_bytes(gzip.compress(CSV.encode())[:-20])
    (tmp_path / "wide.csv").write_text(CSV, encoding="utf-16")
    for name in ("missing.csv", "half.csv.gz", "wide.csv"):
        with pytest.raises(SourceError, match=f"cannot read .*{name}"):
            take(store, tmp_path / name)


def test_an_imported_past_makes_a_key_older_and_never_younger(store: Store, tmp_path: Path) -> None:
    rig = Rig(store)
    rig.poll(NOON, snapshot(1), snapshot(1, key_id="key_3"))
    for _ in range(2):
        take(store, written(tmp_path / "usage.csv", CSV), now=NOON + DAY)
        with store.read() as work:
            seen = {row.key_id: row.first_seen_at for row in work.usage.keys_today(NOON.date())}
        assert seen == {"key_1": NOON - DAY, "key_2": NOON - DAY, "key_3": NOON}


def test_a_running_job_sees_what_was_imported_beside_it(store: Store, tmp_path: Path) -> None:
    rig = Rig(store, "safeguard")
    rig.poll(NOON, snapshot(1))
    take(store, written(tmp_path / "usage.csv", CSV))
    rig.poll(NOON + MINUTE, snapshot(1), snapshot(0, key_id="key_2", status=KeyStatus.REVOKED))
    assert rig.told() == []
