"""Many rows into one table, at about the driver's own speed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlmodel.sql.sqltypes import UTCDateTime

_ROWS = 100
"""Rows of one statement; nine columns of them stay below the 999 parameters that every SQLite takes."""


def insert_rows(connection: Connection, table: Table, columns: Mapping[str, Sequence[object]]) -> None:
    """Insert one row for each position of `columns`, which are equally long.

    What is stored is what SQLAlchemy would store. It binds value by value, which costs three times what storing them
    does; here a column is bound as a whole, and one whose type needs no binding costs nothing.
    """
    dialect = connection.dialect
    bound = [_bind(table.columns[name].type, values, dialect) for name, values in columns.items()]
    count = len(bound[0])
    whole = count - count % _ROWS
    if whole:
        many = [_side_by_side(bound, at, _ROWS) for at in range(0, whole, _ROWS)]
        connection.exec_driver_sql(_statement(table, columns, _ROWS, dialect), many)
    if rest := count - whole:
        connection.exec_driver_sql(_statement(table, columns, rest, dialect), _side_by_side(bound, whole, rest))


def _side_by_side(columns: Sequence[Sequence[object]], at: int, rows: int) -> tuple[object, ...]:
    """So many rows from `at` on, one after the other."""
    values: list[object] = [None] * (rows * len(columns))
    for place, column in enumerate(columns):
        values[place :: len(columns)] = column[at : at + rows]  # which also raises when it is too short
    return tuple(values)


def _statement(table: Table, columns: Iterable[str], rows: int, dialect: Dialect) -> str:
    names = [dialect.identifier_preparer.quote(name) for name in (table.name, *columns)]
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    row = f"({', '.join([mark] * (len(names) - 1))})"
    return f"INSERT INTO {names[0]} ({', '.join(names[1:])}) VALUES {', '.join([row] * rows)}"  # noqa: S608  # our names


def _bind(kind: Any, values: Sequence[Any], dialect: Dialect) -> Sequence[object]:
    bind = kind.dialect_impl(dialect).bind_processor(dialect)
    if bind is None:
        return values
    if isinstance(kind, UTCDateTime) and dialect.name == "sqlite":
        return list(map(_Instants(bind).__getitem__, values))
    return list(map(bind, values))


class _Instants(dict[datetime | None, object]):
    """Instants as `bind` writes them, each once, and those in UTC twice as fast."""

    def __init__(self, bind: Callable[[datetime | None], object]) -> None:
        self._bind = bind

    def __missing__(self, at: datetime | None) -> object:
        text = "" if at is None else at.isoformat(" ", "microseconds")
        written = self[at] = text[:-6] if text.endswith("+00:00") else self._bind(at)
        return written
