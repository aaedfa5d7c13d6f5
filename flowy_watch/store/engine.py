"""One database: opening it, its transactions, its migrations, and who may watch it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from flowy_watch.core.redact import redact
from flowy_watch.errors import AlreadyRunning, StoreError

SCHEMA = "0016"
"""The newest migration this version knows; the start skips Alembic when the database is already there."""

_WRITE_LOCK, _DAEMON_LOCK = 0x666C6F77, 0x79776174  # PostgreSQL's advisory locks are numbers
_BUSY_SECONDS = 30.0
_CACHE = "cache_size = -8000"  # kB; the 2 MB of the default do not hold the rows that a poll of 10,000 keys changes


class Database:
    """SQLite (WAL, synchronous FULL, foreign keys) or PostgreSQL, by URL. Opens lazily."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            self.path = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
            self.engine = create_engine(parsed, **_options(parsed.get_backend_name()))
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(
                "store.url is not a database this installation can open; "
                'use "sqlite:///file.db" or, with flowy-watch[postgresql], "postgresql+psycopg://…"'
            ) from error
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "do_connect", self._make_private)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self.shown = redact(parsed.render_as_string(hide_password=True))

    def _make_private(self, *_: Any) -> None:
        """SQLite would take the umask's mode for a new file, and gives -wal and -shm the mode of the database."""
        if self.path:
            with suppress(OSError):  # it is there, or cannot be: SQLite says why
                _create(self.path)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the database's only write lock from its first statement to its commit."""
        with self._translated(), self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITE_LOCK})
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view that never waits for a writer."""
        options: dict[str, Any] = {"reading": True}
        if not self.is_sqlite:
            options["isolation_level"] = "REPEATABLE READ"
        with self._translated(), self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def migrate(self) -> None:
        """Bring the schema to this version, under the write lock. Raises StoreError when it is newer than we are."""
        with self._translated():
            if self._version() == SCHEMA:
                return
        from flowy_watch.store.migrations import upgrade  # Alembic costs 0.2 s and 15 MB: only when needed

        with self.write() as connection:
            upgrade(connection, SCHEMA)

    def _version(self) -> str | None:
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if version and version > SCHEMA:
            raise StoreError(
                f"the database has schema {version}, this flowy-watch knows up to {SCHEMA}: upgrade the program"
            )
        return version

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Be the one daemon of this database, until the block ends or the process dies. Raises AlreadyRunning."""
        with self._flocked() if self.is_sqlite else self._advised():
            yield

    def is_watched(self) -> bool:
        """Whether a daemon runs, at this moment."""
        try:
            with self.watching():
                return False
        except AlreadyRunning:
            return True

    @contextmanager
    def _flocked(self) -> Iterator[None]:
        if self.path is None:
            yield
            return
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            file: IO[str] = lock.open("a")
        except OSError as error:
            raise StoreError(f"cannot write {lock}: {error.strerror}; check the folder's permissions") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise AlreadyRunning(f"another flowy-watch already watches {self.path}; stop it first") from None
            yield

    @contextmanager
    def _advised(self) -> Iterator[None]:
        with self._translated(), self.engine.connect() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _DAEMON_LOCK}).scalar():
                raise AlreadyRunning(f"another flowy-watch already watches {self.shown}; stop it first")
            connection.commit()
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _DAEMON_LOCK})

    def backup(self, file: Path) -> None:
        """Copy the whole database to a new file, consistent while others write. Raises StoreError."""
        if not self.is_sqlite:
            raise StoreError("back up PostgreSQL with pg_dump")
        if self.path is None or not self.path.exists():
            raise StoreError(f"there is no database {self.shown} to back up")
        if file.exists():
            raise StoreError(f"{file} exists; name a new file")
        try:
            _create(file)
            with closing(sqlite3.connect(str(self.path))) as source, closing(sqlite3.connect(file)) as copy:
                source.backup(copy)
        except sqlite3.Error as error:
            raise StoreError(f"cannot back up to {file}: {error}") from error
        except OSError as error:
            raise StoreError(f"cannot back up to {file}: {error.strerror}") from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            folder = self.path is not None and self.path.is_dir()
            why = "it is a folder; name a file in store.url" if folder else _advice(error)
            advice = "; ".join(filter(None, (_first_line(error), why)))
            raise StoreError(f"database {self.shown}: {advice}") from error
        except OverflowError as error:
            raise StoreError(f"database {self.shown}: a number is too large to store") from error

    def close(self) -> None:
        self.engine.dispose()


def _create(file: Path) -> None:
    """A new file that only its owner reads: it holds who spends how much."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _options(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"connect_args": {"timeout": _BUSY_SECONDS, "check_same_thread": False}, "pool_size": 8}
    return {"pool_pre_ping": True, "pool_size": 8}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY", _CACHE):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a deferred transaction that reads first cannot become a writer later, whatever the busy timeout.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _first_line(error: DBAPIError) -> str:
    return redact(str(error.orig).strip().splitlines()[0]) if str(error.orig).strip() else type(error.orig).__name__


def _advice(error: DBAPIError) -> str:
    words = str(error.orig).lower()
    for sign, advice in (
        ("locked", "another process holds it for too long"),
        ("full", "free some disk space; nothing was half written"),
        ("no space left", "free some disk space; nothing was half written"),
        ("disk i/o", "look at the disk: its space, its quota, its health; nothing was half written"),
        ("unable to open", "check that the folder exists and can be written"),
        ("readonly", "check the file's permissions"),
        ("malformed", "restore a backup (flowy-watch db backup)"),
        ("not a database", "fix store.url, or restore a backup (flowy-watch db backup)"),
    ):
        if sign in words:
            return advice
    return "check that it is running and reachable" if isinstance(error, OperationalError) else ""


__all__ = ["SCHEMA", "Database", "Engine"]
