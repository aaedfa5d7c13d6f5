"""Bad days to rehearse: what happens when, and which alerts a watcher owes its owner for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from flowy_watch.simulator.faults import Faults
from flowy_watch.simulator.incident import (
    BalanceDrops,
    CapChanged,
    ExtraTraffic,
    Incident,
    KeyAppears,
    Outage,
    Stage,
)
from flowy_watch.simulator.profile import constant
from flowy_watch.simulator.traffic import LOOK_AROUND
from flowy_watch.simulator.workspace import CAPTION, CUTOUT, VIDEO
from flowy_watch.simulator.world import World


@dataclass(frozen=True, slots=True)
class Scenario:
    """Offsets count from a start at 00:00 UTC of a weekday: only then is night night. `lasts` is how long to watch."""

    story: str
    incidents: tuple[Incident, ...]
    lasts: timedelta = timedelta(hours=24)

    def expected(self) -> frozenset[tuple[str, str]]:
        """(key name or "" for the workspace, alert kind) of every alert that must arrive."""
        return frozenset((each.key, kind) for each in self.incidents for kind in each.expects)

    def allowed(self) -> frozenset[tuple[str, str]]:
        """Also those that may arrive; any other is a false alarm."""
        return self.expected() | {(each.key, kind) for each in self.incidents for kind in each.allows}

    def play(self, world: World, faults: Faults, *, start: datetime) -> None:
        """Put the incidents on the world's agenda; they happen as it advances."""
        stage = Stage(world, faults)
        for incident in self.incidents:
            world.schedule(start + incident.offset, partial(incident.happening.begin, stage, incident.key))


def _at(hour: int, minute: int = 0) -> timedelta:
    return timedelta(hours=hour, minutes=minute)


LEAKED_KEY = Incident(
    "a leaked key makes videos through the night",
    _at(1, 30),
    ExtraTraffic(constant(12, VIDEO), lasts=_at(5, 30)),
    key="design-team",
    expects=("spike", "last_used", "cap"),
)
DORMANT_WAKE = Incident(
    "a key forgotten for months writes a few captions",
    _at(3, 10),
    ExtraTraffic(constant(6, CAPTION), lasts=_at(2)),
    key="legacy-import",
    expects=("last_used",),
    allows=("spike",),
)
DORMANT_TOUCH = Incident(
    "a key forgotten for months looks around and spends nothing",
    _at(4, 5),
    ExtraTraffic(constant(4, LOOK_AROUND), lasts=_at(1)),
    key="partner-sandbox",
    expects=("last_used",),
)
CAP_REMOVED = Incident(
    "somebody removes the cap of the busiest key",
    _at(9, 30),
    CapChanged(None),
    key="prod-render",
    expects=("safeguard",),
)
NEW_KEY = Incident(
    "a key nobody announced appears, without a cap",
    _at(10, 15),
    KeyAppears(),
    key="test-key-do-not-use",
    expects=("safeguard",),
)
RUNAWAY_LOOP = Incident(
    "a retry loop removes the same background for hours, until its cap stops it",
    _at(11),
    ExtraTraffic(constant(480, CUTOUT), lasts=_at(8)),
    key="prod-api",
    expects=("spike", "cap"),
)
OUTAGE = Incident("the usage calls answer 500", _at(14, 30), Outage(lasts=timedelta(minutes=45)), expects=("blind",))
BALANCE_DRY = Incident(
    "the credits are refunded, and what is left lasts four usual hours",
    _at(16, 30),
    BalanceDrops(leaves=_at(4)),
    expects=("balance",),
    allows=("unattributed",),
)

SCENARIOS = {
    "ordinary": Scenario("Business as usual: nothing to report.", ()),
    "leaked_key": Scenario("A key leaks and is used at night, by a machine.", (LEAKED_KEY,)),
    "runaway_loop": Scenario("A loop climbs to its daily cap and is refused from then on.", (RUNAWAY_LOOP,)),
    "dormant_wake": Scenario("A key forgotten for months is used again, for next to nothing.", (DORMANT_WAKE,)),
    "dormant_touch": Scenario("A key forgotten for months is tried out, at no cost at all.", (DORMANT_TOUCH,)),
    "cap_removed": Scenario("The cap of the busiest key is removed.", (CAP_REMOVED,)),
    "new_key": Scenario("A key without a cap appears.", (NEW_KEY,)),
    "balance_dry": Scenario("The workspace runs dry within hours.", (BALANCE_DRY,)),
    "outage": Scenario("The usage calls fail for three quarters of an hour, then recover.", (OUTAGE,)),
    "mixed": Scenario(
        "A bad day: everything above, one after the other.",
        (LEAKED_KEY, DORMANT_WAKE, DORMANT_TOUCH, CAP_REMOVED, NEW_KEY, RUNAWAY_LOOP, OUTAGE, BALANCE_DRY),
    ),
}
