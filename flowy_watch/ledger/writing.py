"""A batch into the ledger's tables."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple

import orjson

from flowy_watch.ledger.batch import COLUMNS, Batch, Counts, KeySeen, RunEnded, RunStarted, Seen, bucket_of
from flowy_watch.ledger.file import ms
from flowy_watch.ledger.values import OTHER

MOST_ORIGINS = 500  # of a key; the ones beyond are one row, `OTHER`
MOST_APPS = 500

_INTO_COUNTS = (
    f"INSERT INTO counts VALUES (?, ?, ?{', ?' * len(COLUMNS)}) ON CONFLICT DO UPDATE SET "  # noqa: S608  # our columns
    + ", ".join(f"{column} = {column} + excluded.{column}" for column in COLUMNS)
)
# One statement for them all, during which the event loop has Python to itself: one for each would stop it each time.
_INTO_RUNS = """
INSERT OR IGNORE INTO run
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), NULL, NULL
FROM json_each(?)
"""
_INTO_KEY = """
INSERT INTO key VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    name = excluded.name,
    used_ms = max(coalesce(used_ms, excluded.used_ms), coalesce(excluded.used_ms, used_ms)),
    refused_ms = max(coalesce(refused_ms, excluded.refused_ms), coalesce(excluded.refused_ms, refused_ms))
"""
_SEEN_AGAIN = """ON CONFLICT DO UPDATE SET
    first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
    requests = requests + excluded.requests, runs = runs + excluded.runs
"""
_INTO_APPS = f"""
INSERT INTO app_seen SELECT :fingerprint, :app_id, :first, :last, :requests, :runs
WHERE :app_id = '{OTHER}' OR EXISTS (SELECT 1 FROM app_seen WHERE fingerprint = :fingerprint AND app_id = :app_id)
    OR (SELECT count(*) FROM app_seen WHERE fingerprint = :fingerprint) < {MOST_APPS}
{_SEEN_AGAIN}"""  # noqa: S608  # our own constants
_INTO_ORIGINS = f"""
INSERT INTO origin_seen SELECT :fingerprint, :address, :user_agent, :first, :last, :requests, :runs
WHERE :address = '{OTHER}'
    OR EXISTS (SELECT 1 FROM origin_seen
               WHERE fingerprint = :fingerprint AND address = :address AND user_agent = :user_agent)
    OR (SELECT count(*) FROM origin_seen WHERE fingerprint = :fingerprint) < {MOST_ORIGINS}
{_SEEN_AGAIN}"""  # noqa: S608  # our own constants


def write_batch(connection: sqlite3.Connection, batch: Batch) -> None:
    """All of it, in the transaction that the caller opened."""
    connection.executemany(_INTO_KEY, [_key_row(*each) for each in batch.keys.items()])
    _write_apps(connection, batch.apps)
    _write_origins(connection, batch.origins)
    if batch.runs:
        connection.execute(_INTO_RUNS, (orjson.dumps(_run_rows(batch.runs)).decode(),))
    ended = list(_end_runs(connection, batch.outcomes))
    rows = [(ms(at), fingerprint, app_id, *astuple(each)) for (fingerprint, at, app_id), each in batch.counts.items()]
    connection.executemany(_INTO_COUNTS, [*rows, *ended])


def _key_row(fingerprint: str, key: KeySeen) -> tuple[object, ...]:
    used, refused = key.used_at and ms(key.used_at), key.refused_at and ms(key.refused_at)
    return fingerprint, key.last_four, key.name, ms(key.first_at), used, refused


def _write_apps(connection: sqlite3.Connection, apps: Mapping[tuple[str, str], Seen]) -> None:
    for (fingerprint, app_id), seen in apps.items():
        row = {"fingerprint": fingerprint, "app_id": app_id, **_seen_row(seen)}
        if not connection.execute(_INTO_APPS, row).rowcount:
            connection.execute(_INTO_APPS, row | {"app_id": OTHER})


def _write_origins(connection: sqlite3.Connection, origins: Mapping[tuple[str, str, str], Seen]) -> None:
    for (fingerprint, address, agent), seen in origins.items():
        row = {"fingerprint": fingerprint, "address": address, "user_agent": agent, **_seen_row(seen)}
        if not connection.execute(_INTO_ORIGINS, row).rowcount:
            connection.execute(_INTO_ORIGINS, row | {"address": OTHER, "user_agent": OTHER})


def _seen_row(seen: Seen) -> dict[str, object]:
    return {"first": ms(seen.first_at), "last": ms(seen.last_at), "requests": seen.requests, "runs": seen.runs}


def _run_rows(runs: Mapping[str, RunStarted]) -> list[tuple[object, ...]]:
    return [(run_id, run.fingerprint, run.app_id, ms(run.at)) for run_id, run in runs.items()]


def _end_runs(connection: sqlite3.Connection, outcomes: Mapping[str, RunEnded]) -> Iterable[tuple[object, ...]]:
    """The counts of each run whose end is news, in the five minutes in which it was learnt."""
    for run_id, ended in outcomes.items():
        row = connection.execute(
            "UPDATE run SET outcome = ?, ended_ms = ? WHERE run_id = ? AND outcome IS NULL "
            "RETURNING fingerprint, app_id",
            (ended.outcome, ms(ended.at), run_id),
        ).fetchone()
        if row:
            counts = Counts(**{ended.outcome: 1})
            yield ms(bucket_of(ended.at)), *row, *astuple(counts)
