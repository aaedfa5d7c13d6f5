"""What every source offers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from flowy_watch.core.check import Check
from flowy_watch.core.usage import Reading


class Source(Protocol):
    """Where usage is read from.

    `pull` returns a whole reading or raises `SourceError` with one clear reason: never half a list. It takes no longer
    than its own deadline. A single key that cannot be believed is left out and named in `Reading.skipped`.
    """

    def pull(self, now: datetime) -> Reading: ...

    def check(self, now: datetime) -> Iterable[Check]: ...

    def close(self) -> None: ...
