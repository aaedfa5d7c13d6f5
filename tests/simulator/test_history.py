"""What was seen before the watcher came."""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowy_watch.simulator import make_world, world_with_history, write_history

START = datetime(2026, 11, 24, 8, 40, tzinfo=UTC)


def rows(file: Path) -> list[dict[str, str]]:
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return list(csv.DictReader(content.decode().splitlines()))


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_the_live_world_stands_where_the_history_ends(tmp_path, ending):
    files = tmp_path / f"snapshots.{ending}", tmp_path / f"balance.{ending}"
    world = world_with_history(*files, start=START, lasts=timedelta(days=3))
    snapshots, balances = map(rows, files)
    last = {row["key_id"]: row for row in snapshots if row["at"] == "2026-11-24T08:40:00Z"}
    assert world.now == START
    assert float(balances[-1]["balance"]) * 1_000_000 == world.balance
    for key in world.keys:
        row = last[key.id]
        assert (row["name"], row["status"]) == (key.name, key.status)
        assert float(row["spent_today"]) * 1_000_000 == key.spent_today
        assert float(row["daily_cap"]) * 1_000_000 == key.daily_cap
        assert datetime.fromisoformat(row["last_used_at"]) == key.last_used_at


def test_the_history_covers_forty_five_days_of_every_key_at_every_poll(tmp_path):
    files = tmp_path / "snapshots.csv", tmp_path / "balance.csv"
    world_with_history(*files, start=START)
    snapshots, balances = map(rows, files)
    assert list(snapshots[0]) == ["key_id", "name", "at", "spent_today", "last_used_at", "daily_cap", "status"]
    assert list(balances[0]) == ["at", "balance"]
    polls = 45 * 96 + 1 + 45  # every quarter of an hour, and once to close each day
    assert (len(balances), len(snapshots)) == (polls, 12 * polls)
    assert "2026-10-10T23:59:50Z" in {row["at"] for row in balances}
    assert (balances[0]["at"], balances[-1]["at"]) == ("2026-10-10T08:40:00Z", "2026-11-24T08:40:00Z")


def test_writing_the_history_does_not_change_what_happened(tmp_path):
    told, silent = (make_world(start=START - timedelta(days=2)) for _ in range(2))
    polls = write_history(
        told, tmp_path / "snapshots.csv", tmp_path / "balance.csv", until=START, every=timedelta(hours=1)
    )
    silent.advance(START)
    assert polls == 49 + 2
    assert told.keys == silent.keys
    assert told.balance == silent.balance


def test_what_the_keys_spent_in_the_history_is_what_the_balance_lost(tmp_path):
    files = tmp_path / "snapshots.csv", tmp_path / "balance.csv"
    tuesday = datetime(2026, 11, 24, tzinfo=UTC)
    world_with_history(*files, start=tuesday + timedelta(hours=23), lasts=timedelta(hours=23))
    snapshots, balances = map(rows, files)
    spent = sum(float(row["spent_today"]) for row in snapshots if row["at"] == balances[-1]["at"])
    assert spent == float(balances[0]["balance"]) - float(balances[-1]["balance"]) > 0


def test_what_is_not_known_is_empty(tmp_path, new_world):
    world = new_world()
    write_history(world, tmp_path / "snapshots.csv", tmp_path / "balance.csv", until=world.now)
    assert [(row["last_used_at"], row["daily_cap"]) for row in rows(tmp_path / "snapshots.csv")] == [("", "")] * 3
