"""What is known between polls: every key's history and the workspace's, moved forward one reading at a time."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import cast

from flowy_watch.core.history import History
from flowy_watch.core.provenance import Provenance
from flowy_watch.core.stale import BELIEVED_AFTER, stale_counter
from flowy_watch.core.usage import ALL_KEYS, Columns, KeyStatus, Reading, Skipped, Snapshot, day_of, day_start
from flowy_watch.core.workspace import WorkspaceHistory

_FORGET_AFTER = timedelta(hours=24)


class Watch:
    """Histories by key id. Live polls, replays and backtests all move it by `add`, so they see the same.

    Mutable, like the histories it holds; whoever's transaction fails throws it away and reads it again.
    """

    def __init__(self) -> None:
        self.histories: dict[str, History] = {}
        self.workspace = WorkspaceHistory()
        self.taken_at: datetime | None = None
        """The latest reading."""
        self.listed: list[History] = []
        """Those of the keys of the latest reading, in its order."""
        self.renamed: list[Snapshot] = []
        """Those of the latest reading whose key had another name before."""
        self.provenance: dict[str, Provenance] = {}
        """By key id, of keys of which there is anything to say (see `Reading.provenance`)."""
        self._columns = Columns.of(())
        """Of the latest reading."""
        self.listed_before = False
        """Whether a live poll has listed this workspace's keys: only then is an unknown key a new key."""

    def add(self, reading: Reading) -> frozenset[str]:
        """Take in a reading and return the ids never seen before. Readings must come in the order of time."""
        at, columns, moved, spent, unknown = reading.taken_at, reading.columns, False, 0, False
        if self.taken_at is not None and self.taken_at.date() != at.date():
            self._close_day(self.taken_at)
        known, self.renamed = self._known(reading)
        seconds = at.timestamp()
        if reading.rebased:
            _rebase(known, columns, reading.rebased, seconds)
        new = []
        for history, snapshot, counter, used_at, status in zip(
            known, reading.snapshots, columns.spent, columns.last_used_at, columns.status, strict=True
        ):
            if counter is None:
                unknown = True
            if history is None:
                self.histories[snapshot.key_id] = History(snapshot)
                new.append(snapshot.key_id)
                continue
            spent_now = history.take(snapshot, seconds, counter, used_at, status)
            if spent_now:
                spent += spent_now
                moved = True
            elif history.still_for is not None:
                moved = True
        self.listed = [self.histories[key_id] for key_id in columns.key_id] if new else cast(list[History], known)
        self._columns = columns
        self._add_workspace(reading, moved=moved or bool(new))
        self.workspace.ledger.add(at, spent, reading.balance, whole=not (new or unknown or reading.skipped))
        self.taken_at = at
        return frozenset(new)

    def _known(self, reading: Reading) -> tuple[list[History | None], list[Snapshot]]:
        """The history of each snapshot, None for a new key; and those snapshots whose key has another name now."""
        ids, names = reading.columns.key_id, reading.columns.name
        if ids == self._columns.key_id:  # nearly always, and in a moment: most of it is the same objects
            known: list[History | None] = [*self.listed]
            if names == self._columns.name:
                return known, []
        else:
            known = list(map(self.histories.get, ids))
        pairs = zip(reading.snapshots, known, strict=True)
        return known, [snapshot for snapshot, history in pairs if history and snapshot.name != history.latest.name]

    def note_provenances(self, provenances: Mapping[str, Provenance]) -> dict[str, Provenance]:
        """Remember where a reading's figures come from; returns what is different from before."""
        known = self.provenance
        changed = {key_id: one for key_id, one in provenances.items() if known.get(key_id) != one}
        known |= changed
        return changed

    def _close_day(self, latest: datetime) -> None:
        """What each key's most surprising moment of the day was goes into the calibration."""
        highest, day = {}, int(latest.timestamp()) // 86400
        for key_id, history in self.histories.items():
            peak = history.close_day(day)
            if history.baseline.judges and latest - history.latest.taken_at < _FORGET_AFTER:
                highest[key_id] = peak
        self.workspace.calibration.close_day(day, highest)

    def _add_workspace(self, reading: Reading, *, moved: bool) -> None:
        spends = [*reading.columns.spent]
        if len(self.histories) > len(spends):
            listed, today = set(reading.columns.key_id), day_of(reading.taken_at)
            others = [history.latest for key_id, history in self.histories.items() if key_id not in listed]
            spends += [latest.spent for latest in others if day_of(latest.taken_at) == today]
        known = [spent for spent in spends if spent is not None]
        # What is told of all keys together stands for those of which it is not told apart.
        whole = len(known) == len(spends) or any(
            snapshot.key_id == ALL_KEYS and snapshot.spent is not None for snapshot in reading.snapshots
        )
        self.workspace.add(reading.taken_at, sum(known) if whole else None, reading.balance, moved=moved)

    def believable(self, reading: Reading) -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
        """The snapshots that can be true after what is known, and those that cannot, with why."""
        midnight = day_start(day_of(reading.taken_at))
        if reading.taken_at - midnight >= BELIEVED_AFTER:  # only just after 00:00 UTC can a counter be yesterday's
            return reading.snapshots, ()
        before = [self.histories.get(key_id) for key_id in reading.columns.key_id]
        stale = {
            snapshot.key_id
            for snapshot, history in zip(reading.snapshots, before, strict=True)
            if history and history.latest.taken_at < midnight and stale_counter(history, snapshot)
        }
        kept = tuple(snapshot for snapshot in reading.snapshots if snapshot.key_id not in stale)
        return kept, tuple(
            Skipped(key_id, "still shows yesterday's counter after 00:00 UTC") for key_id in sorted(stale)
        )

    def missing(self, reading: Reading, sources: frozenset[str] = frozenset()) -> list[str]:
        """Ids of keys seen within the last 24 hours that a reading should still list and does not.

        A key that was revoked or has expired may leave the list, and so may one that was listed by none of the
        `sources` that are asked now, if these are given.
        """
        listed, at = reading.columns.key_id, reading.taken_at
        if listed == self._columns.key_id and len(listed) == len(self.histories):
            return []
        ids = set(listed)
        if self.histories.keys() <= ids:
            return []
        return [
            key_id
            for key_id, history in self.histories.items()
            if key_id not in ids
            and history.latest.status is KeyStatus.ACTIVE
            and at - history.latest.taken_at < _FORGET_AFTER
            and not self._is_no_longer_asked_for(key_id, sources)
        ]

    def _is_no_longer_asked_for(self, key_id: str, sources: frozenset[str]) -> bool:
        known = self.provenance.get(key_id)
        return known is not None and bool(known.ids and sources) and sources.isdisjoint(known.ids)


def _rebase(known: Iterable[History | None], columns: Columns, rebased: frozenset[str], seconds: float) -> None:
    for history, key_id, counter in zip(known, columns.key_id, columns.spent, strict=True):
        if history and counter is not None and key_id in rebased:
            history.rebase(counter, seconds)
