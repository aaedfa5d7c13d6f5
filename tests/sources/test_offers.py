"""What a Flowy's public document is taken to offer, however strange it is."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.errors import SourceError
from flowy_watch.simulator.openapi import openapi_document
from flowy_watch.sources.api import ApiSource
from flowy_watch.sources.offers import Offers, look, read

from .server import NOON, FakeTime, Reply, Server

BASE = "https://flowy.example.com/api/v1"
TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def answers(schema: Any, *parameters: str) -> dict[str, Any]:
    return {
        "parameters": [{"name": name, "in": "query"} for name in parameters],
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
    }


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def listed(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


USAGE = {
    "openapi": "3.1.0",
    "paths": {
        "/apps": {"get": answers(thing(data=listed(thing(id=TEXT, title=TEXT, runCount=NUMBER))))},
        "/api-keys": {
            "get": answers(
                thing(result=thing(keys=listed({"$ref": "#/components/schemas/Key"})), nextCursor=TEXT),
                "cursor",
                "limit",
            )
        },
        "/api-keys/{id}/revoke": {"post": answers(thing())},
        "/billing": {"get": answers(thing(data=thing(**{"credit-balance": NUMBER})))},
    },
    "components": {
        "schemas": {
            "Key": {
                "allOf": [
                    thing(uuid=TEXT, label=TEXT, keyPrefix=TEXT, state=TEXT),
                    thing(lastUsedAt=TEXT, limits=thing(dailyCap=NUMBER), usage=thing(today=thing(credits=NUMBER))),
                ]
            }
        }
    },
}


def signals(found: Offers) -> dict[str, str]:
    return {one.signal: one.call for one in found.signals}


def test_the_documented_api_offers_none_of_what_is_watched() -> None:
    found = read(openapi_document(BASE), BASE)
    assert (found.calls, set(signals(found).values()), found.toml) == (4, {""}, "")


def test_endpoints_that_appear_are_named_and_mapped() -> None:
    found = read(USAGE, BASE)
    assert signals(found) == {
        "the list of keys": "GET /api-keys",
        "usage per key": "GET /api-keys",
        "last used": "GET /api-keys",
        "the balance": "GET /billing",
        "revoking": "POST /api-keys/{id}/revoke",
    }
    source = tomllib.loads(found.toml)["source"]
    assert source["base_url"] == BASE
    assert source["keys"] == {
        "path": "/api-keys",
        "items": "result.keys",
        "next_cursor": "nextCursor",
        "cursor_param": "cursor",
        "limit_param": "limit",
    }
    assert source["fields"] == {
        "id": "uuid",
        "name": "label",
        "prefix": "keyPrefix",
        "status": "state",
        "created_at": "",
        "last_used_at": "lastUsedAt",
        "daily_cap": "limits.dailyCap",
        "rate_limit": "",
        "spent_today": "usage.today.credits",
    }
    assert source["workspace"] == {"path": "/billing", "balance": 'data."credit-balance"', "name": ""}


def test_what_is_proposed_reads_the_figures() -> None:
    time = FakeTime()
    server = Server(time)
    server.scripts["/openapi.json"] = Reply(USAGE)
    key = {"uuid": "k1", "label": "prod", "keyPrefix": "flw_sk_…a1b2", "state": "active", "lastUsedAt": None}
    key |= {"limits": {"dailyCap": 100}, "usage": {"today": {"credits": 12.5}}}
    server.scripts["/api-keys"] = Reply({"result": {"keys": [key]}, "nextCursor": None})
    server.scripts["/billing"] = Reply({"data": {"credit-balance": 99}})
    options = tomllib.loads(look(server.url).toml)["source"]
    options.pop("kind")
    source = ApiSource(ApiSource.Config(**options, token="t0ken-t0ken"), time)
    reading = source.pull(NOON)
    assert [(s.key_id, s.name, s.spent, s.daily_cap) for s in reading.snapshots] == [
        ("k1", "prod", 12_500_000, 100_000_000)
    ]
    assert reading.balance == 99_000_000
    assert [r.headers.get("authorization") for r in server.requests if r.path == "/openapi.json"] == [None]
    source.close()
    server.close()


def test_an_address_in_the_document_is_never_proposed() -> None:
    found = read(USAGE | {"servers": [{"url": "https://evil.example.com"}]}, BASE)
    assert "evil" not in found.toml


@pytest.mark.parametrize("document", [None, [], {}, {"paths": []}, "text", 7])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(SourceError, match="is no OpenAPI document"):
        read(document, BASE)


def test_a_document_that_goes_round_in_circles_ends() -> None:
    loop = {"$ref": "#/components/schemas/A"}
    wide = thing(**{f"p{n}": loop for n in range(50)}, nextCursor=TEXT)
    schemas = {
        "A": {"allOf": [wide, loop], "properties": {"data": listed(loop)}},
        "B": {"$ref": "#/components/schemas/B"},
    }
    paths = {f"/keys{n}": {"get": answers({"$ref": f"#/components/schemas/{name}"})} for n, name in enumerate("AB")}
    assert read({"paths": paths, "components": {"schemas": schemas}}, BASE).toml == ""


HOSTILE = ['"', "\\", "\n", "\ud800", "\x7f", "]", "'''", "a b", "", "x" * 500, "é"]
junk = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=5), st.sampled_from(["#/paths", "#/a/b", "array", "object"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["get", "responses", "200", "content", "application/json", "schema", "items", "$ref"])
            | st.sampled_from(["properties", "allOf", "type", "/keys", "id", "spentToday", "parameters", "name"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


@settings(max_examples=60)
@given(junk)
def test_any_document_is_read_or_refused(paths: Any) -> None:
    if isinstance(paths, dict):
        assert read({"paths": paths}, BASE).calls >= 0


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_the_document_cannot_break_out_of_the_proposal(name: str) -> None:
    item = thing(id=TEXT, spentToday=NUMBER, **{f"{name}lastUsedAt": TEXT})
    paths = {"/keys": {"get": answers(thing(**{f"{name}x": listed(item)}))}, f"/{name}": {"delete": {}}}
    found = read({"paths": paths}, BASE)
    if found.toml:
        source = tomllib.loads(found.toml)["source"]
        assert set(source) == {"kind", "base_url", "keys", "fields", "workspace"}
        assert source["fields"]["spent_today"] == "spentToday"
    assert all("\n" not in one.call for one in found.signals)


def test_a_server_that_has_none_says_so() -> None:
    server = Server(None)
    with pytest.raises(SourceError, match="answered 404"):
        look(server.url)
    server.close()
