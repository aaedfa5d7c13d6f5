"""Who may send on a channel: one process at a time, and nobody waits for a dead one."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from flowy_watch.errors import StoreError
from flowy_watch.store.engine import Database

_SENDING = 0x73656E64  # the first of an advisory lock's two numbers; the daemon's own lock has only one


@contextmanager
def sending(database: Database, channel: str) -> Iterator[bool]:
    """Whether this process may send on the channel until the block ends; never waits for another that does.

    The right ends with the process, however that ends: what a dead one left half sent can be taken up at once.
    Raises StoreError when that cannot be told.
    """
    with _flocked(database, channel) if database.is_sqlite else _advised(database, channel) as mine:
        yield mine


@contextmanager
def _flocked(database: Database, channel: str) -> Iterator[bool]:
    if database.path is None:  # in memory: nobody else can see it
        yield True
        return
    lock = database.path.with_name(f"{database.path.name}.{crc32(channel.encode()):08x}.lock")
    try:
        file = lock.open("a")
    except OSError as error:
        raise StoreError(f"cannot write {lock}: {error.strerror}; check the folder's permissions") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except OSError:
            mine = False
        yield mine


@contextmanager
def _advised(database: Database, channel: str) -> Iterator[bool]:
    numbers = {"what": _SENDING, "channel": crc32(channel.encode()) - 2**31}
    try:
        connection = database.engine.connect()
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:what, :channel)"), numbers).scalar()
        connection.commit()
    except DBAPIError as error:
        raise StoreError(f"database {database.shown}: {type(error.orig).__name__}") from error
    try:
        yield bool(taken)
    finally:
        if taken:
            _let_go(connection, numbers)
        connection.close()


def _let_go(connection: Connection, numbers: dict[str, int]) -> None:
    try:
        connection.execute(text("SELECT pg_advisory_unlock(:what, :channel)"), numbers)
        connection.commit()
    except DBAPIError:  # the lock belongs to the session, and ends with it
        connection.invalidate()
