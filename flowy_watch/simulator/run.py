"""One run of an app, whose progress is a function of the time since it was started."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flowy_watch.simulator.app import App
from flowy_watch.simulator.credits import Microcredits

QUEUED_FOR = timedelta(seconds=2)


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """`ends_as` is decided at the start, so that a run reads the same however often it is asked for."""

    id: str
    app: App
    key_id: str
    price: Microcredits
    created_at: datetime
    ends_as: RunStatus

    @property
    def ends_at(self) -> datetime:
        return self.created_at + QUEUED_FOR + self.app.takes

    def status(self, now: datetime) -> RunStatus:
        if now < self.created_at + QUEUED_FOR:
            return RunStatus.QUEUED
        return RunStatus.RUNNING if now < self.ends_at else self.ends_as

    def updated_at(self, now: datetime) -> datetime:
        steps = (self.ends_at, self.created_at + QUEUED_FOR)
        return next((step for step in steps if step <= now), self.created_at)

    def outputs(self, now: datetime) -> Iterator[dict[str, str | None]]:
        if self.status(now) is RunStatus.COMPLETED:
            for output in self.app.outputs:
                text = output.output_type == "text"
                url = None if text else f"https://files.example/{self.id}/{output.node_id}"
                yield {
                    "nodeId": output.node_id,
                    "kind": output.output_type,
                    "url": url,
                    "text": f"A text by {self.app.title}." if text else None,
                }
