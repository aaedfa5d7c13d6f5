"""What became of the alerts that opened in a period."""

from typing import Any

from sqlalchemy import Connection, Row, select

from flowy_watch.core.alert import Change, Status
from flowy_watch.core.digest import AlertFigures, Outcome
from flowy_watch.core.finding import Finding
from flowy_watch.core.period import Period
from flowy_watch.store.codec import load_finding
from flowy_watch.store.tables import AlertRow, TransitionRow

_alerts = AlertRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_transitions = TransitionRow.__table__  # type: ignore[attr-defined]

_OUTCOMES = {
    Change.STOPPED: Outcome.STOPPED,
    Change.DISMISSED: Outcome.FALSE,
    Change.EXPECTED: Outcome.EXPECTED,
    Change.ACKNOWLEDGED: Outcome.CONFIRMED,
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
    return [_figures(row, happened.get(row.id, [])) for row in rows]


def _figures(row: Row[Any], steps: list[Row[Any]]) -> AlertFigures:
    changes = {step.change for step in steps}
    ended = Outcome.OVER if row.status == Status.RESOLVED.value else Outcome.OPEN
    outcome = next((said for change, said in _OUTCOMES.items() if change.value in changes), ended)
    stopped_at = next((step.at for step in steps if step.change == Change.STOPPED.value), None)
    facts = _facts(row.finding)
    return AlertFigures(
        row.id,
        row.kind,
        row.severity,
        row.title,
        row.opened_at,
        outcome,
        row.key_id or "",
        row.key_name,
        stopped_after=None if stopped_at is None else stopped_at - row.opened_at,
        before=facts.get("before", ""),
        after=facts.get("after", ""),
    )


def _facts(text: str) -> dict[str, str]:
    finding = _finding(text)
    return finding.facts if finding else {}


def _finding(text: str) -> Finding | None:
    try:
        return load_finding(text)
    except ValueError:  # of another version: its columns say enough
        return None
