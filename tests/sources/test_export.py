"""An export that is watched: the latest line of each key, as long as there are new ones."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowy_watch.core.usage import Reading
from flowy_watch.errors import SourceError
from flowy_watch.sources.export import FileSource
from tests.builders import DAY, HOUR, MINUTE, NOON, credit, snapshot

HEAD = "key,at,spent_today,last_used_at\n"


def line(key: str, at: datetime, spent: object = 5) -> str:
    return f"{key},{at.isoformat()},{spent},\n"


def pull(path: Path, content: str, now: datetime = NOON, **options: Any) -> Reading:
    path.write_text(HEAD + content)
    source = FileSource(FileSource.Config(path=path, columns={"key_id": "key"}, **options))
    return source.pull(now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.csv"


def test_the_latest_line_of_each_key_counts_in_whatever_order_they_stand(path: Path) -> None:
    lines = line("key_1", NOON - MINUTE, 7) + line("key_1", NOON - HOUR, 3) + line("key_2", NOON - 5 * MINUTE, 1)
    assert pull(path, lines).snapshots == (
        snapshot(7, NOON, name=""),
        snapshot(1, NOON, key_id="key_2", name=""),
    )


def test_a_key_that_is_no_longer_exported_is_no_longer_listed(path: Path) -> None:
    reading = pull(path, line("key_1", NOON) + line("old", NOON - 31 * MINUTE))
    assert [one.key_id for one in reading.snapshots] == ["key_1"]


def test_an_export_that_stopped_leaves_the_watch_blind(path: Path) -> None:
    with pytest.raises(SourceError, match=r"has stopped: its newest line is 40 min old \(source.max_age\)"):
        pull(path, line("key_1", NOON - 40 * MINUTE))


def test_yesterdays_counter_says_nothing_about_today(path: Path) -> None:
    midnight = NOON + 12 * HOUR
    (key,) = pull(path, line("key_1", midnight - 5 * MINUTE, 90), midnight + 5 * MINUTE).snapshots
    assert (key.spent, key.taken_at) == (None, midnight + 5 * MINUTE)


def test_the_balance_comes_from_a_file_of_its_own_while_it_is_fresh(path: Path, tmp_path: Path) -> None:
    balances = tmp_path / "workspace.csv"
    balances.write_text(f"at,balance\n{(NOON - HOUR).isoformat()},900\n{(NOON - MINUTE).isoformat()},800\n")
    assert pull(path, line("key_1", NOON), workspace=balances).balance == credit(800)
    assert pull(path, line("key_1", NOON + 2 * HOUR), NOON + 2 * HOUR, workspace=balances).balance is None


def test_a_file_that_is_as_it_was_is_not_read_again_and_one_that_changed_is(path: Path) -> None:
    path.write_text(HEAD + line("key_1", NOON))
    source = FileSource(FileSource.Config(path=path, columns={"key_id": "key"}))
    first = source.pull(NOON).snapshots
    text, stat = path.read_bytes(), path.stat()
    path.write_bytes(text.replace(b",5,", b",6,"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert source.pull(NOON).snapshots == first
    path.write_text(HEAD + line("key_1", NOON, 77))
    assert source.pull(NOON).snapshots[0].spent == credit(77)


def test_a_file_too_large_for_its_deadline_is_refused_with_what_to_do(path: Path) -> None:
    path.write_text(HEAD + "".join(line(f"key_{n}", NOON) for n in range(1500)))
    ticks = iter(range(0, 1000, 70))
    source = FileSource(FileSource.Config(path=path, columns={"key_id": "key"}), monotonic=lambda: float(next(ticks)))
    with pytest.raises(SourceError, match=r"too large to be read within source.deadline"):
        source.pull(NOON)


def test_check_names_the_first_bad_line(path: Path) -> None:
    path.write_text(HEAD + line("key_1", NOON) + line("key_1", NOON + DAY) + line("", NOON))
    source = FileSource(FileSource.Config(path=path, columns={"key_id": "key"}, max_age=timedelta(hours=1)))
    lines = list(source.check(NOON))
    assert [(one.name, one.ok) for one in lines] == [("export readable", True), ("every line good", False)]
    assert lines[1].detail == "2 bad, the first is line 3: is from the future (2026-03-03 12:00 UTC)"
