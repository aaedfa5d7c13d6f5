"""What became of the alerts that opened in a period."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from flowy_watch.core.alert import Change, Status
from flowy_watch.core.digest import AlertFigures, Outcome
from flowy_watch.core.period import Period
from flowy_watch.core.stop import Stop
from flowy_watch.store.codec import load_finding, load_stop
from flowy_watch.store.outbox import SENT
from flowy_watch.store.tables import AlertRow, OutboxRow, TransitionRow

_alerts = AlertRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_outbox = OutboxRow.__table__  # type: ignore[attr-defined]
_transitions = TransitionRow.__table__  # type: ignore[attr-defined]

_OUTCOMES = {
    Change.STOPPED: Outcome.STOPPED,
    Change.DISMISSED: Outcome.FALSE,
    Change.EXPECTED: Outcome.EXPECTED,
    Change.STOP_REPORTED: Outcome.CONFIRMED,
    Change.ACKNOWLEDGED: Outcome.CONFIRMED,
    Change.SILENCED: Outcome.CONFIRMED,
}
"""What people said, the first that happened in this order."""


def alerts_opened(connection: Connection, period: Period) -> list[AlertFigures]:
    """Oldest first, each with what was made of it until now."""
    within = (_alerts.c.opened_at >= period.start_at, _alerts.c.opened_at < period.end_at)
    rows = connection.execute(select(_alerts).where(*within).order_by(_alerts.c.opened_at, _alerts.c.id)).all()
    happened: dict[int, list[Row[Any]]] = {}
    opened = select(_alerts.c.id).where(*within)
    query = select(_transitions).where(_transitions.c.alert_id.in_(opened)).order_by(_transitions.c.id)
    for step in connection.execute(query):
        happened.setdefault(step.alert_id, []).append(step)
    sent = and_(_outbox.c.alert_id.in_(opened), _outbox.c.sent_at.isnot(None), _outbox.c.status == SENT)
    first_told = select(_outbox.c.alert_id, func.min(_outbox.c.sent_at)).where(sent).group_by(_outbox.c.alert_id)
    told = {row[0]: row[1] for row in connection.execute(first_told)}
    return [_figures(row, happened.get(row.id, []), told.get(row.id)) for row in rows]


def _figures(row: Row[Any], steps: list[Row[Any]], told_at: datetime | None) -> AlertFigures:
    changes = {step.change for step in steps}
    ended = Outcome.OVER if row.status == Status.RESOLVED.value else Outcome.OPEN
    outcome = next((said for change, said in _OUTCOMES.items() if change.value in changes), ended)
    stop, facts = _stop(row.stop), _facts(row.finding)
    holds = stop is not None and stop.holds
    if outcome is Outcome.STOPPED and not holds:
        outcome = Outcome.CONFIRMED  # it was used again
    toll = stop.toll if stop and holds else None
    quiet_since = stop.quiet_since if stop and holds else None
    return AlertFigures(
        row.id,
        row.kind,
        row.severity,
        row.title,
        row.opened_at,
        outcome,
        row.key_id or "",
        row.key_name,
        detected_after=_since(row.began_at, told_at),
        stopped_after=toll.stopped_after if toll else _since(row.opened_at, quiet_since),
        cost=toll.loss if toll else None,
        before=facts.get("before", ""),
        after=facts.get("after", ""),
    )


def _since(began_at: datetime | None, at: datetime | None) -> timedelta | None:
    return None if began_at is None or at is None else max(at - began_at, timedelta(0))


def _stop(text: str) -> Stop | None:
    try:
        return load_stop(text)
    except ValueError:  # of another version
        return None


def _facts(text: str) -> dict[str, str]:
    try:
        return load_finding(text).facts
    except ValueError:  # of another version: the row's columns say enough
        return {}
