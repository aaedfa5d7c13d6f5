"""A key used from an address where it was never used before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from flowy_watch.core.finding import Finding
from flowy_watch.core.history import History
from flowy_watch.core.sighting import Novelty, new_origins
from flowy_watch.detectors.base import View
from flowy_watch.detectors.novelty import Unseen, told


@dataclass(frozen=True, slots=True)
class NewOriginConfig:
    learning: timedelta = timedelta(days=14)
    """So long after its first use a key's addresses are only learned."""
    most_new: float = 2.0
    """More new addresses than this in four weeks are a habit: then only a new network is told, or nothing."""


class NewOriginDetector:
    """Needs a source that sees addresses: the meter. Where addresses are hashed there are no networks to go by."""

    Config: ClassVar[type] = NewOriginConfig

    def __init__(self, config: NewOriginConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        if view.sightings:
            yield from told(view, "new_origin", self._novelty, _WORDS)

    def _novelty(self, history: History, view: View) -> Novelty | None:
        seen, config = view.sightings[history.latest.key_id], self.config
        return new_origins(seen, after=view.seen_before(history), learning=config.learning, most=config.most_new)


_WORDS = Unseen(
    title="was used from {what}, never seen before",
    titles="was used from {count} addresses never seen before, {what} among them",
    used="Used from {what}{agent} since {since}",
    known="Before that it was used from {count}: {names}.",
    one="one address",
    many="{count} addresses",
)
