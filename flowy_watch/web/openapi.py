"""The API in OpenAPI 3.1, by hand: what is promised to programs. A test holds it against the routes and the answers.

Longer than most files: it is one document, and is read from top to bottom.
"""

from flowy_watch import __version__
from flowy_watch.web.shapes import (
    AMOUNT,
    BY,
    CURSOR,
    END,
    KIND,
    MAYBE_AN_END,
    NAMED,
    NUMBER,
    ONE_END,
    SCHEMAS,
    SNAPSHOT,
    TEXT,
    WHY,
    Schema,
    an_object,
    list_of,
    maybe,
    ref,
)

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


_DIGEST_PLACE = [
    _place("period", {"type": "string", "minLength": 1, "description": "2026-W47 or 2026-10."}),
    _query("owner", {"type": "string", "description": "Only the keys of this owner."}),
]
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
    finds: bool = False,
    tag: str = "",
) -> Schema:
    """Every operation may also answer with a problem; which ones, by what it takes.

    `finds`: its body names something that need not be there.
    """
    problems = {"401", "421", "429", "503"} | ({"403", "400", "413"} if acts else set())
    problems |= {"422"} if parameters or body else set()
    problems |= {"404"} if any(one["in"] == "path" for one in parameters or []) or finds else set()
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
    why = {"why": WHY, "by": BY}
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
            {"name": "blocks", "description": "Keys that the meter refuses."},
            {"name": "digests", "description": "Finished weeks and months."},
            {"name": "snapshots", "description": "Figures from elsewhere."},
        ],
        "paths": {
            "/status": {
                "get": _operation("status", "What the command `status` says", ref("Status"), tag="state"),
            },
            "/workspace": {"get": _operation("workspace", "The state in one glance", ref("Workspace"), tag="state")},
            "/keys": {
                "get": _operation(
                    "keys",
                    "Every key with its figures of today",
                    an_object({"keys": list_of(ref("Key")), "next_cursor": CURSOR}),
                    parameters=_PAGE,
                    tag="state",
                )
            },
            "/keys/{key}": {
                "get": _operation(
                    "key",
                    "One key with its last 90 days and its alerts",
                    ref("KeyHistory"),
                    parameters=[_place("key", {"type": "string", "minLength": 1})],
                    tag="state",
                )
            },
            "/polls": {
                "get": _operation(
                    "polls",
                    "How reading went, newest first",
                    an_object({"polls": list_of(ref("Poll")), "next_cursor": CURSOR}),
                    parameters=_PAGE,
                    tag="state",
                )
            },
            "/deliveries": {
                "get": _operation(
                    "deliveries",
                    "Notices sent, waiting, dead and withheld, newest first",
                    an_object({"deliveries": list_of(ref("Delivery")), "next_cursor": CURSOR}),
                    parameters=[*_PAGE, _query("status", {"enum": ["waiting", "sent", "dead", "withheld"]})],
                    tag="state",
                )
            },
            "/alerts": {
                "get": _operation(
                    "alerts",
                    "Alerts, newest first",
                    an_object({"alerts": list_of(ref("Alert")), "next_cursor": CURSOR}),
                    parameters=[
                        *_PAGE,
                        _query("status", {"enum": ["open", "acknowledged", "resolved", "unresolved"]}),
                        _query("key_id", TEXT),
                    ],
                    tag="alerts",
                )
            },
            "/alerts/{alert}": {
                "get": _operation(
                    "alert", "One alert with its story", ref("AlertStory"), parameters=[_ALERT_PLACE], tag="alerts"
                )
            },
            "/alerts/{alert}/ack": {
                "post": _operation(
                    "acknowledge",
                    "Somebody looks after it: no more notices unless it gets worse",
                    ref("AlertState"),
                    parameters=[_ALERT_PLACE],
                    body=an_object(why | END, needed=[]) | {"oneOf": MAYBE_AN_END},
                    acts=True,
                    tag="alerts",
                )
            },
            "/alerts/{alert}/stop": {
                "post": _operation(
                    "stop",
                    "Somebody revoked its key: the next two good polls check that, and its other alerts are taken on",
                    {"allOf": [ref("AlertState"), an_object({"taken": list_of(ref("Alert"))})]},
                    parameters=[_ALERT_PLACE],
                    body=an_object(why, needed=[]),
                    acts=True,
                    tag="alerts",
                )
            },
            "/alerts/{alert}/resolve": {
                "post": _operation(
                    "resolve",
                    "It is over; with not_an_anomaly its key is judged more leniently for five weeks",
                    ref("Alert"),
                    parameters=[_ALERT_PLACE],
                    body=an_object(why | {"not_an_anomaly": {"type": "boolean"}}, needed=[]),
                    acts=True,
                    tag="alerts",
                )
            },
            "/small-anomalies": {
                "get": _operation(
                    "smallAnomalies",
                    "What was odd and worth too little for an alert, newest first",
                    an_object({"small_anomalies": list_of(ref("SmallAnomaly"))}),
                    tag="alerts",
                )
            },
            "/silences": {
                "get": _operation(
                    "silences", "Those in force", an_object({"silences": list_of(ref("Silence"))}), tag="silences"
                ),
                "post": _operation(
                    "silence",
                    "Do not tell about keys that match, until then",
                    ref("Silence"),
                    status=201,
                    body=an_object({"pattern": NAMED, "kind": KIND} | why | END, needed=["pattern"])
                    | {"oneOf": ONE_END},
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
                        _query("why", WHY),
                        _query("by", BY),
                    ],
                    acts=True,
                    tag="silences",
                )
            },
            "/expectations": {
                "post": _operation(
                    "expect",
                    "A key's unusual use is wanted, until then",
                    {"allOf": [ref("Silence"), an_object({"taken": list_of(ref("Alert"))})]},
                    status=201,
                    body=an_object(
                        {"key": {"type": "string", "minLength": 1}, "credits": maybe("number", **AMOUNT)} | why | END,
                        needed=["key"],
                    )
                    | {"oneOf": ONE_END},
                    acts=True,
                    finds=True,
                    tag="silences",
                )
            },
            "/blocks": {
                "post": _operation(
                    "block",
                    "The meter refuses a key from its next request on, and its alerts are taken on",
                    ref("Blocked"),
                    status=201,
                    body=an_object({"key": NAMED} | why, needed=["key"]),
                    acts=True,
                    finds=True,
                    tag="blocks",
                )
            },
            "/blocks/end": {
                "post": _operation(
                    "unblock",
                    "The meter lets a blocked key through again",
                    ref("Blocked"),
                    body=an_object({"key": NAMED} | why, needed=["key"]),
                    acts=True,
                    finds=True,
                    tag="blocks",
                )
            },
            "/digests": {
                "get": _operation(
                    "digests",
                    "The last finished weeks and months",
                    an_object({"digests": list_of(ref("DigestLine"))}),
                    tag="digests",
                )
            },
            "/digests/{period}": {
                "get": _operation(
                    "digest",
                    "A finished week or month in numbers",
                    ref("Digest"),
                    parameters=_DIGEST_PLACE,
                    tag="digests",
                )
            },
            "/digests/{period}/mail": {
                "get": _operation(
                    "digestMail",
                    "The same as it is mailed, the pictures inside of its HTML",
                    an_object({"subject": TEXT, "text": TEXT, "html": TEXT}),
                    parameters=_DIGEST_PLACE,
                    tag="digests",
                )
            },
            "/snapshots": {
                "post": _operation(
                    "push",
                    "Add snapshots, as `flowy-watch import` does; a moment that is known changes nothing",
                    an_object(
                        {
                            "polls": NUMBER,
                            "snapshots": NUMBER,
                            "known": NUMBER,
                            "bad_lines": NUMBER,
                            "skipped": list_of(an_object({"place": NUMBER, "reason": TEXT})),
                        }
                    ),
                    status=201,
                    body=an_object({"snapshots": {**list_of(SNAPSHOT), "minItems": 1}}),
                    acts=True,
                    tag="snapshots",
                )
            },
        },
        "components": {
            "schemas": SCHEMAS,
            "responses": {
                "Problem": {
                    "description": "What is wrong, in words (RFC 9457).",
                    "content": {"application/problem+json": {"schema": ref("Problem")}},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
