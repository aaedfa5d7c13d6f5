"""Many rows at once are stored as SQLAlchemy stores them one by one."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text

from flowy_watch.core.usage import MOST
from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from flowy_watch.store.bulk import insert_rows
from flowy_watch.store.tables import DailySnapshot, Key, Poll, SnapshotRow
from tests.builders import NOON

KEYS, POLLS, SNAPSHOTS, DAYS = (t.__table__ for t in (Key, Poll, SnapshotRow, DailySnapshot))  # type: ignore[attr-defined]
INSTANTS = [
    None,
    NOON,
    datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 59, 59, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=timezone(-timedelta(hours=9))),
]


def columns(rows: int) -> dict[str, list[Any]]:
    return {
        "poll_id": [1] * rows,
        "key_no": list(range(1, rows + 1)),
        "spent_microcredits": [n * 7 % MOST for n in range(rows)],
        "daily_cap_microcredits": [[None, 0, MOST, 5][n % 4] for n in range(rows)],
        "last_used_at": [INSTANTS[n % len(INSTANTS)] for n in range(rows)],
        "status": [["active", "it's ünïcode 🎬"][n % 2] for n in range(rows)],
        "rate_limit_per_minute": [[60, None][n % 2] for n in range(rows)],
    }


def prepare(connection: Connection, rows: int) -> None:
    connection.execute(insert(POLLS).values(id=1, kind="live", taken_at=NOON, outcome="good"))
    keys = [{"key_no": n, "key_id": str(n), "name": "", "first_seen_at": NOON} for n in range(1, rows + 1)]
    connection.execute(insert(KEYS), keys)


def stored(connection: Connection, table: Any) -> list[Any]:
    """As the database holds it, past every type of ours."""
    return list(connection.execute(text(f"SELECT * FROM {table.name} ORDER BY key_no")))


@pytest.mark.parametrize("rows", [1, 99, 100, 101, 250])
def test_what_is_stored_is_what_sqlalchemy_stores(store: Store, rows: int) -> None:
    with store.database.write() as connection:
        prepare(connection, rows)
        insert_rows(connection, SNAPSHOTS, columns(rows))
        by_us = stored(connection, SNAPSHOTS)
        connection.execute(delete(SNAPSHOTS))
        names = list(columns(1))
        values = zip(*columns(rows).values(), strict=True)
        connection.execute(insert(SNAPSHOTS), [dict(zip(names, row, strict=True)) for row in values])
        assert by_us == stored(connection, SNAPSHOTS)
    assert len(by_us) == rows


def test_booleans_and_days_are_stored_as_sqlalchemy_stores_them(store: Store) -> None:
    row = {
        "day": NOON.date(),
        "key_no": 1,
        "spent_microcredits": 1,
        "daily_cap_microcredits": None,
        "last_used_at": None,
        "status": "active",
        "polls": 1,
        "last_taken_at": NOON,
        "complete": True,
    }
    with store.database.write() as connection:
        prepare(connection, 1)
        insert_rows(connection, DAYS, {name: [value] for name, value in row.items()})
        by_us = stored(connection, DAYS)
        assert dict(connection.execute(select(DAYS)).one()._mapping) == row
        connection.execute(delete(DAYS))
        connection.execute(insert(DAYS).values(**row))
        assert by_us == stored(connection, DAYS)


def test_no_rows_are_no_statement(store: Store) -> None:
    with store.database.write() as connection:
        insert_rows(connection, SNAPSHOTS, columns(0))
        assert stored(connection, SNAPSHOTS) == []


def test_an_instant_without_a_zone_is_refused(store: Store) -> None:
    naive = columns(1) | {"last_used_at": [NOON.replace(tzinfo=None)]}
    with store.database.write() as connection, pytest.raises(ValueError, match="timezone"):
        insert_rows(connection, SNAPSHOTS, naive)


def test_a_row_that_cannot_be_stored_takes_all_others_with_it(store: Store) -> None:
    unknown = columns(150) | {"key_no": [*range(1, 150), 999]}
    with store.database.write() as connection:
        prepare(connection, 150)
    with pytest.raises(StoreError), store.database.write() as connection:
        insert_rows(connection, SNAPSHOTS, unknown)
    with store.database.read() as connection:
        assert stored(connection, SNAPSHOTS) == []


def test_columns_of_different_lengths_are_refused(store: Store) -> None:
    with store.database.write() as connection, pytest.raises(ValueError):
        insert_rows(connection, SNAPSHOTS, columns(3) | {"key_no": [1, 2]})
