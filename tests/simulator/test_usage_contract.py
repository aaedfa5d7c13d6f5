"""The assumed usage contract, over real HTTP."""

from datetime import timedelta

import httpx
import pytest

from flowy_watch.simulator import SimulatorServer, make_world

FIELDS = [
    "id",
    "name",
    "prefix",
    "status",
    "createdAt",
    "lastUsedAt",
    "dailySpendCap",
    "rateLimitPerMinute",
    "spentToday",
]


def test_the_workspace_tells_its_name_and_balance(flowy):
    assert flowy.owner("/workspace").json() == {"data": {"id": "ws_1", "name": "Quiet Studio", "creditBalance": 1000}}


@pytest.mark.parametrize("path", ["/workspace", "/keys"])
def test_only_an_owner_reads_usage(flowy, path):
    assert [flowy.http.get(path).status_code, flowy.get(path, key="shop").status_code] == [401, 401]


def test_only_an_owner_revokes(flowy):
    key_id = flowy.world.key("shop").id
    assert flowy.http.post(f"/keys/{key_id}/revoke", headers=flowy.bearer("shop")).status_code == 401
    assert flowy.usage("shop")["status"] == "active"


def test_a_key_revoked_by_its_owner_stops_working_at_once_and_for_good(flowy):
    key_id = flowy.world.key("shop").id
    answers = [flowy.owner(f"/keys/{key_id}/revoke", "POST") for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"data": {"id": key_id, "status": "revoked"}}] * 2
    assert flowy.run().status_code == 401
    assert flowy.usage("shop")["status"] == "revoked"
    assert flowy.owner("/keys/key_none/revoke", "POST").status_code == 404


def test_a_listed_key_has_the_fields_of_the_contract_and_never_its_secret(flowy):
    listing = flowy.owner("/keys")
    assert {tuple(key) for key in listing.json()["data"]} == {tuple(FIELDS)}
    assert not [key.name for key in flowy.world.keys if key.secret in listing.text]
    shapes = {key["name"]: key["prefix"].partition("…")[0] for key in listing.json()["data"]}
    assert shapes == {"shop": "flw_sk_", "newer": "flowy_", "site": "flowy_pk_"}
    assert flowy.usage("shop")["prefix"][-4:] == flowy.world.key("shop").secret[-4:]


def test_the_list_comes_in_pages(flowy):
    first = flowy.owner("/keys", limit=2).json()
    second = flowy.owner("/keys", limit=2, cursor=first["nextCursor"]).json()
    assert [[key["name"] for key in page["data"]] for page in (first, second)] == [["shop", "newer"], ["site"]]
    assert second["nextCursor"] is None


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": "many"}, {"cursor": "elsewhere"}, {"cursor": "after-x"}])
def test_a_page_that_cannot_be_is_refused(flowy, query):
    assert flowy.owner("/keys", **query).status_code == 400


def test_ten_thousand_keys_are_listed_in_ten_pages(clock):
    world = make_world(10_000, start=clock.now() - timedelta(hours=11, minutes=59))
    clock.at = world.now
    with SimulatorServer(world, clock) as server, httpx.Client(base_url=server.base_url) as http:
        names, cursor, pages = set(), "", 0
        while cursor is not None:
            query = {"limit": 1000, "cursor": cursor}
            page = http.get("/keys", params=query, headers={"Authorization": f"Bearer {server.owner_token}"}).json()
            names |= {key["name"] for key in page["data"]}
            cursor, pages = page["nextCursor"], pages + 1
    assert (len(names), pages) == (10_000, 10)
    assert len({key.id for key in world.keys}) == len({key.secret for key in world.keys}) == 10_000
