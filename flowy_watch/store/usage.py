"""Polls, snapshots, daily snapshots, balances, and the watch that is made of them.

Longer than other files: they are written and read by the same few statements, and a split would cut those in two.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from flowy_watch.core.baseline import Baseline
from flowy_watch.core.history import History
from flowy_watch.core.usage import Columns, KeyStatus, Microcredits, Reading, Snapshot
from flowy_watch.core.watch import Watch
from flowy_watch.core.workspace import Health, WorkspaceHistory
from flowy_watch.store.bulk import insert_rows
from flowy_watch.store.days import FIGURES, Days, Listed, beside, days_now
from flowy_watch.store.tables import Balance, DailySnapshot, HistoryState, Key, Poll, SnapshotRow

GOOD, PARTIAL, FAILED = "good", "partial", "failed"
LIVE, IMPORTED = "live", "import"

_polls = Poll.__table__  # type: ignore[attr-defined]  # SQLModel sets it, without telling mypy
_keys = Key.__table__  # type: ignore[attr-defined]
_snapshots = SnapshotRow.__table__  # type: ignore[attr-defined]
_days = DailySnapshot.__table__  # type: ignore[attr-defined]
_balances = Balance.__table__  # type: ignore[attr-defined]
_states = HistoryState.__table__  # type: ignore[attr-defined]

_STATUSES = {status.value: status for status in KeyStatus}
_WORDS = {status: word for word, status in _STATUSES.items()}
_WORKSPACE_NO = 0
_STRETCH_POLLS = 1000  # of a stretch at most, however few keys they listed


class Usage:
    """What was read, and when reading failed. One instance per transaction; never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        self._upsert = dialect.insert
        self._days = Days(connection)

    def add_poll(
        self,
        at: datetime,
        outcome: str,
        *,
        kind: str = LIVE,
        reason: str = "",
        refused: bool = False,
        keys: int = 0,
        skipped: int = 0,
        clock_offset: timedelta | None = None,
    ) -> int:
        row = self._connection.execute(
            insert(_polls).values(
                kind=kind,
                taken_at=at,
                outcome=outcome,
                reason=reason,
                refused=refused,
                keys=keys,
                skipped=skipped,
                clock_offset_seconds=None if clock_offset is None else clock_offset.total_seconds(),
            )
        )
        assert row.inserted_primary_key is not None  # an insert of one row has one
        return int(row.inserted_primary_key[0])

    def add_snapshots(
        self, poll_id: int, reading: Reading, numbers: dict[str, int], after: Listed | None = None
    ) -> None:
        """Store one reading. `numbers` maps key ids to key numbers and learns the new ones.

        With `after`, which is brought up to this poll, daily snapshots may be written later: see `Days`.
        """
        self._number(reading, numbers)
        if reading.snapshots:
            key_nos, columns = _in_order(reading, numbers)
            insert_rows(
                self._connection,
                _snapshots,
                {
                    "poll_id": [poll_id] * len(key_nos),
                    "key_no": key_nos,
                    "spent_microcredits": columns.spent,
                    "daily_cap_microcredits": columns.daily_cap,
                    "last_used_at": columns.last_used_at,
                    "status": list(map(_WORDS.__getitem__, columns.status)),
                    "rate_limit_per_minute": columns.rate_limit,
                },
            )
            unknown = [number for number, spent in zip(key_nos, columns.spent, strict=True) if spent is None]
            self._days.add(poll_id, reading.taken_at, key_nos, after, unknown)
        if reading.balance is not None:
            self.add_balance(reading.taken_at, reading.balance)

    def add_balance(self, at: datetime, balance: Microcredits) -> None:
        statement = self._upsert(_balances).values(taken_at=at, balance_microcredits=balance)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["taken_at"], set_={"balance_microcredits": statement.excluded.balance_microcredits}
            )
        )

    def _number(self, reading: Reading, numbers: dict[str, int]) -> None:
        if all(map(numbers.__contains__, reading.columns.key_id)):
            return
        new = [s for s in reading.snapshots if s.key_id not in numbers]
        self._connection.execute(
            self._upsert(_keys).on_conflict_do_nothing(index_elements=["key_id"]),
            [
                {
                    "key_id": s.key_id,
                    "name": s.name,
                    "last_four": s.last_four,
                    "created_at": s.created_at,
                    "first_seen_at": s.taken_at,
                }
                for s in new
            ],
        )
        numbers.update(self.numbers())

    def numbers(self) -> dict[str, int]:
        rows = self._connection.execute(select(_keys.c.key_id, _keys.c.key_no))
        return {row[0]: row[1] for row in rows}

    def rename(self, changed: Iterable[Snapshot]) -> None:
        rows = [{"id": s.key_id, "to": s.name, "four": s.last_four} for s in changed]
        if rows:
            statement = update(_keys).where(_keys.c.key_id == bindparam("id"))
            self._connection.execute(statement.values(name=bindparam("to"), last_four=bindparam("four")), rows)

    def last_poll_id(self) -> int:
        return self._connection.execute(select(func.max(_polls.c.id))).scalar() or 0

    def keys_at(self, at: datetime) -> frozenset[str]:
        """Of which keys a poll of exactly this instant is stored; how an import knows what it already has."""
        query = (
            select(_keys.c.key_id)
            .join_from(_polls, _snapshots, _snapshots.c.poll_id == _polls.c.id)
            .join(_keys, _keys.c.key_no == _snapshots.c.key_no)
            .where(_polls.c.taken_at == at, _polls.c.outcome != FAILED)
        )
        return frozenset(self._connection.execute(query).scalars())

    def latest_first_seen(self) -> datetime | None:
        """When the youngest key was first seen; None before there is one."""
        found: datetime | None = self._connection.execute(select(func.max(_keys.c.first_seen_at))).scalar()
        return found

    def seen_earlier(self, poll_id: int, at: datetime) -> None:
        """The keys of an imported poll were there by then, whenever a live poll first listed them."""
        listed = select(_snapshots.c.key_no).where(_snapshots.c.poll_id == poll_id)
        older = and_(_keys.c.first_seen_at > at, _keys.c.key_no.in_(listed))
        self._connection.execute(update(_keys).where(older).values(first_seen_at=at))

    def health(self, *, tolerance: timedelta) -> Health:
        """How the last live polls went, by the rows of this transaction too."""
        live = select(_polls).where(_polls.c.kind == LIVE)
        last = self._connection.execute(live.order_by(_polls.c.id.desc()).limit(1)).first()
        if last is None:
            return Health(good=True)
        good, failures, first = (last, 0, None) if last.outcome == GOOD else self._since_good()
        offset = None if last.clock_offset_seconds is None else timedelta(seconds=last.clock_offset_seconds)
        return Health(
            good=last.outcome == GOOD,
            failures=failures,
            last_good_at=good.taken_at if good else None,
            first_failure_at=first,
            reason=last.reason,
            refused=last.refused,
            clock_offset=offset,
            skewed=self._skewed(tolerance),
        )

    def _since_good(self) -> tuple[Row[Any] | None, int, datetime | None]:
        """The last good live poll, how many came after it, and when the first of those was."""
        good_ones = select(_polls).where(_polls.c.kind == LIVE, _polls.c.outcome == GOOD)
        good = self._connection.execute(good_ones.order_by(_polls.c.id.desc()).limit(1)).first()
        since = and_(_polls.c.kind == LIVE, _polls.c.id > (good.id if good else 0))
        count, first = self._connection.execute(select(func.count(), func.min(_polls.c.taken_at)).where(since)).one()
        return good, count, first

    def _skewed(self, tolerance: timedelta) -> int:
        recent = self._connection.execute(
            select(_polls.c.clock_offset_seconds)
            .where(_polls.c.kind == LIVE, _polls.c.outcome != FAILED)
            .order_by(_polls.c.id.desc())
            .limit(20)
        ).scalars()
        count = 0
        for offset in recent:
            if offset is None or abs(offset) <= tolerance.total_seconds():
                break
            count += 1
        return count

    # ── the watch ────────────────────────────────────────────────────────────────────────────────────────────────

    def load_watch(self) -> Watch:
        """Everything known, as it stood after the last poll: the saved states, and the polls since replayed."""
        watch = self.load_states()
        for reading in self.readings(since=watch.taken_at):
            watch.add(reading)
        watch.listed_before = self.listed_live()
        return watch

    def listed_live(self) -> bool:
        """Whether a live poll ever listed the whole workspace."""
        good = select(_polls.c.id).where(_polls.c.kind == LIVE, _polls.c.outcome == GOOD)
        return self._connection.execute(good.limit(1)).first() is not None

    def load_states(self) -> Watch:
        """The watch as it was last saved, at `taken_at`; an empty one where nothing is, or another version saved it."""
        watch, as_of = Watch(), None
        try:
            for key_no, state, baseline, saved_at in self._connection.execute(
                select(_states.c.key_no, _states.c.state, _states.c.baseline, _states.c.as_of)
            ):
                if key_no == _WORKSPACE_NO:
                    watch.workspace, as_of = WorkspaceHistory.load(orjson.loads(state)), saved_at
                else:
                    history = History.load(orjson.loads(state), Baseline.unpack(baseline))
                    watch.histories[history.latest.key_id] = history
        except (ValueError, KeyError, TypeError):
            return Watch()
        if as_of is None:
            return Watch()
        watch.taken_at = as_of
        return watch

    def stretch_end(self, since: datetime | None, most: int) -> datetime | None:
        """The instant up to which about so many snapshots were stored after `since`; None when it is not so many."""
        stored = select(_polls.c.taken_at, _polls.c["keys"]).where(*_stored_after(since))
        at: datetime
        found = 0
        for at, keys in self._connection.execute(stored.order_by(_polls.c.taken_at).limit(_STRETCH_POLLS)):
            found += max(keys, most // _STRETCH_POLLS)
            if found >= most:
                return at
        return None

    def polls_after(self, at: datetime) -> int:
        query = select(func.count()).select_from(_polls).where(*_stored_after(at))
        return self._connection.execute(query).scalar() or 0

    def save_states(self, watch: Watch, numbers: dict[str, int]) -> None:
        """Save where every history stands; the next start replays from here."""
        if watch.taken_at is None:
            return
        rows = [
            {
                "key_no": numbers[key_id],
                "as_of": watch.taken_at,
                "state": orjson.dumps(history.dump()).decode(),
                "baseline": history.baseline.pack(),
            }
            for key_id, history in watch.histories.items()
        ]
        rows.append(
            {
                "key_no": _WORKSPACE_NO,
                "as_of": watch.taken_at,
                "state": orjson.dumps(watch.workspace.dump()).decode(),
                "baseline": b"",
            }
        )
        statement = self._upsert(_states)
        saved = {name: statement.excluded[name] for name in ("as_of", "state", "baseline")}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["key_no"], set_=saved), rows)

    def forget_states(self, before: datetime) -> None:
        """After an import of polls from `before` on: states that have seen later ones are made again by a replay."""
        self._connection.execute(delete(_states).where(_states.c.as_of >= before))

    def readings(
        self, since: datetime | None = None, key_ids: Iterable[str] = (), *, until: datetime | None = None
    ) -> Iterator[Reading]:
        """Stored polls after `since` and up to `until`, oldest first, as the readings they were."""
        query = (
            select(
                _polls.c.taken_at,
                _keys.c.key_id,
                _keys.c.name,
                _snapshots.c.spent_microcredits,
                _snapshots.c.last_used_at,
                _snapshots.c.daily_cap_microcredits,
                _snapshots.c.status,
                _snapshots.c.rate_limit_per_minute,
                _keys.c.created_at,
                _keys.c.last_four,
                _balances.c.balance_microcredits,
            )
            .join_from(_polls, _snapshots, _snapshots.c.poll_id == _polls.c.id)
            .join(_keys, _keys.c.key_no == _snapshots.c.key_no)
            .outerjoin(_balances, _balances.c.taken_at == _polls.c.taken_at)
            .order_by(_polls.c.taken_at, _polls.c.id, _snapshots.c.key_no)
        )
        if since is not None:
            query = query.where(_polls.c.taken_at > since)
        if until is not None:
            query = query.where(_polls.c.taken_at <= until)
        if ids := list(key_ids):
            query = query.where(_keys.c.key_id.in_(ids))
        rows = self._connection.execution_options(yield_per=1000).execute(query)
        for at, group in groupby(rows, key=lambda row: row[0]):
            found = list(group)
            snapshots = {row[1]: _snapshot(row, at) for row in found}  # an import may repeat a live poll's instant
            yield Reading(at, tuple(snapshots.values()), balance=found[0][10])

    def count(self) -> dict[str, int]:
        """Rows by table, for `db info`."""
        tables = (_keys, _polls, _snapshots, _days, _balances)
        return {t.name: self._connection.execute(select(func.count()).select_from(t)).scalar() or 0 for t in tables}

    def last_polls(self, most: int) -> list[Row[Any]]:
        query = select(_polls).where(_polls.c.kind == LIVE).order_by(_polls.c.id.desc()).limit(most)
        return list(self._connection.execute(query))

    def keys_today(self, day: Any) -> list[Row[Any]]:
        """Every key with its figures of one UTC day, most spent first; None where that day has not seen it."""
        query = select(_keys, *FIGURES.values()).select_from(beside(_keys, key_no=_keys.c.key_no, day=day))
        most_spent = func.coalesce(FIGURES["spent_microcredits"], -1).desc()
        return list(self._connection.execute(query.order_by(most_spent, _keys.c.name)))

    def days_of(self, key_id: str) -> list[tuple[date, Microcredits]]:
        """One key's UTC days and what it spent on each, oldest first; those of which that is known."""
        query = select(days_now.c.day, days_now.c.spent_microcredits).join(_keys, _keys.c.key_no == days_now.c.key_no)
        rows = self._connection.execute(query.where(_keys.c.key_id == key_id).order_by(days_now.c.day))
        return [(row[0], row[1]) for row in rows if row[1] is not None]

    def spent_at(self, key_id: str, at: datetime) -> Microcredits:
        """The key's counter in the poll of exactly this instant; 0 where that is not kept any more."""
        query = (
            select(_snapshots.c.spent_microcredits)
            .join(_polls, _polls.c.id == _snapshots.c.poll_id)
            .join(_keys, _keys.c.key_no == _snapshots.c.key_no)
            .where(_polls.c.taken_at == at, _keys.c.key_id == key_id)
        )
        return int(self._connection.execute(query.limit(1)).scalar() or 0)

    def balances(self, since: datetime) -> list[tuple[datetime, Microcredits]]:
        """Oldest first."""
        query = select(_balances.c.taken_at, _balances.c.balance_microcredits).where(_balances.c.taken_at >= since)
        return [(row[0], row[1]) for row in self._connection.execute(query.order_by(_balances.c.taken_at))]

    def last_balance(self) -> Row[Any] | None:
        return self._connection.execute(select(_balances).order_by(_balances.c.taken_at.desc()).limit(1)).first()

    def daily(self) -> list[Row[Any]]:
        query = select(_keys.c.key_id, _keys.c.name, days_now).join(_keys, _keys.c.key_no == days_now.c.key_no)
        return list(self._connection.execute(query.order_by(days_now.c.day, days_now.c.key_no)))

    def prune(self, before: datetime) -> int:
        """Forget raw snapshots and polls older than `before`; daily snapshots stay for good."""
        self._days.count()
        old = select(_polls.c.id).where(_polls.c.taken_at < before)
        self._connection.execute(delete(_snapshots).where(_snapshots.c.poll_id.in_(old)))
        return int(self._connection.execute(delete(_polls).where(_polls.c.taken_at < before)).rowcount)


def _stored_after(at: datetime | None) -> Sequence[Any]:
    return (_polls.c.outcome != FAILED,) if at is None else (_polls.c.outcome != FAILED, _polls.c.taken_at > at)


def _in_order(reading: Reading, numbers: Mapping[str, int]) -> tuple[list[int], Columns]:
    """Key numbers and figures in the order of the table, so that rows only append. Most sources list them so."""
    key_nos = list(map(numbers.__getitem__, reading.columns.key_id))
    ordered = sorted(key_nos)
    if key_nos == ordered:
        return key_nos, reading.columns
    return ordered, Columns.of(sorted(reading.snapshots, key=lambda s: numbers[s.key_id]))


def _snapshot(row: Any, at: datetime) -> Snapshot:
    return Snapshot(row[1], row[2], at, row[3], row[4], row[5], _STATUSES[row[6]], row[7], row[8], row[9])
