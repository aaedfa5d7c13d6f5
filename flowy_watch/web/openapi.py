"""The API in OpenAPI 3.1, by hand: what is promised to programs. A test holds it against the routes and the answers.

Longer than most files: it is one document, and is read from top to bottom.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

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
    ROW,
    SCHEMAS,
    TEXT,
    WHY,
    Schema,
    an_object,
    list_of,
    maybe,
    ref,
)

_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}
_AFTER: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_NOTED = {"why": WHY, "by": BY}
_TAKEN = an_object({"taken": list_of(ref("Alert"))})
_ONE: Schema = {"type": "integer", "minimum": 1}
_PLACES: dict[str, Schema] = {
    "alert": _ONE,
    "key": {"type": "string", "minLength": 1},
    "period": {"type": "string", "minLength": 1, "description": "2026-W47 or 2026-10."},
    "silence": _ONE,
}
"""What may stand in a path, wherever it has that name."""
_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked or done at one place."""

    method: str
    path: str
    made: Schema


def _query(name: str, schema: Schema, **more: str) -> Schema:
    return {"name": name, "in": "query", **more, "schema": schema}


_PAGE = (_query("limit", _LIMIT), _query("cursor", _AFTER, description="`next_cursor` of the page before."))


def _get(path: str, name: str, summary: str, answer: Schema, *query: Schema) -> Operation:
    return _operation("get", path, name, summary, answer, query=query)


def _pages(path: str, name: str, summary: str, of: str, *query: Schema) -> Operation:
    """A list, a page at a time."""
    answer = an_object({name: list_of(ref(of)), "next_cursor": CURSOR})
    return _get(path, name, summary, answer, *_PAGE, *query)


def _post(
    path: str, name: str, summary: str, answer: Schema, body: Schema, *, status: int = 200, finds: bool = False
) -> Operation:
    return _operation("post", path, name, summary, answer, body=body, status=status, finds=finds)


def _operation(
    method: str,
    path: str,
    name: str,
    summary: str,
    answer: Schema | None,
    *,
    query: Iterable[Schema] = (),
    body: Schema | None = None,
    status: int = 200,
    finds: bool = False,
) -> Operation:
    """Every operation may also answer with a problem; which ones, by what it takes.

    `finds`: its body names something that need not be there.
    """
    acts = method != "get"
    places = [{"name": one, "in": "path", "required": True, "schema": _PLACES[one]} for one in _NAME.findall(path)]
    parameters = [*places, *query]
    problems = {"401", "421", "429", "503"} | ({"403", "400", "413"} if acts else set())
    problems |= {"422"} if parameters or body else set()
    problems |= {"404"} if places or finds else set()
    content = {} if answer is None else {"content": {"application/json": {"schema": answer}}}
    made: Schema = {
        "operationId": name,
        "summary": summary,
        "description": "Needs `web.token`." if acts else "Needs `web.token` or `web.viewer_token`.",
        "responses": {str(status): {"description": "Done." if acts else "What is asked for.", **content}}
        | {code: {"$ref": "#/components/responses/Problem"} for code in sorted(problems)},
    }
    if parameters:
        made["parameters"] = parameters
    if body is not None:
        made["requestBody"] = {"content": {"application/json": {"schema": body}}, "required": bool(body["required"])}
    return Operation(method, path, made)


_BLOCKING = an_object({"key": NAMED, "why": WHY, "by": BY}, needed=["key"])
_OWNER = _query("owner", {"type": "string", "description": "Only the keys of this owner."})
_COUNTED = dict.fromkeys(("polls", "snapshots", "known", "bad_lines"), NUMBER)
_SKIPPED = {"skipped": list_of(an_object({"place": NUMBER, "reason": TEXT}))}
_EXPECTED = {"key": {"type": "string", "minLength": 1}, "credits": maybe("number", **AMOUNT)}

Group: TypeAlias = tuple[str, list[Operation]]
_GROUPS: dict[str, Group] = {
    "state": (
        "What is watched.",
        [
            _get("/status", "status", "What the command `status` says", ref("Status")),
            _get("/workspace", "workspace", "The state in one glance", ref("Workspace")),
            _pages("/keys", "keys", "Every key with its figures of today", "Key"),
            _get("/keys/{key}", "key", "One key with its last 90 days and its alerts", ref("KeyHistory")),
            _pages("/polls", "polls", "How reading went, newest first", "Poll"),
            _pages(
                "/deliveries",
                "deliveries",
                "Notices sent, waiting, dead and withheld, newest first",
                "Delivery",
                _query("status", {"enum": ["waiting", "sent", "dead", "withheld"]}),
            ),
        ],
    ),
    "alerts": (
        "What is odd, and acting on it.",
        [
            _pages(
                "/alerts",
                "alerts",
                "Alerts, newest first",
                "Alert",
                _query("status", {"enum": ["open", "acknowledged", "resolved", "unresolved"]}),
                _query("key_id", TEXT),
            ),
            _get("/alerts/{alert}", "alert", "One alert with its story", ref("AlertStory")),
            _post(
                "/alerts/{alert}/ack",
                "acknowledge",
                "Somebody looks after it: no more notices unless it gets worse",
                ref("AlertState"),
                an_object(_NOTED | END, needed=[]) | {"oneOf": MAYBE_AN_END},
            ),
            _post(
                "/alerts/{alert}/stop",
                "stop",
                "Somebody revoked its key: the next two good polls check that, and its other alerts are taken on",
                {"allOf": [ref("AlertState"), _TAKEN]},
                an_object(_NOTED, needed=[]),
            ),
            _post(
                "/alerts/{alert}/resolve",
                "resolve",
                "It is over; with not_an_anomaly its key is judged more leniently for five weeks",
                ref("Alert"),
                an_object(_NOTED | {"not_an_anomaly": {"type": "boolean"}}, needed=[]),
            ),
            _get(
                "/small-anomalies",
                "smallAnomalies",
                "What was odd and worth too little for an alert, newest first",
                an_object({"small_anomalies": list_of(ref("SmallAnomaly"))}),
            ),
        ],
    ),
    "silences": (
        "What nobody is told of.",
        [
            _get("/silences", "silences", "Those in force", an_object({"silences": list_of(ref("Silence"))})),
            _post(
                "/silences",
                "silence",
                "Do not tell about keys that match, until then",
                ref("Silence"),
                an_object({"pattern": NAMED, "kind": KIND} | _NOTED | END, needed=["pattern"]) | {"oneOf": ONE_END},
                status=201,
            ),
            _operation(
                "delete",
                "/silences/{silence}",
                "unsilence",
                "End a silence now",
                None,
                query=[_query("why", WHY), _query("by", BY)],
                status=204,
            ),
            _post(
                "/expectations",
                "expect",
                "A key's unusual use is wanted, until then",
                {"allOf": [ref("Silence"), _TAKEN]},
                an_object(_EXPECTED | _NOTED | END, needed=["key"]) | {"oneOf": ONE_END},
                status=201,
                finds=True,
            ),
        ],
    ),
    "blocks": (
        "Keys that the meter refuses.",
        [
            _post(
                "/blocks",
                "block",
                "The meter refuses a key from its next request on, and its alerts are taken on",
                ref("Blocked"),
                _BLOCKING,
                status=201,
                finds=True,
            ),
            _post(
                "/blocks/end",
                "unblock",
                "The meter lets a blocked key through again",
                ref("Blocked"),
                _BLOCKING,
                finds=True,
            ),
        ],
    ),
    "digests": (
        "Finished weeks and months.",
        [
            _get(
                "/digests",
                "digests",
                "The last finished weeks and months",
                an_object({"digests": list_of(ref("DigestLine"))}),
            ),
            _get("/digests/{period}", "digest", "A finished week or month in numbers", ref("Digest"), _OWNER),
            _get(
                "/digests/{period}/mail",
                "digestMail",
                "The same as it is mailed, the pictures inside of its HTML",
                an_object({"subject": TEXT, "text": TEXT, "html": TEXT}),
                _OWNER,
            ),
        ],
    ),
    "snapshots": (
        "Figures from elsewhere.",
        [
            _post(
                "/snapshots",
                "push",
                "Add snapshots, as `flowy-watch import` does; a moment that is known changes nothing",
                an_object(_COUNTED | _SKIPPED),
                an_object({"snapshots": {**list_of(ROW), "minItems": 1}}),
                status=201,
            )
        ],
    ),
}


def document() -> Schema:
    """The whole document; served at `/api/v1/openapi.json`."""
    paths: dict[str, Schema] = {}
    for tag, (_, operations) in _GROUPS.items():
        for one in operations:
            paths.setdefault(one.path, {})[one.method] = {"tags": [tag], **one.made}
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
        "tags": [{"name": tag, "description": words} for tag, (words, _) in _GROUPS.items()],
        "paths": paths,
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
