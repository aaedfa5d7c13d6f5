"""Reads usage from an HTTP API: the usage contract we assume, mapped onto a workspace's endpoints."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import ClassVar

from flowy_watch.clock import SystemClock
from flowy_watch.core.check import Check
from flowy_watch.core.provenance import Figure, Knowledge, Sure
from flowy_watch.core.usage import Microcredits, Reading, Skipped, Snapshot, clean_name, day_of
from flowy_watch.errors import CredentialRefused, SourceError
from flowy_watch.sources.columns import KeyColumns
from flowy_watch.sources.contract import ApiOptions
from flowy_watch.sources.exchange import Call
from flowy_watch.sources.expression import ABSENT, CannotApply, reader
from flowy_watch.sources.fields import Listed, balance_to_micro
from flowy_watch.sources.pace import Deadline, TellsTime
from flowy_watch.sources.transport import Answer, Forbidden, NoAnswer, NothingThere, Transport, Wait

WORKSPACE = "workspace"
"""The id under which `Reading.skipped` names a balance that could not be had."""


class ApiSource:
    """Keeps one connection alive between pulls; `close` ends it, and cuts short a pull that waits."""

    Config = ApiOptions
    knows: ClassVar[Knowledge] = {figure: Sure.EXACT for figure in Figure if figure is not Figure.ORIGINS}

    def __init__(
        self,
        config: ApiOptions,
        clock: TellsTime | None = None,
        *,
        wait: Wait | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._transport = Transport(config, clock=self._clock, wait=wait, monotonic=monotonic)
        self._fields = KeyColumns(config.fields)
        self._items = reader(config.keys.items)
        self._next_cursor = reader(config.keys.next_cursor) if config.keys.next_cursor else None
        self._balance = reader(config.workspace.balance) if config.workspace.balance else None
        self._name = reader(config.workspace.name) if config.workspace.name else None

    def __repr__(self) -> str:
        return "ApiSource()"

    def close(self) -> None:
        self._transport.close()

    def pull(self, now: datetime) -> Reading:
        pull = _Pull(self._transport, self._clock, now)
        snapshots, skipped = self._keys(pull)
        balance, name, no_balance = self._workspace(pull)
        pull.end()
        return Reading(now, snapshots, balance, name, skipped + no_balance, pull.clock_offset())

    def check(self, now: datetime) -> Iterable[Check]:
        pull = _Pull(self._transport, self._clock, now)
        try:
            snapshots, skipped = self._keys(pull)
        except NoAnswer as error:
            yield Check("reachable", ok=False, detail=f"{error}; check source.base_url and the network")
            return
        except CredentialRefused as error:
            yield Check("reachable", ok=True)
            yield Check("credential accepted", ok=False, detail=str(error))
            return
        except SourceError as error:
            yield Check("reachable", ok=True)
            yield Check("keys listed", ok=False, detail=str(error))
            return
        yield Check("reachable", ok=True)
        yield Check("credential accepted", ok=True)
        yield _keys_listed(len(snapshots), skipped)
        try:
            balance, _, no_balance = self._workspace(pull)
            pull.end()
        except SourceError as error:
            yield Check("balance offered", ok=False, detail=str(error))
            return
        yield self._balance_offered(balance, no_balance)
        yield self._clocks_agree(pull.clock_offset())

    def _keys(self, pull: "_Pull") -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
        """Raises SourceError also when there are keys and none can be believed: then the mapping is wrong."""
        listed = self._listed(pull)
        snapshots, skipped = listed.outcome()
        if listed.items and not snapshots:
            raise SourceError(
                f"none of the {len(skipped)} keys listed can be believed; the commonest reason: {_commonest(skipped)};"
                " check source.fields"
            )
        return snapshots, skipped

    def _listed(self, pull: "_Pull") -> Listed:
        """Every item of every page, or SourceError: half a list would look like keys that vanished."""
        keys, limit = self._config.keys, self._config.page_limit
        query = {name: value.get_secret_value() for name, value in keys.query.items()}
        if keys.limit_param:
            query[keys.limit_param] = str(limit)
        listed, tolerance = Listed(), self._config.clock_tolerance
        seen: set[str] = set()
        while True:
            call = Call(keys.path, "source.keys.path", query)
            answer = pull.get(call)
            self._fields.examine(self._page(call, answer), listed, pull.now, latest=pull.time() + tolerance)
            cursor = self._cursor(call, answer)
            del answer  # so that the next page takes its place in memory, and in the processor's caches
            if not cursor:
                return listed
            if not keys.cursor_param:
                raise SourceError(f"{call} names a next page, but source.keys.cursor_param is empty")
            if cursor in seen:
                raise SourceError(f"{call} names the same next page twice: its pages never end")
            seen.add(cursor)
            if len(seen) >= self._config.max_pages:
                raise SourceError(f"{call} has more than {self._config.max_pages} pages (source.max_pages)")
            query = {**query, keys.cursor_param: cursor}

    def _page(self, call: Call, answer: Answer) -> list[object]:
        try:
            found = self._items(answer.content)
        except CannotApply:
            found = ABSENT
        if isinstance(found, list):
            return found
        got = "the answer itself is a list: set it to @" if isinstance(answer.content, list) else "no list stands there"
        raise SourceError(f"{call}: source.keys.items is {self._config.keys.items}, but {got}")

    def _cursor(self, call: Call, answer: Answer) -> str:
        """What to ask the next page with; empty on the last one."""
        if self._next_cursor is None:
            return ""
        with suppress(CannotApply):
            cursor = self._next_cursor(answer.content)
            if cursor is None or cursor is ABSENT:
                return ""
            if type(cursor) is str or type(cursor) is int:
                return str(cursor)
        raise SourceError(f"{call}: source.keys.next_cursor leads to neither text nor null")

    def _workspace(self, pull: "_Pull") -> tuple[Microcredits | None, str | None, tuple[Skipped, ...]]:
        """Balance and name. A workspace without them is no reason to stop watching its keys."""
        options = self._config.workspace
        if not options.path or not (self._balance or self._name):
            return None, None, ()
        try:
            answer = pull.get(Call(options.path, "source.workspace.path", {}))
        except (NothingThere, Forbidden) as error:
            return None, None, (Skipped(WORKSPACE, f"no balance: {error}"),) if self._balance else ()
        name = self._workspace_name(answer)
        if self._balance is None:
            return None, name, ()
        left: object = None
        try:
            left = self._balance(answer.content)
            return balance_to_micro(left), name, ()
        except ValueError as error:
            reason = f"{options.balance} {'is missing' if left is ABSENT else error}"
            return None, name, (Skipped(WORKSPACE, f"no balance: {reason}"),)

    def _workspace_name(self, answer: Answer) -> str | None:
        found: object = None
        if self._name is not None:
            with suppress(CannotApply):
                found = self._name(answer.content)
        return (clean_name(found) or None) if isinstance(found, str) else None

    def _balance_offered(self, balance: Microcredits | None, skipped: Sequence[Skipped]) -> Check:
        if skipped:
            advice = 'correct source.workspace, or set source.workspace.path = "" to do without'
            return Check("balance offered", ok=False, detail=f"{skipped[0].reason}; {advice}")
        return Check("balance offered", ok=True, detail="" if balance is not None else "left out by source.workspace")

    def _clocks_agree(self, offset: timedelta | None) -> Check:
        if offset is None:
            return Check("clocks agree", ok=True, detail="the source does not tell the time")
        seconds = offset.total_seconds()
        difference = f"the source is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}" if seconds else ""
        if abs(offset) <= self._config.clock_tolerance:
            return Check("clocks agree", ok=True, detail=difference)
        return Check("clocks agree", ok=False, detail=f"{difference}; synchronise the clock of this machine (NTP)")


class _Pull:
    """One pull under way: its deadline, and the day it must stay within."""

    def __init__(self, transport: Transport, clock: TellsTime, now: datetime) -> None:
        self.now = now
        self._transport = transport
        self._clock = clock
        self._began_at = clock.now()
        self._deadline: Deadline = transport.deadline()
        self._offsets: list[timedelta] = []

    def get(self, call: Call) -> Answer:
        answer = self._transport.get(call, self._deadline)
        if answer.date is not None and day_of(answer.date) != day_of(self.now):
            raise SourceError(
                f"{call}: the source says it is {answer.date:%Y-%m-%d %H:%M:%S} UTC, here it is"
                f" {self.now:%Y-%m-%d %H:%M:%S} UTC: cannot tell which cap day its figures belong to;"
                " right after 00:00 UTC the next poll can, otherwise correct the clock"
            )
        if answer.offset is not None:
            self._offsets.append(answer.offset)
        return answer

    def time(self) -> datetime:
        """By what has passed since the start, because `now` is the caller's and need not come from this clock."""
        return self.now + (self._clock.now() - self._began_at)

    def end(self) -> None:
        if day_of(self.time()) != day_of(self.now):
            raise SourceError(
                "the UTC day changed while the keys were read: cannot tell which cap day their figures belong to;"
                " the next poll can"
            )

    def clock_offset(self) -> timedelta | None:
        if not self._offsets:
            return None
        return timedelta(seconds=statistics.median(offset.total_seconds() for offset in self._offsets))


def _commonest(skipped: Sequence[Skipped]) -> str:
    return Counter(one.reason for one in skipped).most_common(1)[0][0]


def _keys_listed(believed: int, skipped: Sequence[Skipped]) -> Check:
    if skipped:
        why = f"{len(skipped)} skipped; the commonest reason: {_commonest(skipped)}; check source.fields"
        return Check("keys listed", ok=False, detail=f"{believed} listed, {why}")
    if not believed:
        return Check("keys listed", ok=False, detail="none; is source.token a credential of the right workspace?")
    return Check("keys listed", ok=True, detail=f"{believed} listed")
