"""What is known between polls: every key's history and the workspace's, moved forward one reading at a time."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from flowy_watch.core.history import History
from flowy_watch.core.provenance import Provenance
from flowy_watch.core.stale import stale_counter
from flowy_watch.core.usage import ALL_KEYS, Reading, Skipped, Snapshot, day_of
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
        self.listed_before = False
        """Whether a live poll has listed this workspace's keys: only then is an unknown key a new key."""

    def add(self, reading: Reading) -> frozenset[str]:
        """Take in a reading and return the ids never seen before. Readings must come in the order of time."""
        at, moved, new, renamed, spent = reading.taken_at, False, [], [], 0
        listed: list[History] = []
        if self.taken_at is not None and self.taken_at.date() != at.date():
            self._close_day(self.taken_at)
        histories, seconds = self.histories, at.timestamp()
        unknown, rebased = False, reading.rebased
        for snapshot in reading.snapshots:
            if snapshot.spent is None:
                unknown = True
            history = histories.get(snapshot.key_id)
            if history is None:
                histories[snapshot.key_id] = born = History(snapshot)
                listed.append(born)
                new.append(snapshot.key_id)
                moved = True
                continue
            listed.append(history)
            if snapshot.name != history.latest.name:
                renamed.append(snapshot)
            if rebased and snapshot.key_id in rebased and snapshot.spent is not None:
                history.rebase(snapshot.spent, seconds)
            spent_now = history.add(snapshot, seconds)
            spent += spent_now
            if spent_now or history.still_for is not None:
                moved = True
        self._add_workspace(reading, moved=moved)
        self.workspace.ledger.add(at, spent, reading.balance, whole=not (new or unknown or reading.skipped))
        self.taken_at, self.listed, self.renamed = at, listed, renamed
        return frozenset(new)

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
        spends = [snapshot.spent for snapshot in reading.snapshots]
        if len(self.histories) > len(reading.snapshots):
            listed, today = {snapshot.key_id for snapshot in reading.snapshots}, day_of(reading.taken_at)
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
        if reading.taken_at.hour:  # only just after 00:00 UTC can a counter be yesterday's
            return reading.snapshots, ()
        stale = {
            snapshot.key_id
            for snapshot in reading.snapshots
            if (history := self.histories.get(snapshot.key_id)) and stale_counter(history, snapshot)
        }
        kept = tuple(snapshot for snapshot in reading.snapshots if snapshot.key_id not in stale)
        return kept, tuple(
            Skipped(key_id, "still shows yesterday's counter after 00:00 UTC") for key_id in sorted(stale)
        )

    def missing(self, listed: Iterable[Snapshot], at: datetime) -> list[str]:
        """Ids of keys seen within the last 24 hours that a list should still hold and does not."""
        ids = {snapshot.key_id for snapshot in listed}
        if self.histories.keys() <= ids:
            return []
        return [
            key_id
            for key_id, history in self.histories.items()
            if key_id not in ids and at - history.latest.taken_at < _FORGET_AFTER
        ]
