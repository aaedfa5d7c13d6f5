"""The documented API, over real HTTP."""

import pytest

QUOTA = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer flw_sk_unknown", "flw_sk_without_scheme"])
def test_a_missing_malformed_or_unknown_key_is_refused(flowy, header):
    headers = {} if header is None else {"Authorization": header}
    answer = flowy.http.get("/apps", headers=headers)
    assert (answer.status_code, list(answer.json())) == (401, ["error"])


@pytest.mark.parametrize("status", ["revoked", "expired"])
def test_a_key_that_is_no_longer_valid_is_refused_at_once(flowy, clock, status):
    assert flowy.get("/apps", key="shop").status_code == 200
    flowy.world.set_status("shop", status, clock.now())
    clock.wait(seconds=1)
    assert [flowy.get("/apps", key="shop").status_code, flowy.run().status_code] == [401, 401]
    assert flowy.world.key("shop").last_used_at == clock.at.replace(second=0)


def test_the_apps_are_those_of_the_workspace_with_the_documented_fields(flowy):
    apps = flowy.get("/apps", key="shop").json()["data"]
    fields = ["id", "slug", "title", "description", "published", "runCount", "thumbnailUrl"]
    assert {tuple(app) for app in apps} == {tuple(fields)}
    assert "app_caption" in {app["id"] for app in apps}
    assert "app_upscale" not in {app["id"] for app in apps}


def test_one_app_names_its_inputs_and_outputs(flowy):
    app = flowy.get("/apps/app_caption", key="shop").json()["data"]
    assert app["inputs"][0] == {"nodeId": "brief", "label": "Brief", "kind": "text", "required": True}
    assert app["outputs"] == [{"nodeId": "result", "label": "Caption writer", "outputType": "text"}]


def test_a_strangers_app_is_seen_only_when_published_and_the_caller_pays(flowy):
    answers = [flowy.get(f"/apps/app_{app}", key="shop").status_code for app in ("upscale", "in-the-lab", "none")]
    assert answers == [200, 404, 404]
    assert [flowy.run("upscale").status_code, flowy.run("in-the-lab").status_code] == [202, 404]
    assert flowy.balance() == 998


def test_a_run_goes_from_queued_over_running_to_completed(flowy, clock):
    started = flowy.run("product-photo")
    run_id = started.json()["data"]["runId"]
    assert (started.status_code, started.json()) == (202, {"data": {"runId": run_id, "status": "queued"}})
    seen = []
    for _ in range(3):
        seen.append(flowy.get(f"/runs/{run_id}", key="newer").json()["data"])
        clock.wait(seconds=10)
    assert [run["status"] for run in seen] == ["queued", "running", "completed"]
    assert [len(run["outputs"]) for run in seen] == [0, 0, 1]
    assert list(seen[2]) == ["runId", "appId", "appTitle", "status", "outputs", "error", "createdAt", "updatedAt"]
    assert (seen[2]["createdAt"], seen[2]["updatedAt"]) == ("2026-11-24T12:00:00Z", "2026-11-24T12:00:17Z")


def test_some_runs_fail_and_say_so_and_stay_charged(flowy, clock):
    ids = []
    for _ in range(80):
        clock.wait(minutes=1)
        ids.append(flowy.run("caption").json()["data"]["runId"])
    clock.wait(minutes=10)
    runs = [flowy.get(f"/runs/{run_id}", key="site").json()["data"] for run_id in ids]
    failed = [run for run in runs if run["status"] == "failed"]
    assert 0 < len(failed) < 8
    assert all(run["error"] and not run["outputs"] for run in failed)
    assert flowy.usage("shop")["spentToday"] == 20


def test_a_run_of_nobody_is_not_found(flowy):
    assert flowy.get("/runs/run_1", key="shop").status_code == 404


@pytest.mark.parametrize("inputs", [{}, {"reference": "x"}, "not an object", 7])
def test_a_run_without_its_required_inputs_is_refused_and_costs_nothing(flowy, inputs):
    answer = flowy.run(inputs=inputs)
    assert (answer.status_code, flowy.balance()) == (400, 1000)


def test_a_run_with_a_broken_body_is_refused(flowy):
    answer = flowy.http.post("/apps/app_caption/runs", content=b"{", headers=flowy.bearer("shop"))
    assert answer.status_code == 400


def test_the_openapi_document_is_public_and_lists_the_documented_calls_alone(flowy):
    document = flowy.http.get("/openapi.json").json()
    calls = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert document["openapi"].startswith("3.")
    assert document["servers"] == [{"url": flowy.server.base_url}]
    assert calls == {
        ("get", "/apps"),
        ("get", "/apps/{appId}"),
        ("post", "/apps/{appId}/runs"),
        ("get", "/runs/{runId}"),
    }


def test_every_answer_carries_the_rate_limit_and_the_simulated_date(flowy):
    answers = [
        flowy.http.get("/openapi.json"),
        flowy.http.get("/apps"),
        flowy.get("/apps", key="shop"),
        flowy.run(),
        flowy.run("none"),
        flowy.http.get("/nowhere"),
        flowy.http.delete("/apps"),
        flowy.owner("/workspace"),
        flowy.http.get("/keys"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200, 202, 404, 404, 405, 200, 401]
    assert all(name in answer.headers for answer in answers for name in QUOTA)
    assert {answer.headers["date"] for answer in answers} == {"Tue, 24 Nov 2026 12:00:00 GMT"}
    assert all(isinstance(answer.json()["error"], str) for answer in answers if answer.status_code > 399)
