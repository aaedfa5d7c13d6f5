"""The API in OpenAPI 3.1, by hand: what is promised to programs. A test holds it against the routes and the answers.

Longer than most files: it is one document, and is read from top to bottom.
"""

from typing import Any

from flowy_watch import __version__
from flowy_watch.core.alert import LIVES, Status
from flowy_watch.core.provenance import Sure
from flowy_watch.core.usage import CREDIT, MOST

Schema = dict[str, Any]


def _maybe(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def _object(properties: dict[str, Schema], *, needed: list[str] | None = None) -> Schema:
    return {"type": "object", "properties": properties, "required": sorted(properties) if needed is None else needed}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_NONE: Schema = {"type": "null"}
_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_AT: Schema = {"type": "string", "format": "date-time"}
_MAYBE_AT = _maybe("string", format="date-time")
_CREDITS = _maybe("number", description="Credits; null where it is not known or there is none.")
_CURSOR = _maybe("string", description="Give it as `cursor` for the next page; null on the last.")
_ALERT: dict[str, Schema] = {
    "id": _NUMBER,
    "kind": _TEXT,
    "severity": {"enum": ["info", "warning", "critical"]},
    "status": {"enum": [status.value for status in Status]},
    "key_id": _maybe("string"),
    "key_name": _maybe("string"),
    "title": _TEXT,
    "opened_at": _AT,
    "last_seen_at": _AT,
    "resolved_at": _MAYBE_AT,
}
_KEY: dict[str, Schema] = {
    "key_id": _TEXT,
    "name": _TEXT,
    "last_four": _maybe("string"),
    "owner": _maybe("string"),
    "status": {"enum": ["active", "revoked", "expired", None]},
    "spent_today": _CREDITS,
    "daily_cap": _CREDITS,
    "last_used_at": _MAYBE_AT,
    "created_at": _MAYBE_AT,
}
_FIGURES: dict[str, Schema] = {
    "figures": _list(
        _object({"figure": _TEXT, "source": _TEXT, "sure": {"enum": [sure.value for sure in Sure]}}),
    )
    | {"description": "Where each figure comes from; empty where one source tells all of them exactly."}
}
_POLL: dict[str, Schema] = {
    "id": _NUMBER,
    "kind": {"enum": ["live", "import"]},
    "taken_at": _AT,
    "outcome": {"enum": ["good", "partial", "failed"]},
    "reason": _maybe("string"),
    "keys": _NUMBER,
    "skipped": _NUMBER,
}
_SILENCE: dict[str, Schema] = {
    "id": _NUMBER,
    "pattern": _TEXT,
    "kind": _maybe("string"),
    "until": _AT,
    "created_at": _AT,
    "by": _maybe("string"),
    "why": _maybe("string"),
    "expected": {"type": "boolean"},
    "credits": _CREDITS,
}
_DAY: dict[str, Schema] = {
    "day": {"type": "string", "format": "date"},
    "spent": _CREDITS,
    "daily_cap": _CREDITS,
    "last_used_at": _MAYBE_AT,
    "complete": {"type": "boolean"},
}
_DELIVERY: dict[str, Schema] = {
    "id": _TEXT,
    "alert": _maybe("integer"),
    "channel": _maybe("string"),
    "change": _TEXT,
    "status": {"enum": ["waiting", "sent", "dead", "withheld"]},
    "created_at": _AT,
    "sent_at": _MAYBE_AT,
    "tries": _NUMBER,
    "reason": _maybe("string"),
}
_STORY = _list(_object({"at": _AT, "what": _TEXT, "line": _TEXT}))
_STOP = _object(
    {
        "reported_at": _AT,
        "reported_by": _maybe("string"),
        "quiet_since": _MAYBE_AT,
        "still_listed_as_active": {"type": "boolean"},
        "used_at": _MAYBE_AT,
        "loss": _CREDITS,
        "loss_is_beyond_usual": _maybe("boolean"),
        "detected_after_seconds": _maybe("number"),
        "stopped_after_seconds": _maybe("number"),
    }
)
_STATE: dict[str, Schema] = {
    "acknowledged_by": _maybe("string"),
    "flapping": {"type": "boolean"},
    "came_back": _NUMBER,
    "stop": {"oneOf": [_STOP, _NONE], "description": "What is known of a revoke that was reported."},
}
_EVIDENCE: dict[str, Schema] = {"evidence": _list(_TEXT), "story": _STORY}
_STATUS: dict[str, Schema] = {
    "at": _AT,
    "last_poll": {"oneOf": [_object({name: _POLL[name] for name in _POLL if name not in ("id", "kind")}), _NONE]},
    "balance": _CREDITS,
    "open_alerts": _list(_ref("AlertState")),
    "silences": _list(_object(_SILENCE)),
    "log": _list(_object({"at": _AT, "act": _TEXT, "what": _TEXT, "by": _TEXT, "why": _TEXT})),
    "outbox": _object(dict.fromkeys(("waiting", "sent", "dead", "withheld"), _NUMBER)),
    "buttons": _list(_object({"channel": _TEXT, "connected": {"type": "boolean"}, "trouble": _TEXT, "since": _AT})),
    "dead_letters": _list(_object({"channel": _TEXT, "alert": _maybe("integer"), "created_at": _AT, "reason": _TEXT})),
    "keys": _list(_object({name: _KEY[name] for name in _KEY if name not in ("owner", "created_at")} | _FIGURES)),
    "blocks": _list(_object({"fingerprint": _TEXT, "key": _TEXT, "at": _AT, "by": _TEXT, "why": _TEXT})),
    "learned_prices": _list(
        _object({"app": _TEXT, "credits": _CREDITS, "low": _CREDITS, "high": _CREDITS, "runs": _NUMBER})
    ),
    "meter_trouble": {"type": "string", "description": "Why the blocks cannot be told; empty where they can."},
}
_SPAN = "[1-9][0-9]{0,8}s|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d|[1-9][0-9]{0,2}w"
_END: dict[str, Schema] = {
    "for": {
        "type": "string",
        "pattern": f"^({_SPAN})?$",
        "description": "How long: 90s, 15m, 24h, 30d. Instead of `until`.",
    },
    "until": {"type": "string", "format": "date-time", "description": "An end to come, as ISO 8601. Instead of `for`."},
}
_ONE_END: list[Schema] = [
    {"required": ["for"], "properties": {"for": {"minLength": 1}}, "not": {"required": ["until"]}},
    {"required": ["until"], "not": {"required": ["for"]}},
]
_MAYBE_AN_END = [*_ONE_END, {"properties": {"for": {"maxLength": 0}}, "not": {"required": ["until"]}}]
_NAMED: Schema = {"type": "string", "minLength": 1}
_KIND: Schema = {"enum": ["", *LIVES]}
_WHY: Schema = {"type": "string", "description": "The reason, for the log; 500 characters of it are kept."}
_BY: Schema = {"type": "string", "description": "For whom the program asks; stands in the log and the messages."}
_AMOUNT = {"minimum": 0, "maximum": MOST // CREDIT}
_SNAPSHOT = _object(
    {
        "key_id": {"type": "string", "minLength": 1},
        "name": _maybe("string"),
        "at": {"type": "string", "format": "date-time", "description": "UTC where no zone stands."},
        "spent_today": _maybe("number", **_AMOUNT, description="Null where it is not known."),
        "last_used_at": _MAYBE_AT,
        "daily_cap": _maybe("number", **_AMOUNT),
        "status": {"enum": ["active", "revoked", "expired", None]},
    },
    needed=["key_id", "at", "spent_today"],
)
_SCHEMAS: dict[str, Schema] = {
    "Alert": _object(_ALERT),
    "AlertState": _object(_ALERT | _STATE),
    "AlertStory": _object(_ALERT | _STATE | _EVIDENCE),
    "Status": _object(_STATUS),
    "Key": _object(_KEY),
    "KeyHistory": _object(_KEY | _FIGURES | {"days": _list(_object(_DAY)), "alerts": _list(_ref("Alert"))}),
    "Poll": _object(_POLL),
    "Silence": _object(_SILENCE),
    "Delivery": _object(_DELIVERY),
    "Workspace": _object(
        {
            "name": _maybe("string"),
            "at": _AT,
            "balance": _CREDITS,
            "balance_at": _MAYBE_AT,
            "spent_today": _CREDITS,
            "last_poll": {"oneOf": [_ref("Poll"), _NONE]},
            "last_good_poll_at": _MAYBE_AT,
            "unresolved_alerts": _NUMBER,
        }
    ),
    "Problem": _object({"type": _TEXT, "title": _TEXT, "status": _NUMBER, "detail": _TEXT}),
}
_LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}}
_PAGE = [
    _LIMIT,
    {
        "name": "cursor",
        "in": "query",
        "description": "`next_cursor` of the page before.",
        "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
    },
]


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "schema": schema}


def _place(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


_ALERT_PLACE = _place("alert", {"type": "integer", "minimum": 1})


def _said(description: str, schema: Schema | None) -> Schema:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": description, **content}


def _operation(
    name: str,
    summary: str,
    answer: Schema | None,
    *,
    status: int = 200,
    parameters: list[Schema] | None = None,
    body: Schema | None = None,
    acts: bool = False,
    tag: str = "",
) -> Schema:
    """Every operation may also answer with a problem; which ones, by what it takes."""
    problems = {"401", "421", "429", "503"} | ({"403", "400", "413"} if acts else set())
    problems |= {"422"} if parameters or body else set()
    problems |= {"404"} if any(one["in"] == "path" for one in parameters or []) or name == "expect" else set()
    responses = {str(status): _said("Done." if acts else "What is asked for.", answer)}
    responses |= {code: {"$ref": "#/components/responses/Problem"} for code in sorted(problems)}
    made: Schema = {"operationId": name, "summary": summary, "tags": [tag], "responses": responses}
    made["description"] = "Needs `web.token`." if acts else "Needs `web.token` or `web.viewer_token`."
    if parameters:
        made["parameters"] = parameters
    if body is not None:
        made["requestBody"] = {"content": {"application/json": {"schema": body}}, "required": bool(body["required"])}
    return made


def document() -> Schema:
    """The whole document; served at `/api/v1/openapi.json`."""
    why = {"why": _WHY, "by": _BY}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "flowy-watch",
            "version": __version__,
            "description": "What Flowy's API keys spend, what is odd about it, and what people do about it. "
            "Credits are numbers, times are UTC in ISO 8601.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1", "description": "This daemon."}],
        "security": [{"token": []}],
        "tags": [
            {"name": "state", "description": "What is watched."},
            {"name": "alerts", "description": "What is odd, and acting on it."},
            {"name": "silences", "description": "What nobody is told of."},
            {"name": "snapshots", "description": "Figures from elsewhere."},
        ],
        "paths": {
            "/status": {
                "get": _operation("status", "What the command `status` says", _ref("Status"), tag="state"),
            },
            "/workspace": {"get": _operation("workspace", "The state in one glance", _ref("Workspace"), tag="state")},
            "/keys": {
                "get": _operation(
                    "keys",
                    "Every key with its figures of today",
                    _object({"keys": _list(_ref("Key")), "next_cursor": _CURSOR}),
                    parameters=_PAGE,
                    tag="state",
                )
            },
            "/keys/{key}": {
                "get": _operation(
                    "key",
                    "One key with its last 90 days and its alerts",
                    _ref("KeyHistory"),
                    parameters=[_place("key", {"type": "string", "minLength": 1})],
                    tag="state",
                )
            },
            "/polls": {
                "get": _operation(
                    "polls",
                    "How reading went, newest first",
                    _object({"polls": _list(_ref("Poll")), "next_cursor": _CURSOR}),
                    parameters=_PAGE,
                    tag="state",
                )
            },
            "/deliveries": {
                "get": _operation(
                    "deliveries",
                    "Notices sent, waiting, dead and withheld, newest first",
                    _object({"deliveries": _list(_ref("Delivery")), "next_cursor": _CURSOR}),
                    parameters=[*_PAGE, _query("status", {"enum": ["waiting", "sent", "dead", "withheld"]})],
                    tag="state",
                )
            },
            "/alerts": {
                "get": _operation(
                    "alerts",
                    "Alerts, newest first",
                    _object({"alerts": _list(_ref("Alert")), "next_cursor": _CURSOR}),
                    parameters=[
                        *_PAGE,
                        _query("status", {"enum": ["open", "acknowledged", "resolved", "unresolved"]}),
                        _query("key_id", _TEXT),
                    ],
                    tag="alerts",
                )
            },
            "/alerts/{alert}": {
                "get": _operation(
                    "alert", "One alert with its story", _ref("AlertStory"), parameters=[_ALERT_PLACE], tag="alerts"
                )
            },
            "/alerts/{alert}/ack": {
                "post": _operation(
                    "acknowledge",
                    "Somebody looks after it: no more notices unless it gets worse",
                    _ref("AlertState"),
                    parameters=[_ALERT_PLACE],
                    body=_object(why | _END, needed=[]) | {"oneOf": _MAYBE_AN_END},
                    acts=True,
                    tag="alerts",
                )
            },
            "/alerts/{alert}/stop": {
                "post": _operation(
                    "stop",
                    "Somebody revoked its key: the next two good polls check that, and its other alerts are taken on",
                    {"allOf": [_ref("AlertState"), _object({"taken": _list(_ref("Alert"))})]},
                    parameters=[_ALERT_PLACE],
                    body=_object(why, needed=[]),
                    acts=True,
                    tag="alerts",
                )
            },
            "/alerts/{alert}/resolve": {
                "post": _operation(
                    "resolve",
                    "It is over; with not_an_anomaly its key is judged more leniently for five weeks",
                    _ref("Alert"),
                    parameters=[_ALERT_PLACE],
                    body=_object(why | {"not_an_anomaly": {"type": "boolean"}}, needed=[]),
                    acts=True,
                    tag="alerts",
                )
            },
            "/silences": {
                "get": _operation(
                    "silences", "Those in force", _object({"silences": _list(_ref("Silence"))}), tag="silences"
                ),
                "post": _operation(
                    "silence",
                    "Do not tell about keys that match, until then",
                    _ref("Silence"),
                    status=201,
                    body=_object({"pattern": _NAMED, "kind": _KIND} | why | _END, needed=["pattern"])
                    | {"oneOf": _ONE_END},
                    acts=True,
                    tag="silences",
                ),
            },
            "/silences/{silence}": {
                "delete": _operation(
                    "unsilence",
                    "End a silence now",
                    None,
                    status=204,
                    parameters=[
                        _place("silence", {"type": "integer", "minimum": 1}),
                        _query("why", _WHY),
                        _query("by", _BY),
                    ],
                    acts=True,
                    tag="silences",
                )
            },
            "/expectations": {
                "post": _operation(
                    "expect",
                    "A key's unusual use is wanted, until then",
                    {"allOf": [_ref("Silence"), _object({"taken": _list(_ref("Alert"))})]},
                    status=201,
                    body=_object(
                        {"key": {"type": "string", "minLength": 1}, "credits": _maybe("number", **_AMOUNT)}
                        | why
                        | _END,
                        needed=["key"],
                    )
                    | {"oneOf": _ONE_END},
                    acts=True,
                    tag="silences",
                )
            },
            "/snapshots": {
                "post": _operation(
                    "push",
                    "Add snapshots, as `flowy-watch import` does; a moment that is known changes nothing",
                    _object(
                        {
                            "polls": _NUMBER,
                            "snapshots": _NUMBER,
                            "known": _NUMBER,
                            "bad_lines": _NUMBER,
                            "skipped": _list(_object({"place": _NUMBER, "reason": _TEXT})),
                        }
                    ),
                    status=201,
                    body=_object({"snapshots": {**_list(_SNAPSHOT), "minItems": 1}}),
                    acts=True,
                    tag="snapshots",
                )
            },
        },
        "components": {
            "schemas": _SCHEMAS,
            "responses": {
                "Problem": {
                    "description": "What is wrong, in words (RFC 9457).",
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
