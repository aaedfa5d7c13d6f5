"""A poll job over a real database, with a source that says what the test says."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import event

from flowy_watch.core.check import Check
from flowy_watch.core.route import Telling
from flowy_watch.core.usage import Reading, Snapshot
from flowy_watch.detectors import DETECTORS, Detector, KeyRules
from flowy_watch.errors import SourceError
from flowy_watch.jobs.poll import Polled, PollJob, Rules
from flowy_watch.store import Store
from tests.builders import reading, route, snapshot


class ScriptedSource:
    """Answers every pull with `answer`: a reading, or the error it raises."""

    def __init__(self) -> None:
        self.answer: Reading | SourceError = SourceError("the script is empty")

    def pull(self, now: datetime) -> Reading:
        if isinstance(self.answer, SourceError):
            raise self.answer
        return self.answer

    def check(self, now: datetime) -> Iterable[Check]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


def hasty(store: Store) -> Store:
    """The same without waiting for the disk: what dies in these tests is a process at most."""
    event.listen(store.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    return store


def detectors(*kinds: str) -> list[Detector]:
    return [DETECTORS[kind](DETECTORS[kind].Config()) for kind in kinds]  # type: ignore[attr-defined]


TELLING = Telling((route("ops"),))


def rules(telling: Telling = TELLING, **more: Any) -> Rules:
    return Rules(telling, lambda key_id, name: KeyRules(), **more)


class Rig:
    """One job, and what the outbox says about what it did."""

    def __init__(self, store: Store, *kinds: str) -> None:
        self.store, self.source = store, ScriptedSource()
        self._detectors = detectors(*(kinds or ("cap", "blind")))
        self.tell_by(TELLING)

    def tell_by(self, telling: Telling, **more: Any) -> None:
        """Another configuration, and the restart that it takes."""
        self.job = PollJob(self.source, self.store, self._detectors, rules(telling, **more))

    def poll(self, at: datetime, *snapshots: Snapshot, **more: Any) -> Polled:
        """A poll that lists these keys, taken at `at`."""
        self.source.answer = reading(*(one._replace(taken_at=at) for one in snapshots), at=at, **more)
        return self.job.run(at)

    def spend(self, at: datetime, spent: float, cap: float = 100, **more: Any) -> Polled:
        """A poll that lists one key."""
        return self.poll(at, snapshot(spent, cap=cap, **more))

    def fail(self, at: datetime, error: SourceError | None = None) -> Polled:
        self.source.answer = error or SourceError("flowy: 503")
        return self.job.run(at)

    def told(self) -> list[tuple[str, str, int]]:
        """Kind, change and level of what waits to be sent, oldest first."""
        with self.store.read() as work:
            rows = [
                (row.seq, alert.finding.kind, row.change, row.payload["alert"]["level"])
                for alert in work.alerts.all()
                for row in work.outbox.story(alert.id)
                if row.status == "waiting"
            ]
        return [(kind, change, level) for _, kind, change, level in sorted(rows)]

    def notes(self) -> list[str]:
        """Why people heard of each notice when they did, oldest first."""
        with self.store.read() as work:
            rows = [row for alert in work.alerts.all() for row in work.outbox.story(alert.id)]
        return [row.payload["note"] for row in sorted(rows, key=lambda row: row.seq) if row.status == "waiting"]

    def withheld(self) -> list[tuple[str, str]]:
        """Change and reason of what nobody is told, oldest first."""
        with self.store.read() as work:
            rows = [row for alert in work.alerts.all() for row in work.outbox.story(alert.id)]
        return [(row.change, row.reason) for row in sorted(rows, key=lambda row: row.seq) if row.status == "withheld"]

    def unresolved(self) -> list[str]:
        with self.store.read() as work:
            return [alert.finding.kind for alert in work.alerts.unresolved()]
