"""A workspace where nothing happens by itself, and ways to talk to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flowy_watch.simulator import SimulatorServer, World, make_key
from flowy_watch.simulator.app import APPS
from flowy_watch.simulator.credits import microcredits

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday


@dataclass
class HandClock:
    """Moves when it is told to."""

    at: datetime = NOON
    speed: float = 1.0

    def now(self) -> datetime:
        return self.at

    def wait(self, **time: float) -> None:
        self.at += timedelta(**time)


@dataclass
class Flowy:
    """Requests over real HTTP, by a key's secret or as the owner."""

    server: SimulatorServer
    clock: HandClock
    http: httpx.Client

    @property
    def world(self) -> World:
        return self.server.world

    def get(self, path: str, *, key: str) -> httpx.Response:
        return self.http.get(path, headers=self.bearer(key))

    def run(self, app: str = "product-photo", *, key: str = "shop", inputs: object = None) -> httpx.Response:
        body = {"inputs": {"brief": "a red bicycle"} if inputs is None else inputs}
        return self.http.post(f"/apps/app_{app}/runs", json=body, headers=self.bearer(key))

    def owner(self, path: str, method: str = "GET", **query: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.server.owner_token}"}
        return self.http.request(method, path, params=query, headers=headers)

    def usage(self, name: str) -> dict[str, object]:
        return next(key for key in self.owner("/keys").json()["data"] if key["name"] == name)

    def balance(self) -> float:
        return self.owner("/workspace").json()["data"]["creditBalance"]

    def bearer(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.world.key(key).secret}"}


def quiet_world(start: datetime = NOON) -> World:
    created_at = start - timedelta(days=90)
    shapes = {"shop": "flw_sk_", "newer": "flowy_", "site": "flowy_pk_"}
    keys = [make_key(name, n, created_at=created_at, shape=shape) for n, (name, shape) in enumerate(shapes.items())]
    return World(
        workspace=("ws_1", "Quiet Studio"),
        keys=keys,
        apps=APPS,
        streams=(),
        balance=microcredits(1000),
        usual_daily_spend=microcredits(10),
        top_up=None,
        start=start,
    )


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def flowy(clock: HandClock) -> Iterator[Flowy]:
    with SimulatorServer(quiet_world(), clock) as server, httpx.Client(base_url=server.base_url, timeout=30) as http:
        yield Flowy(server, clock, http)


@pytest.fixture(scope="session")
def new_world() -> Callable[[], World]:
    return quiet_world
