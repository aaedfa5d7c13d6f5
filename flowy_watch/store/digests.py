"""Which digests are due and which were made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from flowy_watch.core.digest import Facts
from flowy_watch.core.edition import Edition
from flowy_watch.core.period import Period, Span
from flowy_watch.store.figures import Figures
from flowy_watch.store.tables import DigestRow

_digests = DigestRow.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy


class Made(StrEnum):
    """What became of a digest that was due."""

    SENT = "sent"  # it is in the outbox, from where it is delivered
    EMPTY = "empty"  # nothing was to be said, and people want no mail about that
    SKIPPED = "skipped"  # of a time long past, or before the watch began


@dataclass(frozen=True, slots=True)
class Planned:
    """The digest that an edition makes next, or one that it made."""

    id: int
    edition: Edition
    period: Period
    planned_at: datetime
    due_at: datetime
    done_at: datetime | None = None


class Digests:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.figures = Figures(connection)

    def facts(self, period: Period, *, earlier: int) -> Facts:
        return self.figures.facts(period, earlier=earlier)

    def next(self, edition: Edition) -> Planned | None:
        """What is planned for an edition; None when it has no plan yet."""
        waiting = and_(_of(edition), _digests.c.span == edition.span.value, _digests.c.done_at.is_(None))
        row = self._connection.execute(select(_digests).where(waiting).order_by(_digests.c.due_at).limit(1)).first()
        return None if row is None else _planned(row)

    def of(self, edition: Edition, period: Period) -> Planned | None:
        row = self._connection.execute(select(_digests).where(_of(edition), _digests.c.period == period.name)).first()
        return None if row is None else _planned(row)

    def plan(self, edition: Edition, period: Period, planned_at: datetime) -> None:
        """Put it on the calendar, unless it is there already: made by hand before its time, for one."""
        if self.of(edition, period) is None:
            self._add(edition, period, planned_at)

    def _add(self, edition: Edition, period: Period, planned_at: datetime, **more: Any) -> None:
        about = {"channel": edition.channel, "recipient": edition.recipient, "owner": edition.owner}
        times = {"planned_at": planned_at, "due_at": planned_at, "outcome": ""}
        self._connection.execute(
            insert(_digests).values(**about, span=period.span.value, period=period.name, **(times | more))
        )

    def move(self, planned: Planned, planned_at: datetime) -> None:
        """People want to read it at another time than it was planned for."""
        values = {"planned_at": planned_at, "due_at": planned_at}
        self._connection.execute(update(_digests).where(_digests.c.id == planned.id).values(**values))

    def look_again(self, planned: Planned, at: datetime) -> None:
        self._connection.execute(update(_digests).where(_digests.c.id == planned.id).values(due_at=at))

    def done(self, edition: Edition, period: Period, made: Made, *, at: datetime) -> None:
        """This period needs no digest any more, whether it was planned or not."""
        found = self.of(edition, period)
        if found is None:
            self._add(edition, period, at, done_at=at, outcome=made.value)
        else:
            values = {"done_at": at, "outcome": made.value}
            self._connection.execute(update(_digests).where(_digests.c.id == found.id).values(**values))

    def outcomes(self) -> Iterable[tuple[Planned, str]]:
        """Everything that was planned or made, oldest first."""
        for row in self._connection.execute(select(_digests).order_by(_digests.c.id)):
            yield _planned(row), row.outcome


def _of(edition: Edition) -> Any:
    return and_(
        _digests.c.channel == edition.channel,
        _digests.c.recipient == edition.recipient,
        _digests.c.owner == edition.owner,
    )


def _planned(row: Row[Any]) -> Planned:
    edition = Edition(row.channel, row.recipient, row.owner, Span(row.span))
    return Planned(row.id, edition, Period.parse(row.period), row.planned_at, row.due_at, row.done_at)
