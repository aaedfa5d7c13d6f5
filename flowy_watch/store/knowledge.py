"""What is known beside the figures themselves: where they come from, how requests were answered, what failed."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Row, exists, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from flowy_watch.core.provenance import Provenance
from flowy_watch.core.usage import Answers, Trouble
from flowy_watch.core.workspace import StandingTrouble
from flowy_watch.store.tables import DailyAnswers, Key, Poll, ProvenanceRow
from flowy_watch.store.tables import Trouble as TroubleRow

_keys = Key.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_provenances = ProvenanceRow.__table__  # type: ignore[attr-defined]
_polls = Poll.__table__  # type: ignore[attr-defined]
_troubles = TroubleRow.__table__  # type: ignore[attr-defined]
_answers = DailyAnswers.__table__  # type: ignore[attr-defined]

_PROVENANCE = TypeAdapter(Provenance)


class Knowledge:
    """One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        self._upsert = dialect.insert

    def provenances(self) -> dict[str, Provenance]:
        """By key id; of keys that were read from one exact source alone there is nothing to say."""
        rows = self._connection.execute(
            select(_keys.c.key_id, _provenances.c.provenance).join(_keys, _keys.c.key_no == _provenances.c.key_no)
        )
        return {row[0]: found for row in rows if (found := _read(row[1]))}

    def provenance(self, key_id: str) -> Provenance | None:
        query = select(_provenances.c.provenance).join(_keys, _keys.c.key_no == _provenances.c.key_no)
        text = self._connection.execute(query.where(_keys.c.key_id == key_id)).scalar()
        return None if text is None else _read(text)

    def note_provenances(self, changed: Mapping[str, Provenance], numbers: Mapping[str, int]) -> None:
        rows = [
            {"key_no": numbers[key_id], "provenance": _PROVENANCE.dump_json(provenance).decode()}
            for key_id, provenance in changed.items()
            if key_id in numbers
        ]
        if rows:
            statement = self._upsert(_provenances)
            new = {"provenance": statement.excluded.provenance}
            self._connection.execute(statement.on_conflict_do_update(index_elements=["key_no"], set_=new), rows)

    def note_answers(self, day: date, answers: Mapping[str, Answers], numbers: Mapping[str, int]) -> None:
        """The counts of a UTC day so far, in place of those of an earlier poll."""
        rows = [
            {
                "day": day,
                "key_no": numbers[key_id],
                "refused": one.refused,
                "capped": one.capped,
                "throttled": one.throttled,
                "unpriced": one.unpriced,
            }
            for key_id, one in answers.items()
            if key_id in numbers
        ]
        if rows:
            statement = self._upsert(_answers)
            names = ("refused", "capped", "throttled", "unpriced")
            new = {name: statement.excluded[name] for name in names}
            self._connection.execute(statement.on_conflict_do_update(index_elements=["day", "key_no"], set_=new), rows)

    def answers(self, days: Iterable[date]) -> list[Row[Any]]:
        """Key id, day and counts."""
        query = select(_keys.c.key_id, _answers).join(_keys, _keys.c.key_no == _answers.c.key_no)
        return list(self._connection.execute(query.where(_answers.c.day.in_(list(days))).order_by(_answers.c.day)))

    def answers_of(self, key_no: int, since: date) -> list[Row[Any]]:
        """One key's days and counts, the newest first."""
        query = select(_answers).where(_answers.c.day >= since, _answers.c.key_no == key_no)
        return [*self._connection.execute(query.order_by(_answers.c.day.desc()))]

    def note_troubles(self, poll_id: int, troubles: Iterable[Trouble]) -> None:
        rows = [
            {"poll_id": poll_id, "source": one.source, "reason": one.reason, "refused": one.refused} for one in troubles
        ]
        if rows:
            self._connection.execute(insert(_troubles), rows)

    def standing_troubles(self, troubles: Iterable[Trouble]) -> tuple[StandingTrouble, ...]:
        """Of the poll that was recorded last: since when, and for how many live polls in a row."""
        found = []
        for one in troubles:
            failed = exists().where(_troubles.c.poll_id == _polls.c.id, _troubles.c.source == one.source)
            good = select(func.max(_polls.c.id)).where(_polls.c.kind == "live", ~failed).scalar_subquery()
            since = select(func.count(), func.min(_polls.c.taken_at)).where(
                _polls.c.kind == "live", _polls.c.id > func.coalesce(good, 0)
            )
            polls, first = self._connection.execute(since).one()
            found.append(StandingTrouble(one, polls, first))
        return tuple(found)


def _read(text: str) -> Provenance | None:
    try:
        return _PROVENANCE.validate_json(text)
    except ValidationError:
        return None  # of a newer version: the next poll says it anew
