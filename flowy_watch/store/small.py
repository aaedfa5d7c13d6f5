"""Anomalies worth too little for an alert, kept for the digest."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from flowy_watch.core.alert import LIVES, Life
from flowy_watch.core.digest import SmallFigures
from flowy_watch.core.finding import Finding
from flowy_watch.core.period import Period
from flowy_watch.core.surprise import LONGEST
from flowy_watch.core.usage import DAY
from flowy_watch.store.tables import AlertRow, SmallAnomaly

_alerts = AlertRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_small = SmallAnomaly.__table__  # type: ignore[attr-defined]

_LONGEST = timedelta(hours=LONGEST)


class SmallAnomalies:
    """One instance per transaction; never commits. An episode lives as long as its alert would."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, found: Iterable[Finding], *, alerts: Collection[str], now: datetime) -> None:
        """One row for each episode, however many polls find it; it says what the episode came to at its worst.

        `alerts` are the fingerprints of problems that have an alert: of those nothing is noted, nor of what is left
        in the windows of one that ended.
        """
        small = {one.fingerprint: one for one in found if one.small and one.fingerprint not in alerts}
        standing = self._standing(now) if small else {}
        new, again = [], []
        for fingerprint, finding in small.items():
            known = standing.get(fingerprint)
            if known is None:
                new.append(_row(finding) | {"opened_at": now, "last_seen_at": now})
            else:
                excess = finding.small.excess if finding.small else 0
                worse = _row(finding) if excess > known.excess_microcredits else _as_it_was(known)
                again.append({"_id": known.id, "last_seen_at": now, **worse})
        if new:
            ended = select(_alerts.c.fingerprint).where(_alerts.c.resolved_at > now - _LONGEST)
            told = set(self._connection.execute(ended).scalars())
            new = [row for row in new if row["fingerprint"] not in told]
        if new:
            self._connection.execute(insert(_small), new)
        if again:
            self._connection.execute(update(_small).where(_small.c.id == bindparam("_id")), again)

    def became_alerts(self, fingerprints: Collection[str], now: datetime) -> None:
        """What grew into an alert is told there, and nowhere else."""
        grown = [row.id for fingerprint, row in self._standing(now).items() if fingerprint in fingerprints]
        if grown:
            self._connection.execute(delete(_small).where(_small.c.id.in_(grown)))

    def _standing(self, now: datetime) -> dict[str, Row[Any]]:
        """Episodes that are not over, by fingerprint."""
        rows = self._connection.execute(select(_small).where(_small.c.last_seen_at > now - DAY).order_by(_small.c.id))
        return {row.fingerprint: row for row in rows if now - row.last_seen_at < LIVES.get(row.kind, Life()).quiet_for}

    def latest(self, most: int = 1000) -> list[SmallFigures]:
        """Newest first."""
        rows = self._connection.execute(select(_small).order_by(_small.c.id.desc()).limit(most))
        return [_figures(row) for row in rows]

    def prune(self, before: datetime) -> int:
        return self._connection.execute(delete(_small).where(_small.c.last_seen_at < before)).rowcount


def small_opened(connection: Connection, period: Period) -> list[SmallFigures]:
    """Those of a period, oldest first."""
    within = (_small.c.opened_at >= period.start_at, _small.c.opened_at < period.end_at)
    return [_figures(row) for row in connection.execute(select(_small).where(*within).order_by(_small.c.id))]


def _row(finding: Finding) -> dict[str, Any]:
    assert finding.small  # only those are given
    return {
        "fingerprint": finding.fingerprint,
        "kind": finding.kind,
        "key_id": finding.key_id or "",
        "key_name": finding.key_name,
        "title": finding.title,
        "excess_microcredits": finding.small.excess,
        "least_microcredits": finding.small.least,
    }


def _as_it_was(row: Row[Any]) -> dict[str, Any]:
    names = ("fingerprint", "kind", "key_id", "key_name", "title", "excess_microcredits", "least_microcredits")
    return {name: row._mapping[name] for name in names}


def _figures(row: Row[Any]) -> SmallFigures:
    return SmallFigures(
        row.kind,
        row.key_id,
        row.key_name,
        row.title,
        row.opened_at,
        row.last_seen_at,
        excess=row.excess_microcredits,
        least=row.least_microcredits,
    )
