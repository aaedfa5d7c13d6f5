"""The documented calls, answered for a key's secret."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flowy_watch.clock import Clock
from flowy_watch.simulator.answer import Truncated, answer, bearer, refusal, spoilt
from flowy_watch.simulator.app import App
from flowy_watch.simulator.faults import Fault, FaultKind, Faults
from flowy_watch.simulator.openapi import openapi_document
from flowy_watch.simulator.refusal import Refused
from flowy_watch.simulator.run import Run, RunStatus
from flowy_watch.simulator.world import World

Call: TypeAlias = Callable[[Request, bytes, datetime], tuple[int, object]]


class PublicApi:
    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        self._world = world
        self._clock = clock
        self._faults = faults

    def routes(self) -> list[Route]:
        return [
            Route("/apps", self._endpoint(self.apps)),
            Route("/apps/{app_id}", self._endpoint(self.app)),
            Route("/apps/{app_id}/runs", self._endpoint(self.start_run), methods=["POST"]),
            Route("/runs/{run_id}", self._endpoint(self.run)),
            Route("/openapi.json", self._endpoint(self.openapi)),
        ]

    def apps(self, request: Request, body: bytes, now: datetime) -> tuple[int, object]:
        self._world.admit(bearer(request), now)
        return 200, {"data": [self._summary(app) for app in self._world.own_apps()]}

    def app(self, request: Request, body: bytes, now: datetime) -> tuple[int, object]:
        self._world.admit(bearer(request), now)
        app = self._world.app(request.path_params["app_id"])
        inputs = [
            {"nodeId": each.node_id, "label": each.label, "kind": each.kind, "required": each.required}
            for each in app.inputs
        ]
        outputs = [
            {"nodeId": each.node_id, "label": each.label, "outputType": each.output_type} for each in app.outputs
        ]
        return 200, {"data": {**self._summary(app), "inputs": inputs, "outputs": outputs}}

    def start_run(self, request: Request, body: bytes, now: datetime) -> tuple[int, object]:
        run = self._world.start_run(bearer(request), request.path_params["app_id"], _inputs(body), now)
        return 202, {"data": {"runId": run.id, "status": run.status(now)}}

    def run(self, request: Request, body: bytes, now: datetime) -> tuple[int, object]:
        self._world.admit(bearer(request), now)
        return 200, {"data": _progress(self._world.run(request.path_params["run_id"]), now)}

    def openapi(self, request: Request, body: bytes, now: datetime) -> tuple[int, object]:
        return 200, openapi_document(str(request.url).removesuffix("/openapi.json"))

    def _endpoint(self, call: Call) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            now, body = self._clock.now(), await request.body()
            self._world.advance(now)
            fault = self._faults.take_public()
            return self._answer(call, request, body, fault=fault, now=now)

        return endpoint

    def _answer(self, call: Call, request: Request, body: bytes, *, fault: Fault | None, now: datetime) -> Response:
        date, secret = now + self._faults.date_skew, bearer(request)
        if fault and (response := spoilt(fault, now=date, quota=self._world.quota(secret, now))):
            return response
        try:
            status, content = call(request, body, now)
        except Refused as refused:
            return refusal(refused, now=date, quota=self._world.quota(secret, now))
        response = answer(status, content, now=date, quota=self._world.quota(secret, now))
        return Truncated(response) if fault and fault.kind is FaultKind.TRUNCATED else response

    def _summary(self, app: App) -> dict[str, object]:
        return {
            "id": app.id,
            "slug": app.slug,
            "title": app.title,
            "description": app.description,
            "published": app.published,
            "runCount": self._world.run_counts[app.id],
            "thumbnailUrl": app.thumbnail_url,
        }


def _inputs(body: bytes) -> dict[str, object] | None:
    """None for a body without an object of inputs; only a key that may ask is told so."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    inputs = content.get("inputs", {}) if isinstance(content, dict) else None
    return inputs if isinstance(inputs, dict) else None


def _progress(run: Run, now: datetime) -> dict[str, object]:
    status = run.status(now)
    return {
        "runId": run.id,
        "appId": run.app.id,
        "appTitle": run.app.title,
        "status": status,
        "outputs": list(run.outputs(now)),
        "error": "The model gave up" if status is RunStatus.FAILED else None,
        "createdAt": run.created_at,
        "updatedAt": run.updated_at(now),
    }
