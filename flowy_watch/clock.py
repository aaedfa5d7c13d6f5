"""What time it is: the only module that asks the machine."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; `speed` is how many of its seconds pass in one of ours."""

    @property
    def speed(self) -> float: ...

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    speed: float = 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class FastClock:
    """A clock that starts at a chosen instant and runs `speed` times as fast as ours; for the simulator."""

    started_at: datetime
    speed: float
    _zero: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.started_at + timedelta(seconds=(time.monotonic() - self._zero) * self.speed)
