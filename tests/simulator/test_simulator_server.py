"""The server itself: its clock, its port, its manners."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from flowy_watch.clock import FastClock
from flowy_watch.simulator import FaultKind, SimulatorServer, make_world

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)


def test_time_passes_with_the_clock_and_traffic_with_it():
    clock = FastClock(MIDNIGHT, speed=3_600_000)  # an hour in a millisecond
    with (
        SimulatorServer(make_world(start=MIDNIGHT), clock) as server,
        httpx.Client(base_url=server.base_url, timeout=60) as http,
    ):
        headers = {"Authorization": f"Bearer {server.owner_token}"}
        before, after = (http.get("/keys", headers=headers).json()["data"][0] for _ in range(2))
    assert before["lastUsedAt"] < after["lastUsedAt"]


def test_a_port_that_is_taken_is_an_error_and_not_a_second_server(flowy, clock):
    port = int(flowy.server.base_url.split(":")[2].partition("/")[0])
    with pytest.raises(OSError, match="in use"):
        SimulatorServer(flowy.world, clock, port).open()


def test_runs_started_at_once_are_each_charged_once(flowy, clock):
    for key in ("shop", "newer", "site"):
        flowy.world.key(key).concurrent_limit = 100
    flowy.world.set_balance(40, clock.now())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: flowy.run(key=("shop", "newer", "site")[n % 3]).status_code, range(40)))
    assert (answers.count(202), answers.count(402), flowy.balance()) == (10, 30, 0)


def test_nothing_is_logged_or_printed_whatever_goes_wrong(flowy, caplog, capfd):
    for kind in FaultKind:
        flowy.server.faults.usage = kind
        try:
            flowy.http.get("/keys", timeout=0.1)
        except httpx.HTTPError as error:
            assert kind in (FaultKind.TRUNCATED, FaultKind.DROP, FaultKind.HANG), error  # noqa: PT017
    flowy.server.close()
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []
    assert capfd.readouterr() == ("", "")
