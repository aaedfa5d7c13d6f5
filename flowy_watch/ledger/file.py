"""The ledger's file: opening it, its schema, its transactions."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from flowy_watch.errors import StoreError
from flowy_watch.ledger.batch import COLUMNS

SCHEMA = 1
BUSY_SECONDS = 5.0

_TABLES = f"""
CREATE TABLE key (
    fingerprint TEXT PRIMARY KEY, last_four TEXT NOT NULL, name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL, used_ms INTEGER, refused_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE counts (
    bucket_ms INTEGER NOT NULL, fingerprint TEXT NOT NULL, app_id TEXT NOT NULL,
    {", ".join(f"{column} INTEGER NOT NULL" for column in COLUMNS)},
    PRIMARY KEY (bucket_ms, fingerprint, app_id)
) WITHOUT ROWID;
CREATE TABLE app_seen (
    fingerprint TEXT NOT NULL, app_id TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, requests INTEGER NOT NULL, runs INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, app_id)
) WITHOUT ROWID;
CREATE TABLE origin_seen (
    fingerprint TEXT NOT NULL, address TEXT NOT NULL, user_agent TEXT NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, requests INTEGER NOT NULL, runs INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, address, user_agent)
) WITHOUT ROWID;
CREATE TABLE run (
    run_id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, app_id TEXT NOT NULL,
    started_ms INTEGER NOT NULL, outcome TEXT, ended_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX run_started ON run (started_ms);
CREATE TABLE price (
    app_id TEXT PRIMARY KEY, price_microcredits INTEGER NOT NULL,
    low_microcredits INTEGER NOT NULL, high_microcredits INTEGER NOT NULL, source TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE block (
    fingerprint TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
) WITHOUT ROWID;
"""


class LedgerFile:
    """One connection, used by one thread at a time; made when the first one asks for it, readable by its owner alone.

    Every failure is a `StoreError`, after which the next use opens the file anew: a full disk or a folder that is
    away costs nothing but the calls made meanwhile.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path, self._busy = path, busy_seconds
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened, self._inode = 0, 0

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view that waits for no writer."""
        with self._using("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        with self._using("BEGIN IMMEDIATE") as connection:
            yield connection

    def version(self) -> tuple[int, int]:
        """Another one whenever another connection has written, and after the file was opened anew."""
        with self._using("") as connection:
            return self._opened, connection.execute("PRAGMA data_version").fetchone()[0]

    def close(self) -> None:
        with self._lock:
            self._drop()

    @contextmanager
    def _using(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection and not self._is_there():
                    self._drop()
                connection = self._connection = self._connection or self._open()
                if not begin:
                    yield connection
                    return
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._drop()
                raise StoreError(f"ledger {self.path}: {error}; {_advice(error)}") from error
            except OverflowError as error:
                self._drop()
                raise StoreError(f"ledger {self.path}: a number is too large to store") from error
            except OSError as error:
                self._drop()
                raise StoreError(f"ledger {self.path}: {error.strerror}; check the folder's permissions") from error
            except BaseException:
                self._drop()
                raise

    def _open(self) -> sqlite3.Connection:
        # SQLite would take the umask's mode, and gives its -wal and -shm the mode of this one. Never opened when it is
        # there: closing it would drop the locks that other connections of this process hold.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        self._opened, self._inode = self._opened + 1, self.path.stat().st_ino
        connection = sqlite3.connect(self.path, timeout=self._busy, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A crash of the process loses no commit; only a crash of the machine may lose the last ones.
            connection.execute("PRAGMA synchronous = NORMAL")
            _bring_up(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_there(self) -> bool:
        """Whether the path still means the file that is open: what is written to one moved away, nobody would see."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _drop(self) -> None:
        """Closing rolls back what was not committed."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _bring_up(connection: sqlite3.Connection, path: Path) -> None:
    if _schema(connection) == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    found = _schema(connection)  # again: another process may have been first
    if found > SCHEMA:
        raise StoreError(
            f"ledger {path} has schema {found}, this flowy-watch knows up to {SCHEMA}: upgrade the program"
        )
    if found == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreError(f"{path} is a database of something else; name another file in meter.ledger")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.execute("COMMIT")


def _schema(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def _advice(error: sqlite3.Error) -> str:
    words = str(error).lower()
    for sign, advice in (
        ("locked", "another process holds it for too long"),
        ("full", "free some disk space; nothing was half written"),
        ("unable to open", "check that the folder exists and can be written"),
        ("readonly", "check the file's permissions"),
        ("not a database", "name another file in meter.ledger"),
        ("malformed", "move it away; a new one is begun"),
    ):
        if sign in words:
            return advice
    return "check the disk"
