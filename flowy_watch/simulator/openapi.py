"""The OpenAPI 3 document of the documented calls, as `GET /openapi.json` serves it."""

from typing import TypeAlias

from flowy_watch.simulator.run import RunStatus

Json: TypeAlias = dict[str, object]

TEXT: Json = {"type": "string"}
NULLABLE_TEXT: Json = {"type": ["string", "null"]}
INSTANT: Json = {"type": "string", "format": "date-time"}
STATUS: Json = {"type": "string", "enum": [status.value for status in RunStatus]}


def openapi_document(base_url: str) -> Json:
    paths = {
        "/apps": {"get": _call("List the workspace's active apps", 200, _list(_ref("App")))},
        "/apps/{appId}": {"get": _call("Get one app", 200, _ref("AppDetail"), _parameter("appId"))},
        "/apps/{appId}/runs": {"post": _start_run()},
        "/runs/{runId}": {"get": _call("Get one run", 200, _ref("Run"), _parameter("runId"))},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flowy API", "version": "1"},
        "servers": [{"url": base_url}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _schemas() -> Json:
    app: Json = {
        "id": TEXT,
        "slug": TEXT,
        "title": TEXT,
        "description": TEXT,
        "published": {"type": "boolean"},
        "runCount": {"type": "integer"},
        "thumbnailUrl": NULLABLE_TEXT,
    }
    app_input = _object({"nodeId": TEXT, "label": TEXT, "kind": TEXT, "required": {"type": "boolean"}})
    app_output = _object({"nodeId": TEXT, "label": TEXT, "outputType": TEXT})
    run_output = _object({"nodeId": TEXT, "kind": TEXT, "url": NULLABLE_TEXT, "text": NULLABLE_TEXT})
    run: Json = {
        "runId": TEXT,
        "appId": TEXT,
        "appTitle": TEXT,
        "status": STATUS,
        "outputs": _list(run_output),
        "error": NULLABLE_TEXT,
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
    }
    return {
        "App": _object(app),
        "AppDetail": _object({**app, "inputs": _list(app_input), "outputs": _list(app_output)}),
        "StartedRun": _object({"runId": TEXT, "status": STATUS}),
        "Run": _object(run),
        "Error": _object({"error": TEXT}),
    }


def _start_run() -> Json:
    call = _call("Start a run, billed to the key's workspace", 202, _ref("StartedRun"), _parameter("appId"))
    body = _object({"inputs": {"type": "object", "additionalProperties": True}})
    return {**call, "requestBody": {"required": True, "content": _content(body)}}


def _call(summary: str, status: int, data: Json, *parameters: Json) -> Json:
    success: Json = {"description": "Success", "content": _content(_object({"data": data}))}
    refusal: Json = {"description": "Refused", "content": _content(_ref("Error"))}
    return {"summary": summary, "parameters": list(parameters), "responses": {str(status): success, "default": refusal}}


def _parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
