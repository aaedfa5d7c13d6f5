"""Whether presses of buttons can be heard, for those who look from another process."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from flowy_watch.store.tables import ButtonsRow

_buttons = ButtonsRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy


class Buttons:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, troubles: Mapping[str, str], now: datetime) -> None:
        """By channel, all that has buttons: why no press can be heard, empty while one can."""
        before = {row.channel: row for row in self.all()}
        same = {name for name, trouble in troubles.items() if name in before and before[name].trouble == trouble}
        self._connection.execute(delete(_buttons).where(_buttons.c.channel.not_in(same)))
        new = [{"channel": n, "trouble": t, "since_at": now} for n, t in troubles.items() if n not in same]
        if new:
            self._connection.execute(insert(_buttons), new)

    def all(self) -> list[Row[Any]]:
        return list(self._connection.execute(select(_buttons).order_by(_buttons.c.channel)))
