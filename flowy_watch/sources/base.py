"""What every source offers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from flowy_watch.clock import Clock
from flowy_watch.core.check import Check
from flowy_watch.core.provenance import Knowledge
from flowy_watch.core.usage import Reading


class Source(Protocol):
    """Where usage is read from.

    `pull` returns a whole reading or raises `SourceError` with one clear reason: never half a list. It takes no longer
    than its own deadline. A single key that cannot be believed is left out and named in `Reading.skipped`.
    """

    def pull(self, now: datetime) -> Reading: ...

    def check(self, now: datetime) -> Iterable[Check]: ...

    def close(self) -> None: ...


class Kind(Protocol):
    """A class of sources: its options, what it can know, and how one is made."""

    @property
    def Config(self) -> type[BaseModel]: ...  # noqa: N802  # a class, seen through a property

    @property
    def knows(self) -> Knowledge: ...

    def __call__(self, config: Any, clock: Clock, /) -> Source: ...
