"""The shapes of what the API says and takes, as JSON Schema: what `openapi` refers to."""

from typing import Any

from flowy_watch.core.alert import LIVES, Status
from flowy_watch.core.provenance import Sure
from flowy_watch.core.usage import CREDIT, MOST

Schema = dict[str, Any]


def maybe(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def an_object(properties: dict[str, Schema], *, needed: list[str] | None = None) -> Schema:
    return {"type": "object", "properties": properties, "required": sorted(properties) if needed is None else needed}


def list_of(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_NONE: Schema = {"type": "null"}
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
_AT: Schema = {"type": "string", "format": "date-time"}
_MAYBE_AT = maybe("string", format="date-time")
_CREDITS = maybe("number", description="Credits; null where it is not known or there is none.")
CURSOR = maybe("string", description="Give it as `cursor` for the next page; null on the last.")
_ALERT: dict[str, Schema] = {
    "id": NUMBER,
    "kind": TEXT,
    "severity": {"enum": ["info", "warning", "critical"]},
    "status": {"enum": [status.value for status in Status]},
    "key_id": maybe("string"),
    "key_name": maybe("string"),
    "title": TEXT,
    "opened_at": _AT,
    "last_seen_at": _AT,
    "resolved_at": _MAYBE_AT,
}
_KEY: dict[str, Schema] = {
    "key_id": TEXT,
    "name": TEXT,
    "last_four": maybe("string"),
    "owner": maybe("string"),
    "status": {"enum": ["active", "revoked", "expired", None]},
    "spent_today": _CREDITS,
    "daily_cap": _CREDITS,
    "last_used_at": _MAYBE_AT,
    "created_at": _MAYBE_AT,
}
_FIGURES: dict[str, Schema] = {
    "figures": list_of(
        an_object({"figure": TEXT, "source": TEXT, "sure": {"enum": [sure.value for sure in Sure]}}),
    )
    | {"description": "Where each figure comes from; empty where one source tells all of them exactly."}
}
_POLL: dict[str, Schema] = {
    "id": NUMBER,
    "kind": {"enum": ["live", "import"]},
    "taken_at": _AT,
    "outcome": {"enum": ["good", "partial", "failed"]},
    "reason": maybe("string"),
    "keys": NUMBER,
    "skipped": NUMBER,
}
_SILENCE: dict[str, Schema] = {
    "id": NUMBER,
    "pattern": TEXT,
    "kind": maybe("string"),
    "until": _AT,
    "created_at": _AT,
    "by": maybe("string"),
    "why": maybe("string"),
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
    "id": TEXT,
    "alert": maybe("integer"),
    "channel": maybe("string"),
    "change": TEXT,
    "status": {"enum": ["waiting", "sent", "dead", "withheld"]},
    "created_at": _AT,
    "sent_at": _MAYBE_AT,
    "tries": NUMBER,
    "reason": maybe("string"),
}
_STORY = list_of(an_object({"at": _AT, "what": TEXT, "line": TEXT}))
_STOP = an_object(
    {
        "reported_at": _AT,
        "reported_by": maybe("string"),
        "quiet_since": _MAYBE_AT,
        "still_listed_as_active": {"type": "boolean"},
        "used_at": _MAYBE_AT,
        "loss": _CREDITS,
        "loss_is_beyond_usual": maybe("boolean"),
        "detected_after_seconds": maybe("number"),
        "stopped_after_seconds": maybe("number"),
    }
)
_STATE: dict[str, Schema] = {
    "acknowledged_by": maybe("string"),
    "flapping": {"type": "boolean"},
    "came_back": NUMBER,
    "stop": {"oneOf": [_STOP, _NONE], "description": "What is known of a revoke that was reported."},
}
_EVIDENCE: dict[str, Schema] = {"evidence": list_of(TEXT), "story": _STORY}
_BLOCK: dict[str, Schema] = {"fingerprint": TEXT, "key": TEXT, "at": _AT, "by": TEXT, "why": TEXT}
_STATUS: dict[str, Schema] = {
    "at": _AT,
    "last_poll": {"oneOf": [an_object({name: _POLL[name] for name in _POLL if name not in ("id", "kind")}), _NONE]},
    "balance": _CREDITS,
    "open_alerts": list_of(ref("AlertState")),
    "silences": list_of(an_object(_SILENCE)),
    "log": list_of(an_object({"at": _AT, "act": TEXT, "what": TEXT, "by": TEXT, "why": TEXT})),
    "outbox": an_object(dict.fromkeys(("waiting", "sent", "dead", "withheld"), NUMBER)),
    "dead_letters": list_of(an_object({"channel": TEXT, "alert": maybe("integer"), "created_at": _AT, "reason": TEXT})),
    "keys": list_of(an_object({name: _KEY[name] for name in _KEY if name not in ("owner", "created_at")} | _FIGURES)),
    "blocks": list_of(an_object(_BLOCK)),
    "learned_prices": list_of(ref("LearnedPrice")),
    "buttons": list_of(an_object({"channel": TEXT, "connected": {"type": "boolean"}, "trouble": TEXT, "since": _AT})),
    "meter_trouble": {"type": "string", "description": "Why the blocks cannot be told; empty where they can."},
}
_SPAN = "[1-9][0-9]{0,8}s|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d|[1-9][0-9]{0,2}w"
END: dict[str, Schema] = {
    "for": {
        "type": "string",
        "pattern": f"^({_SPAN})?$",
        "description": "How long: 90s, 15m, 24h, 30d. Instead of `until`.",
    },
    "until": {"type": "string", "format": "date-time", "description": "An end to come, as ISO 8601. Instead of `for`."},
}
ONE_END: list[Schema] = [
    {"required": ["for"], "properties": {"for": {"minLength": 1}}, "not": {"required": ["until"]}},
    {"required": ["until"], "not": {"required": ["for"]}},
]
MAYBE_AN_END = [*ONE_END, {"properties": {"for": {"maxLength": 0}}, "not": {"required": ["until"]}}]
NAMED: Schema = {"type": "string", "minLength": 1}
KIND: Schema = {"enum": ["", *LIVES]}
WHY: Schema = {"type": "string", "description": "The reason, for the log; 500 characters of it are kept."}
BY: Schema = {"type": "string", "description": "For whom the program asks; stands in the log and the messages."}
AMOUNT = {"minimum": 0, "maximum": MOST // CREDIT}
SNAPSHOT = an_object(
    {
        "key_id": {"type": "string", "minLength": 1},
        "name": maybe("string"),
        "at": {"type": "string", "format": "date-time", "description": "UTC where no zone stands."},
        "spent_today": maybe("number", **AMOUNT, description="Null where it is not known."),
        "last_used_at": _MAYBE_AT,
        "daily_cap": maybe("number", **AMOUNT),
        "status": {"enum": ["active", "revoked", "expired", None]},
    },
    needed=["key_id", "at", "spent_today"],
)
ROW: Schema = {
    "anyOf": [SNAPSHOT, {"type": "object", "description": "Any other is left out and named in `skipped`, with why."}]
}
_MICRO = maybe("integer", description="Millionths of a credit.")
_DIGEST = an_object(
    {
        "period": TEXT,
        "first_day": {"type": "string", "format": "date"},
        "last_day": {"type": "string", "format": "date"},
        "owner": maybe("string"),
        "made_at": _AT,
        "at_least": {"type": "boolean", "description": "Some of it was not seen: it may be more."},
        "total_microcredits": _MICRO,
        "before_microcredits": _MICRO,
        "usual_microcredits": _MICRO,
        "contributions": list_of(an_object({"name": TEXT, "keys": NUMBER, "microcredits": _MICRO}, needed=[])),
        "keys": list_of(an_object({"key_id": TEXT, "name": TEXT, "microcredits": _MICRO}, needed=["key_id"])),
        "days": list_of(an_object({"day": {"type": "string", "format": "date"}, "microcredits": _MICRO})),
    }
) | {"description": "Further figures as `digest --json` prints them."}
_DIGEST_LINE: dict[str, Schema] = {
    "period": TEXT,
    "first_day": {"type": "string", "format": "date"},
    "spent": _CREDITS,
    "spent_before": _CREDITS,
    "at_least": {"type": "boolean"},
    "readers": {"type": "integer", "description": "So many have been sent it."},
}
SCHEMAS: dict[str, Schema] = {
    "Alert": an_object(_ALERT),
    "AlertState": an_object(_ALERT | _STATE),
    "AlertStory": an_object(_ALERT | _STATE | _EVIDENCE | _FIGURES | {"learned_prices": list_of(ref("LearnedPrice"))}),
    "LearnedPrice": an_object({"app": TEXT, "credits": _CREDITS, "low": _CREDITS, "high": _CREDITS, "runs": NUMBER}),
    "Status": an_object(_STATUS),
    "Key": an_object(_KEY),
    "KeyHistory": an_object(_KEY | _FIGURES | {"days": list_of(an_object(_DAY)), "alerts": list_of(ref("Alert"))}),
    "Poll": an_object(_POLL),
    "Silence": an_object(_SILENCE),
    "Delivery": an_object(_DELIVERY),
    "Blocked": an_object(_BLOCK | {"new": {"type": "boolean"}, "taken": list_of(ref("Alert"))}),
    "SmallAnomaly": an_object(
        {
            "kind": TEXT,
            "key_id": maybe("string"),
            "key_name": maybe("string"),
            "title": TEXT,
            "opened_at": _AT,
            "last_seen_at": _AT,
            "credits_beyond_expected": {"type": "number"},
            "told_from": {"type": "number"},
        }
    ),
    "DigestLine": an_object(_DIGEST_LINE),
    "Digest": _DIGEST,
    "Workspace": an_object(
        {
            "name": maybe("string"),
            "at": _AT,
            "balance": _CREDITS,
            "balance_at": _MAYBE_AT,
            "spent_today": _CREDITS,
            "last_poll": {"oneOf": [ref("Poll"), _NONE]},
            "last_good_poll_at": _MAYBE_AT,
            "unresolved_alerts": NUMBER,
        }
    ),
    "Problem": an_object({"type": TEXT, "title": TEXT, "status": NUMBER, "detail": TEXT}),
}
