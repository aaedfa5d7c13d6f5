"""The JSON API, as a program meets it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route

from flowy_watch.web.openapi import document
from flowy_watch.web.site import build_site
from flowy_watch.web.workers import Workers
from tests.builders import NOON, snapshot

from .house import VIEWER, House


def api(house: House, path: str, **query: Any) -> Any:
    answer = house.machine().get(f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert_as_documented(answer, path, "get")
    return answer.json()


def act(house: House, path: str, status: int = 200, method: str = "POST", **fields: Any) -> Any:
    answer = house.machine().request(method, f"/api/v1{path}", json=fields or None)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    fields = answer.json()
    assert fields["status"] == answer.status_code
    return answer.status_code, fields["detail"]


def assert_as_documented(answer: httpx.Response, path: str, method: str) -> None:
    """Every field that is promised, and no other."""
    known = document()
    template = next(
        (p for p in known["paths"] if p.split("/")[1] == path.split("/")[1] and p.count("/") == path.count("/")), None
    )
    assert template, path
    schema = known["paths"][template][method]["responses"]["200"]["content"]["application/json"]["schema"]
    assert_fits(answer.json(), schema, known)


def assert_fits(value: Any, schema: dict[str, Any], known: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = known["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        schema = {"type": "null"} if value is None else schema["oneOf"][0]
        assert value is None or assert_fits(value, schema, known) is None
    elif schema.get("type") == "object":
        assert set(value) == set(schema["properties"])
        for name, part in schema["properties"].items():
            assert_fits(value[name], part, known)
    elif schema.get("type") == "array":
        for part in value:
            assert_fits(part, schema["items"], known)
    elif "enum" in schema:
        assert value in schema["enum"]
    else:
        kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[name]) for name in names), (value, schema)


def test_the_workspace_is_the_state_in_one_glance(house: House) -> None:
    assert api(house, "/workspace")["last_poll"] is None
    house.poll(snapshot(30), snapshot(2, key_id="key_2"), balance=500)
    house.alert()
    found = api(house, "/workspace")
    assert (found["name"], found["balance"], found["spent_today"], found["unresolved_alerts"]) == ("Studio", 500, 32, 1)
    assert found["last_good_poll_at"] == "2026-03-02T12:00:00Z"


def test_keys_come_page_by_page(house: House) -> None:
    house.poll(*[snapshot(n, key_id=f"key_{n}", name=f"n{n}") for n in range(5)])
    first = api(house, "/keys", limit=2)
    second = api(house, "/keys", limit=2, cursor=first["next_cursor"])
    third = api(house, "/keys", limit=2, cursor=second["next_cursor"])
    assert [k["name"] for page in (first, second, third) for k in page["keys"]] == ["n0", "n1", "n2", "n3", "n4"]
    assert third["next_cursor"] is None


def test_a_key_tells_its_days_and_its_alerts(house: House) -> None:
    house.days([5, 7, 9], cap=100)
    alert = house.alert()
    found = api(house, "/keys/key_1")
    assert [(day["day"], day["spent"]) for day in found["days"]] == [
        ("2026-02-28", 5),
        ("2026-03-01", 7),
        ("2026-03-02", 9),
    ]
    assert (found["spent_today"], found["daily_cap"], [a["id"] for a in found["alerts"]]) == (9, 100, [alert.id])


def test_alerts_have_the_fields_of_the_command(house: House) -> None:
    house.alert()
    (found,) = api(house, "/alerts")["alerts"]
    assert list(found) == [
        "id", "kind", "severity", "status", "key_id", "key_name", "title", "opened_at", "last_seen_at", "resolved_at"
    ]  # fmt: skip
    assert found["opened_at"] == "2026-03-02T12:00:00Z"
    assert api(house, "/alerts", status="resolved")["alerts"] == []
    assert api(house, "/alerts", status="unresolved")["alerts"] == [found]
    assert api(house, "/alerts", key_id="another")["alerts"] == []


def test_an_alert_tells_its_story_with_who_did_what(house: House) -> None:
    alert = house.alert()
    assert act(house, f"/alerts/{alert.id}/ack", why="launch day")["status"] == "acknowledged"
    assert act(house, f"/alerts/{alert.id}/resolve", not_an_anomaly=True)["status"] == "resolved"
    found = api(house, f"/alerts/{alert.id}")
    story = [line["line"] for line in found["story"] if line["what"] in ("acknowledged", "dismissed")]
    assert story == [
        "acknowledged: render is at 96 % of its daily cap (by the API): launch day",
        "resolved as no anomaly: render is at 96 % of its daily cap (by the API)",
    ]
    assert found["evidence"] == ["960 of 1,000 credits"]


def test_a_reported_revoke_takes_on_every_alert_of_its_key(house: House) -> None:
    house.poll(snapshot(30))
    alert, other = house.alert(), house.alert(kind="spike", period="")
    done = act(house, f"/alerts/{alert.id}/stop", by="ana", why="leaked")
    assert (done["acknowledged_by"], done["stop"]["reported_by"]) == ("ana", "ana")
    assert [one["id"] for one in done["taken"]] == [other.id]
    assert house.stored(other.id).status == "acknowledged"


def test_the_state_is_that_of_the_command(house: House) -> None:
    house.poll(snapshot(30), balance=500)
    house.alert()
    act(house, "/silences", 201, pattern="dev-*", **{"for": "24h"}, by="ana")
    found = api(house, "/status")
    assert (found["balance"], len(found["keys"]), found["log"][0]["by"]) == (500, 1, "ana")


def test_silences_begin_and_end(house: House) -> None:
    made = act(house, "/silences", 201, pattern="dev-*", **{"for": "24h"}, kind="spike", why="load test")
    assert (made["until"], made["kind"], made["expected"]) == ("2026-03-03T12:00:00Z", "spike", False)
    assert [one["id"] for one in api(house, "/silences")["silences"]] == [made["id"]]
    act(house, f"/silences/{made['id']}", 204, "DELETE")
    assert api(house, "/silences")["silences"] == []
    assert act(house, f"/silences/{made['id']}", 404, "DELETE")["detail"].startswith("no silence 1 is in force")


def test_what_is_expected_takes_on_the_open_alert(house: House) -> None:
    house.poll(snapshot(30))
    alert = house.alert(kind="spike", period="")
    made = act(house, "/expectations", 201, key="render", until="2026-03-04T00:00Z", credits=5000)
    assert (made["expected"], made["credits"], [one["id"] for one in made["taken"]]) == (True, 5000, [alert.id])
    assert house.stored(alert.id).status == "acknowledged"
    assert act(house, "/expectations", 404, key="nobody", **{"for": "1h"})["detail"].startswith("no key is called")


def test_deliveries_and_polls_are_listed(house: House) -> None:
    house.poll(snapshot(30))
    house.notice("ops")
    house.notice("", house.alert(), withheld="a silence")
    found = api(house, "/deliveries")["deliveries"]
    assert [(d["channel"], d["status"], d["reason"]) for d in found] == [
        (None, "withheld", "a silence"),
        ("ops", "waiting", None),
    ]
    assert len(api(house, "/deliveries", limit=1)["deliveries"]) == 1
    assert [poll["outcome"] for poll in api(house, "/polls")["polls"]] == ["good"]


def test_snapshots_are_pushed_once(house: House) -> None:
    rows = [
        {"key_id": "k1", "name": "render", "at": "2026-03-01T10:00:00Z", "spent_today": 5, "daily_cap": 50},
        {"key_id": "k2", "at": "2026-03-01T10:00:00Z", "spent_today": -1},
    ]
    done = act(house, "/snapshots", 201, snapshots=rows)
    assert (done["polls"], done["snapshots"], [line["place"] for line in done["skipped"]]) == (1, 1, [2])
    assert act(house, "/snapshots", 201, snapshots=rows)["known"] == 1
    assert act(house, "/snapshots", 201, snapshots=rows)["bad_lines"] == 1
    future = [{"key_id": "k1", "at": (NOON + timedelta(days=1)).isoformat(), "spent_today": 1}]
    assert "from the future" in act(house, "/snapshots", 422, snapshots=future)["detail"]
    assert "no snapshot" in act(house, "/snapshots", 422, snapshots=[])["detail"]
    assert "list" in act(house, "/snapshots", 422, snapshots=[1])["detail"]
    odd = [{"key_id": ["k1"], "at": "2026-03-01T10:00:00Z", "spent_today": 1}]
    assert "has a key_id of the wrong kind" in act(house, "/snapshots", 422, snapshots=odd)["detail"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/silences", {"pattern": "x"}, "This needs an end"),
        ("/silences", {"pattern": "", "for": "1h"}, "pattern is missing"),
        ("/silences", {"pattern": 7, "for": "1h"}, "pattern must be text"),
        ("/silences", {"pattern": "x", "for": "soon"}, "for must be a duration"),
        ("/silences", {"pattern": "x", "for": "1h", "until": "2030-01-01"}, "not both"),
        ("/silences", {"pattern": "x", "until": "2020-01-01"}, "in the past"),
        ("/silences", {"pattern": "x", "until": "noon"}, "must be ISO 8601"),
        ("/silences", {"pattern": "x", "for": "1h", "kind": "nix"}, "kind must be one of cap"),
        ("/expectations", {"key": "x", "for": "1h", "credits": "many"}, "credits must be an amount"),
        ("/expectations", {"key": "x", "for": "1h", "credits": [1]}, "credits must be an amount"),
        ("/alerts/1/resolve", {"not_an_anomaly": "maybe"}, "must be true or false"),
        ("/alerts/1/ack", {"why": ["x"]}, "why must be text"),
        ("/alerts/1/ack", [1], "must be an object"),
    ],
)
def test_what_is_wrong_is_said_in_words(house: House, path: str, body: Any, said: str) -> None:
    house.alert()
    status, detail = problem(house.machine().post(f"/api/v1{path}", json=body))
    assert (status, said in detail) == (422, True), detail


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/keys?limit=0", 422),
        ("/keys?limit=x", 422),
        ("/alerts?status=nix", 422),
        ("/alerts?status=", 422),
        ("/deliveries?status=nix", 422),
        ("/alerts?cursor=-1", 422),
        ("/alerts?cursor=", 422),
        ("/alerts/0", 404),
        ("/alerts/99", 404),
        ("/alerts/" + "9" * 40, 404),
        ("/alerts/١", 404),
        ("/keys/nobody", 404),
        ("/nowhere", 404),
    ],
)
def test_what_there_is_not_is_a_problem_in_json(house: House, path: str, status: int) -> None:
    assert problem(house.machine().get(f"/api/v1{path}"))[0] == status


def test_without_a_token_there_is_a_problem(house: House) -> None:
    answer = house.client().get("/api/v1/alerts")
    assert (problem(answer)[0], answer.headers["www-authenticate"]) == (401, "Bearer")
    assert problem(house.client().post("/api/v1/silences", json={}))[0] == 401
    assert problem(house.client(headers={"authorization": "Basic eDp5"}).get("/api/v1/alerts"))[0] == 401
    assert problem(house.machine("wrong").get("/api/v1/alerts"))[0] == 401
    assert problem(house.machine().post("/api/v1/alerts", json={}))[0] == 405


def test_a_viewers_token_reads_and_does_not_act(house: House) -> None:
    alert, viewer = house.alert(), house.machine(VIEWER)
    assert viewer.get("/api/v1/alerts").status_code == 200
    assert problem(viewer.post(f"/api/v1/alerts/{alert.id}/ack"))[0] == 403
    assert house.stored(alert.id).status == "open"


def test_a_broken_body_and_a_large_one_are_refused(house: House) -> None:
    assert problem(house.machine().post("/api/v1/silences", content=b"{"))[0] == 400
    assert problem(house.machine().post("/api/v1/silences", content=b" " * 70_000))[0] == 413


def test_every_route_is_documented_and_every_documented_one_is_there(house: House) -> None:
    site = build_site(house.server.site, Workers(1, patience=1))
    (mount,) = [route for route in site.routes if isinstance(route, Mount) and route.path == "/api/v1"]
    served = {
        (route.path.replace(":path", ""), method.lower())
        for route in mount.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    } - {("/openapi.json", "get")}
    assert served == {(path, method) for path, methods in document()["paths"].items() for method in methods}


def test_the_document_is_served_to_everybody(house: House) -> None:
    found = house.client().get("/api/v1/openapi.json").json()
    assert found == document()
    names = [operation["operationId"] for methods in found["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in found["tags"]}
    assert {t for methods in found["paths"].values() for one in methods.values() for t in one["tags"]} == tags
