"""Alerts, what happened to them, and silences."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, true, union_all, update

from flowy_watch.core.alert import Alert, Change, Shown, Status, Transition
from flowy_watch.core.silence import Silence
from flowy_watch.store.codec import dump_finding, dump_stop, dump_wobble, load_finding, load_stop, load_wobble
from flowy_watch.store.tables import AlertRow, AuditRow, SilenceRow, TransitionRow

_alerts = AlertRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_transitions = TransitionRow.__table__  # type: ignore[attr-defined]
_silences = SilenceRow.__table__  # type: ignore[attr-defined]
_audit = AuditRow.__table__  # type: ignore[attr-defined]


class Alerts:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def unresolved(self) -> list[Alert]:
        return self._load(_alerts.c.status != Status.RESOLVED.value)

    def all(self, most: int = 1000) -> list[Alert]:
        """Newest first."""
        rows = self._connection.execute(select(_alerts).order_by(_alerts.c.id.desc()).limit(most))
        return [read_alert(row) for row in rows]

    def get(self, alert_id: int) -> Alert | None:
        return next(iter(self._load(_alerts.c.id == alert_id)), None)

    def ended_since(self, since: datetime) -> list[Alert]:
        """Alerts that ended by themselves after `since`, the latest of each fingerprint last."""
        by_hand = select(_transitions.c.id).where(
            _transitions.c.alert_id == _alerts.c.id,
            _transitions.c.at == _alerts.c.resolved_at,
            _transitions.c.by != "",
        )
        return self._load(and_(_alerts.c.resolved_at > since, ~by_hand.exists()))

    def _load(self, condition: Any) -> list[Alert]:
        return [
            read_alert(row) for row in self._connection.execute(select(_alerts).where(condition).order_by(_alerts.c.id))
        ]

    def record(self, transitions: Iterable[Transition]) -> list[Transition]:
        """Store what happened, and return it with the ids that opened alerts were given."""
        transitions = list(transitions)
        opened = [t for t in transitions if not t.alert.id]
        ids: list[int] = []
        if opened:
            statement = insert(_alerts).returning(_alerts.c.id, sort_by_parameter_order=True)
            ids = list(self._connection.execute(statement, [_row(t.alert) for t in opened]).scalars())
        numbers = iter(ids)
        recorded = [t if t.alert.id else replace(t, alert=replace(t.alert, id=next(numbers))) for t in transitions]
        self.update(t.alert for t in transitions if t.alert.id)
        if recorded:
            self._connection.execute(insert(_transitions), [_transition_row(t) for t in recorded])
        return recorded

    def update(self, alerts: Iterable[Alert]) -> None:
        rows = [{"_id": alert.id, **_row(alert)} for alert in alerts]
        if rows:
            self._connection.execute(update(_alerts).where(_alerts.c.id == bindparam("_id")), rows)

    def settle(self, alerts: Iterable[Alert]) -> None:
        """Remember what was told of these alerts and what holds them back; the rest of them stays as it is."""
        rows = [{"_id": alert.id, **_told(alert)} for alert in alerts]
        if rows:
            self._connection.execute(update(_alerts).where(_alerts.c.id == bindparam("_id")), rows)

    def story(self, alert_id: int) -> list[Row[Any]]:
        """Everything that happened to one alert, oldest first."""
        query = select(_transitions).where(_transitions.c.alert_id == alert_id).order_by(_transitions.c.id)
        return list(self._connection.execute(query))

    def dismissals(self, since: datetime) -> dict[str, int]:
        """How many alerts of each key were called no anomaly, by key id."""
        query = (
            select(_alerts.c.key_id, func.count())
            .join(_transitions, _transitions.c.alert_id == _alerts.c.id)
            .where(
                _transitions.c.change == Change.DISMISSED.value, _transitions.c.at > since, _alerts.c.key_id.isnot(None)
            )
            .group_by(_alerts.c.key_id)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    # ── silences ─────────────────────────────────────────────────────────────────────────────────────────────────

    def silences(self, at: datetime) -> list[Silence]:
        """Those in force at `at`, oldest first."""
        rows = self._connection.execute(select(_silences).where(_silences.c.until > at).order_by(_silences.c.id))
        return [silence for row in rows if (silence := read_silence(row)).active(at)]

    def add_silence(self, silence: Silence) -> Silence:
        row = self._connection.execute(
            insert(_silences).values(
                pattern=silence.pattern,
                kind=silence.kind,
                until=silence.until,
                created_at=silence.created_at,
                why=silence.why,
                by=silence.by,
                expected=silence.expected,
                at_most_microcredits=silence.credits_at_most,
            )
        )
        assert row.inserted_primary_key is not None  # an insert of one row has one
        made = replace(silence, id=int(row.inserted_primary_key[0]))
        act = "expected" if made.expected else "silenced"
        self._log(made.created_at, act, made.id, made.scope, made.by, made.why)
        return made

    def end_silence(self, silence_id: int, *, at: datetime, by: str, why: str = "") -> bool:
        """False when there is no such silence in force."""
        ended = self._connection.execute(
            update(_silences)
            .where(_silences.c.id == silence_id, _silences.c.until > at, _silences.c.ended_at.is_(None))
            .values(ended_at=at, ended_by=by)
        )
        if ended.rowcount == 1:
            self._log(at, "unsilenced", silence_id, f"silence {silence_id}", by, why)
        return ended.rowcount == 1

    # ── the log of what people did ───────────────────────────────────────────────────────────────────────────────

    def _log(self, at: datetime, act: str, silence_id: int, words: str, by: str, why: str) -> None:
        row = {"at": at, "act": act, "silence_id": silence_id, "words": words, "by": by, "why": why}
        self._connection.execute(insert(_audit).values(**row))

    def log_block(self, at: datetime, act: str, key_id: str, words: str, by: str, why: str) -> None:
        """`act` is `blocked` or `unblocked`."""
        row = {"at": at, "act": act, "key_id": key_id, "words": words, "by": by, "why": why}
        self._connection.execute(insert(_audit).values(**row))

    def acts(self, most: int = 50) -> list[Row[Any]]:
        """What people did lately, silences and alerts alike, newest first."""
        silences = select(_audit.c.at, _audit.c.act, _audit.c.words, _audit.c.by, _audit.c.why)
        alerts = select(
            _transitions.c.at, _transitions.c.change, _transitions.c.title, _transitions.c.by, _transitions.c.why
        ).where(_transitions.c.by != "")
        both = union_all(silences, alerts).subquery()
        return list(self._connection.execute(select(both).order_by(both.c.at.desc()).limit(most)))

    def acts_about(self, alert: Alert) -> list[Row[Any]]:
        """While an alert lived: silences about its key and kind, made and ended, and blocks of its key, by whom."""
        rows = self._connection.execute(
            select(_silences).where(
                _silences.c.until >= alert.opened_at,
                true() if alert.resolved_at is None else _silences.c.created_at <= alert.resolved_at,
                or_(_silences.c.ended_at.is_(None), _silences.c.ended_at >= alert.opened_at),
            )
        )
        about = [row.id for row in rows if read_silence(row).concerns(alert)]
        until = true() if alert.resolved_at is None else _audit.c.at <= alert.resolved_at
        of_key = and_(_audit.c.key_id == (alert.finding.key_id or ""), _audit.c.key_id != "")
        blocks = and_(of_key, _audit.c.at >= alert.opened_at, until)
        query = select(_audit).where(or_(_audit.c.silence_id.in_(about), blocks)).order_by(_audit.c.id)
        return list(self._connection.execute(query))


def _row(alert: Alert) -> dict[str, Any]:
    finding = alert.finding
    return {
        "fingerprint": finding.fingerprint,
        "kind": finding.kind,
        "key_id": finding.key_id,
        "key_name": finding.key_name,
        "severity": finding.severity.word,
        "status": alert.status.value,
        "level": alert.level,
        "title": finding.title,
        "opened_at": alert.opened_at,
        "last_seen_at": alert.last_seen_at,
        "resolved_at": alert.resolved_at,
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_until": alert.acknowledged_until,
        "finding": dump_finding(finding),
        **_told(alert),
    }


def _told(alert: Alert) -> dict[str, Any]:
    shown = alert.shown
    return {
        "told_level": alert.told_level,
        "told_at": alert.told_at,
        "shown_at": shown.at if shown else None,
        "shown_title": shown.title if shown else "",
        "shown_spent_microcredits": shown.spent if shown else None,
        "held_by": alert.held_by,
        "began_at": alert.began_at,
        "stop": dump_stop(alert.stop),
        "wobble": dump_wobble(alert.wobble),
    }


def read_alert(row: Row[Any]) -> Alert:
    return Alert(
        id=row.id,
        finding=load_finding(row.finding),
        status=Status(row.status),
        level=row.level,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        resolved_at=row.resolved_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_until=row.acknowledged_until,
        told_level=row.told_level,
        told_at=row.told_at,
        shown=Shown(row.shown_at, row.shown_title, row.shown_spent_microcredits) if row.shown_at else None,
        held_by=row.held_by,
        began_at=row.began_at,
        stop=load_stop(row.stop),
        wobble=load_wobble(row.wobble),
    )


def _transition_row(transition: Transition) -> dict[str, Any]:
    finding = transition.alert.finding
    return {
        "alert_id": transition.alert.id,
        "at": transition.at,
        "change": transition.change.value,
        "severity": finding.severity.word,
        "level": transition.alert.level,
        "title": finding.title,
        "by": transition.by,
        "why": transition.why,
    }


def read_silence(row: Row[Any]) -> Silence:
    return Silence(
        row.id,
        row.pattern,
        row.until,
        row.created_at,
        row.kind,
        row.why,
        row.by,
        row.ended_at,
        row.expected,
        row.at_most_microcredits,
    )
