"""A Flowy that is not well."""

import threading
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest

from flowy_watch.simulator import Fault, FaultKind, failing


@pytest.mark.parametrize("status", [401, 500, 503])
def test_usage_calls_fail_while_the_documented_ones_go_on(flowy, status):
    flowy.server.faults.usage = failing(status)
    assert [flowy.owner("/keys").status_code, flowy.owner("/workspace").status_code] == [status, status]
    assert flowy.run().status_code == 202
    flowy.server.faults.clear()
    assert flowy.usage("shop")["spentToday"] == 4


def test_documented_calls_fail_without_charging(flowy):
    flowy.server.faults.public = failing(500)
    assert (flowy.run().status_code, flowy.balance()) == (500, 1000)


def test_a_busy_flowy_says_when_to_come_back(flowy):
    flowy.server.faults.usage = failing(429, retry_after=timedelta(seconds=30))
    answer = flowy.owner("/keys")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


def test_a_fault_may_spoil_a_number_of_requests_and_no_more(flowy):
    flowy.server.faults.usage = failing(times=2)
    assert [flowy.owner("/keys").status_code for _ in range(3)] == [500, 500, 200]


def test_garbage_is_no_json(flowy):
    flowy.server.faults.usage = FaultKind.GARBAGE
    answer = flowy.owner("/keys")
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.DROP])
def test_a_broken_connection_breaks_the_request_and_not_the_server(flowy, kind):
    flowy.server.faults.usage = flowy.server.faults.public = Fault(kind, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        flowy.owner("/keys")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        flowy.get("/apps", key="shop")
    assert [flowy.owner("/keys").status_code, flowy.get("/apps", key="shop").status_code] == [200, 200]


def test_a_hanging_flowy_answers_nothing(flowy):
    flowy.server.faults.usage = Fault(FaultKind.HANG, times=1)
    with pytest.raises(httpx.ReadTimeout):
        flowy.http.get("/keys", timeout=0.05)
    assert flowy.owner("/keys").status_code == 200


def test_a_hanging_request_does_not_keep_the_server_from_stopping(flowy):
    flowy.server.faults.usage = FaultKind.HANG

    def hang() -> None:
        with suppress(httpx.HTTPError):  # cut off, or told that the server goes: either way it is over
            flowy.owner("/keys")

    caller = threading.Thread(target=hang)
    caller.start()
    flowy.run()  # the server is busy with both
    flowy.server.close()
    caller.join(timeout=20)
    assert not caller.is_alive()


def test_a_list_may_be_empty_or_end_in_the_middle(flowy):
    flowy.server.faults.usage = FaultKind.EMPTY_LIST
    assert flowy.owner("/keys").json() == {"data": [], "nextCursor": None}
    flowy.server.faults.usage = FaultKind.HALF_LIST
    first = flowy.owner("/keys").json()
    assert [key["name"] for key in first["data"]] == ["shop"]
    assert flowy.owner("/keys", cursor=first["nextCursor"]).status_code == 500


def test_a_cursor_may_lead_to_itself(flowy):
    flowy.server.faults.usage = FaultKind.REPEATED_CURSOR
    first = flowy.owner("/keys").json()
    assert flowy.owner("/keys", cursor=first["nextCursor"]).json() == first


def test_frozen_usage_stays_as_it_was_while_runs_go_on(flowy):
    flowy.server.faults.usage = FaultKind.FROZEN
    before = flowy.owner("/keys").json()
    flowy.run()
    assert flowy.owner("/keys").json() == before
    flowy.server.faults.clear()
    assert flowy.usage("shop")["spentToday"] == 4


def test_the_date_may_be_wrong(flowy):
    flowy.server.faults.date_skew = timedelta(hours=1)
    assert flowy.owner("/workspace").headers["date"] == "Tue, 24 Nov 2026 13:00:00 GMT"
