"""What goes wrong in a scenario: each kind as a value that knows how to begin."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from flowy_watch.simulator.credits import MICRO, Credits
from flowy_watch.simulator.faults import Faults, failing
from flowy_watch.simulator.profile import Profile
from flowy_watch.simulator.traffic import Stream, mixed
from flowy_watch.simulator.workspace import make_key
from flowy_watch.simulator.world import World


@dataclass(frozen=True, slots=True)
class Stage:
    """All that an incident may touch."""

    world: World
    faults: Faults


class Happening(Protocol):
    def begin(self, stage: Stage, key: str, at: datetime) -> None:
        """`key` is the name of the key it happens to, "" when it happens to the workspace."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A watcher must raise each of `expects` about the key, and may raise those of `allows` as well."""

    name: str
    offset: timedelta
    happening: Happening
    key: str = ""
    expects: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtraTraffic:
    """Somebody or something else uses the key."""

    profile: Profile
    lasts: timedelta

    def begin(self, stage: Stage, key: str, at: datetime) -> None:
        second = int(at.timestamp())
        place = stage.world.keys.index(stage.world.key(key))
        ends_at = second + int(self.lasts.total_seconds())
        stage.world.add_stream(Stream(place, self.profile, mixed(second + place), second, ends_at))


@dataclass(frozen=True, slots=True)
class CapChanged:
    cap: Credits | None

    def begin(self, stage: Stage, key: str, at: datetime) -> None:
        stage.world.set_cap(key, self.cap, at)


@dataclass(frozen=True, slots=True)
class KeyAppears:
    """A key nobody announced, without a cap."""

    def begin(self, stage: Stage, key: str, at: datetime) -> None:
        stage.world.create_key(make_key(key, int(at.timestamp()), created_at=at), at)


@dataclass(frozen=True, slots=True)
class BalanceDrops:
    """To what the workspace usually spends in `leaves`; nobody tops up again."""

    leaves: timedelta

    def begin(self, stage: Stage, key: str, at: datetime) -> None:
        left = int(stage.world.usual_daily_spend * (self.leaves / timedelta(days=1)))
        stage.world.stop_topping_up(at)
        stage.world.set_balance(left // MICRO, at)


@dataclass(frozen=True, slots=True)
class Outage:
    """The usage calls answer 500."""

    lasts: timedelta

    def begin(self, stage: Stage, key: str, at: datetime) -> None:
        stage.faults.usage = failing(500)
        stage.world.schedule(at + self.lasts, partial(self.end, stage))

    def end(self, stage: Stage, at: datetime) -> None:
        stage.faults.usage = None
