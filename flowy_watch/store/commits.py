"""Whether anybody wrote something, in this process or another: asked many times a second, it costs next to nothing."""

from sqlalchemy import PoolProxiedConnection

from flowy_watch.errors import StoreError
from flowy_watch.store.engine import Database

_SQLITE = "PRAGMA data_version"  # a number that every other connection's commit changes; it reads no table
_POSTGRESQL = "SELECT max(seq) FROM outbox"


class Commits:
    """One connection, for one thread; opened by the first question."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._query = _SQLITE if database.is_sqlite else _POSTGRESQL
        self._last: object = None
        self._connection: PoolProxiedConnection | None = None

    def moved(self) -> bool:
        """Whether there may be something new since this was last asked; also the first time. Raises StoreError."""
        before, self._last = self._last, self._ask()
        return self._last != before

    def _ask(self) -> object:
        # The driver's own connection: a transaction of SQLAlchemy's costs two hundred times as much.
        try:
            if self._connection is None:
                self._connection = self._database.engine.raw_connection()
            cursor = self._connection.cursor()
            cursor.execute(self._query)
            found = cursor.fetchone()
            cursor.close()
            self._connection.rollback()
        except Exception as error:
            self.close()
            raise StoreError(f"database {self._database.shown}: {type(error).__name__}") from error
        return tuple(found or ())

    def close(self) -> None:
        """It may be asked again after it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
