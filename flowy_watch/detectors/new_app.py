"""A key that starts runs of an app which it never ran before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from flowy_watch.core.finding import Finding
from flowy_watch.core.history import History
from flowy_watch.core.sighting import Novelty, new_apps
from flowy_watch.detectors.base import View
from flowy_watch.detectors.novelty import Unseen, told


@dataclass(frozen=True, slots=True)
class NewAppConfig:
    learning: timedelta = timedelta(days=14)
    """So long after its first use a key's apps are only learned."""
    most_new: float = 2.0
    """More new apps than this in four weeks are a habit, and none is told."""


class NewAppDetector:
    """Needs a source that sees apps: the meter. Any key can run any published app: a thief brings an own one."""

    Config: ClassVar[type] = NewAppConfig

    def __init__(self, config: NewAppConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        if view.sightings:
            yield from told(view, "new_app", self._novelty, _WORDS)

    def _novelty(self, history: History, view: View) -> Novelty | None:
        seen, config = view.sightings[history.latest.key_id], self.config
        return new_apps(seen, after=view.seen_before(history), learning=config.learning, most=config.most_new)


_WORDS = Unseen(
    title="runs app {what}, which it never ran before",
    titles="runs {count} apps that it never ran before, {what} among them",
    used="App {what} since {since}",
    known="Before that it ran {count}: {names}.",
    one="one app",
    many="{count} apps",
)
