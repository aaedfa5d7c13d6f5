"""Which alerts go to which channels, and what the channels can do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from flowy_watch.core.alert import Alert
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.hours import Hours
from flowy_watch.core.pattern import matches

Owners = Callable[[str, str], str]
"""Key id and name to the owner to show; empty when nobody is named."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a channel can do beside posting; by its kind."""

    changes: bool = False
    """A message that stands there can be changed, which notifies nobody."""
    tracks: bool = False
    """The other side keeps each alert's state by itself, and so hears whenever it changes."""
    threads: bool = False
    """A message can have a thread of lines."""

    @property
    def follows(self) -> bool:
        """Whether what is no news, as an acknowledgement, still has a place there."""
        return self.changes or self.tracks


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go to which channels; an empty selector selects everything."""

    channels: tuple[str, ...]
    severities: frozenset[Severity] = frozenset()
    kinds: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """Patterns; what nobody owns is taken by `*` alone."""
    repeat: timedelta | None = None
    """How often an open alert that nobody acknowledged is told again; None: never."""
    escalate_after: timedelta | None = None
    """How long a critical alert may stay unacknowledged before `escalate_to` hears of it."""
    escalate_to: tuple[str, ...] = ()

    def takes(self, finding: Finding, owner: str) -> bool:
        return (
            (not self.severities or finding.severity in self.severities)
            and (not self.kinds or finding.kind in self.kinds)
            and (not self.keys or _is_key(finding, self.keys))
            and (not self.owners or any(matches(pattern, owner) for pattern in self.owners))
        )


@dataclass(frozen=True, slots=True)
class Telling:
    """What the configuration says about who is told."""

    routes: tuple[Route, ...] = ()
    owner_of: Owners = lambda key_id, name: ""
    traits: Mapping[str, Traits] = field(default_factory=dict)
    """By channel."""
    quiet_hours: Mapping[str, Hours] = field(default_factory=dict)
    """When a channel is not to be bothered with what is not critical."""

    def traits_of(self, channel: str) -> Traits:
        return self.traits.get(channel, Traits())

    def owner(self, finding: Finding) -> str:
        return self.owner_of(finding.key_id or "", finding.key_name)

    def routes_of(self, alert: Alert) -> list[Route]:
        owner = self.owner(alert.finding)
        return [route for route in self.routes if route.takes(alert.finding, owner)]

    def channels(self, alert: Alert, *, heard: Iterable[str] = ()) -> list[str]:
        """Each channel once, in the order of the routes; then those that were told of the alert by another way."""
        routed = (channel for route in self.routes_of(alert) for channel in route.channels)
        return list(dict.fromkeys((*routed, *heard)))


def _is_key(finding: Finding, patterns: Iterable[str]) -> bool:
    return finding.key_id is not None and any(matches(p, finding.key_name, finding.key_id) for p in patterns)
