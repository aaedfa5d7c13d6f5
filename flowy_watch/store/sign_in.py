"""Who may see the dashboard: links to sign in with once, and sessions. Only hashes are kept."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select, update

from flowy_watch.store.tables import LoginCodeRow, WebSessionRow

_codes = LoginCodeRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_sessions = WebSessionRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who was let in, as what."""

    role: str
    by: str


@dataclass(frozen=True, slots=True)
class Session:
    guest: Guest
    bound: str


class SignIns:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_code(self, code_hash: str, guest: Guest, *, expires_at: datetime, now: datetime) -> None:
        """What has expired goes, so that the table stays small."""
        self._connection.execute(delete(_codes).where(or_(_codes.c.expires_at <= now, _codes.c.used_at.isnot(None))))
        self._connection.execute(
            insert(_codes).values(code_hash=code_hash, role=guest.role, by=guest.by, expires_at=expires_at)
        )

    def use_code(self, code_hash: str, *, now: datetime) -> Guest | None:
        """Once: of two who come with one code, the second gets None."""
        used = self._connection.execute(
            update(_codes)
            .where(_codes.c.code_hash == code_hash, _codes.c.used_at.is_(None), _codes.c.expires_at > now)
            .values(used_at=now)
        )
        if used.rowcount != 1:
            return None
        row = self._connection.execute(select(_codes).where(_codes.c.code_hash == code_hash)).one()
        return Guest(row.role, row.by)

    def add_session(self, session_hash: str, guest: Guest, *, bound: str, expires_at: datetime, now: datetime) -> None:
        self._connection.execute(delete(_sessions).where(_sessions.c.expires_at <= now))
        self._connection.execute(
            insert(_sessions).values(
                session_hash=session_hash, role=guest.role, by=guest.by, bound=bound, expires_at=expires_at
            )
        )

    def session(self, session_hash: str, *, now: datetime) -> Session | None:
        query = select(_sessions).where(_sessions.c.session_hash == session_hash, _sessions.c.expires_at > now)
        row = self._connection.execute(query).first()
        return Session(Guest(row.role, row.by), row.bound) if row else None

    def end_session(self, session_hash: str) -> None:
        self._connection.execute(delete(_sessions).where(_sessions.c.session_hash == session_hash))
