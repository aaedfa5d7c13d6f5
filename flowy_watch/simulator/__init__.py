"""A local Flowy: the documented API and the assumed usage contract over one simulated workspace."""

from flowy_watch.simulator.faults import Fault, FaultKind, Faults, failing
from flowy_watch.simulator.history import world_with_history, write_history
from flowy_watch.simulator.incident import Incident
from flowy_watch.simulator.key import Key
from flowy_watch.simulator.refusal import Refused
from flowy_watch.simulator.scenarios import SCENARIOS, Scenario
from flowy_watch.simulator.server import BASE_PATH, OWNER_TOKEN, SimulatorServer
from flowy_watch.simulator.workspace import make_key, make_world
from flowy_watch.simulator.world import World

__all__ = [
    "BASE_PATH",
    "OWNER_TOKEN",
    "SCENARIOS",
    "Fault",
    "FaultKind",
    "Faults",
    "Incident",
    "Key",
    "Refused",
    "Scenario",
    "SimulatorServer",
    "World",
    "failing",
    "make_key",
    "make_world",
    "world_with_history",
    "write_history",
]
