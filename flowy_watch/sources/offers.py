"""What a Flowy offers today, by its public OpenAPI document; and how the usage contract would be mapped onto it.

Longer than most: the words by which fields are known, and what is made of them, are read together.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr, ValidationError

from flowy_watch.core.usage import clean_name
from flowy_watch.errors import SourceError
from flowy_watch.sources.body import parse
from flowy_watch.sources.contract import ApiOptions
from flowy_watch.sources.exchange import Again, Call, Exchange

LARGEST = 8 * 1024 * 1024
_TIMEOUT = timedelta(seconds=10)
_MOST_NODES, _DEEPEST = 20_000, 12
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_LETTERS = re.compile(r"[^a-z0-9]")

_FIELDS = {
    "id": r"(api)?(key)?(id|uuid)",
    "name": r"(api)?(key)?(name|label|title)",
    "prefix": r"(api|secret)?(key)?(prefix|hint|last4|lastfour|masked(key)?)",
    "status": r"(api)?(key)?(status|state)",
    "created_at": r"created(at|on|time)?",
    "last_used_at": r".*last(used|use|activity)(at|on|time)?",
    "daily_cap": r".*(daily|day|spend|credit)s?(spend|credit|spending)?s?(cap|limit|budget)",
    "rate_limit": r".*(ratelimit|requestsperminute|rpm)(perminute)?",
    "spent_today": r".*((spent|spend|usage|used|consumed)(credits)?today|today(s)?(credits)?(spent|spend|usage|used|"
    r"credits|consumed)|daily(usage|spend|spent)(credits)?|usagetodaycredits)",
}
"""Our fields, by how others call them: a whole path without its dots and case."""
_BALANCE = r".*(credit(s)?balance|balance(credits)?|(available|remaining)credits|credits(available|remaining|left))"
_NUMBERS = {"spent_today", "daily_cap", "rate_limit"}
_WORTH_IT = {"spent_today", "last_used_at", "daily_cap"}
"""A list of anything has ids and names; one of these makes it a list of keys as we need it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One signal, and the call that tells it; empty: this Flowy documents none."""

    signal: str
    call: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    calls: int
    """How many the document has."""
    signals: tuple[Offer, ...]
    toml: str = ""
    """The section `[source]` that maps them; empty without a list of keys that tells their spend."""


def look(base_url: str) -> Offers:
    """Fetch the document, without a credential, and read it. Raises SourceError."""
    exchange = Exchange(base_url, LARGEST, {})
    call = Call("/openapi.json", "source.base_url", {})
    try:
        received = exchange.send(call, _TIMEOUT)
        if received.status != 200:
            raise SourceError(f"{call}: answered {received.status}")
        document = parse(received.body)
    except Again as error:
        raise SourceError(f"{call}: {error}") from None
    finally:
        exchange.close()
    return read(document, base_url)


def read(document: object, base_url: str) -> Offers:
    """Raises SourceError when it is no OpenAPI document. Whatever else is in it, this ends soon."""
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(paths, dict):
        raise SourceError("GET /openapi.json: is no OpenAPI document")
    reader = _Reader(document)
    operations = [
        (str(path), str(verb).lower(), operation)
        for path, item in list(paths.items())[:2000]
        if isinstance(item, dict)
        for verb, operation in item.items()
        if str(verb).lower() in ("get", "post", "put", "patch", "delete") and isinstance(operation, dict)
    ]
    keys = max((reader.keys(p, o) for p, v, o in operations if v == "get" and "{" not in p), key=_worth, default=_NONE)
    balance = next((b for p, v, o in operations if v == "get" and "{" not in p and (b := reader.balance(p, o))), None)
    revoke = next((f"{v.upper()} {clean_name(p)}" for p, v, _ in operations if _revokes(p, v)), "")
    listed = f"GET {clean_name(keys.path)}" if keys.path else ""
    signals = (
        Offer("the list of keys", listed),
        Offer("usage per key", listed if "spent_today" in keys.fields else ""),
        Offer("last used", listed if "last_used_at" in keys.fields else ""),
        Offer("the balance", f"GET {clean_name(balance[0])}" if balance else ""),
        Offer("revoking", revoke),
    )
    return Offers(len(operations), signals, _toml(base_url, keys, balance))


@dataclass(frozen=True, slots=True)
class _Keys:
    """A call that seems to list keys."""

    path: str
    items: str
    fields: Mapping[str, str]
    """Expressions by our names."""
    cursor: str = ""
    cursor_param: str = ""
    limit_param: str = ""


_NONE = _Keys("", "", {})


def _worth(keys: _Keys) -> tuple[bool, int]:
    return "spent_today" in keys.fields, len(keys.fields)


class _Reader:
    """Walks the schemas of one document. References may go round in circles, so every step is counted."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left = _MOST_NODES

    def keys(self, path: str, operation: Mapping[str, Any]) -> _Keys:
        found = _NONE
        if "key" not in path.lower():
            return found
        schema = self._answer(operation)
        cursor = next((_expression(way) for way, _ in self._leaves(schema) if _is_cursor(way)), "")
        asked = self._parameters(operation)
        for items, item in self._lists(schema):
            leaves = list(self._leaves(item))
            fields = {name: way for name in _FIELDS if (way := _field(name, leaves))}
            if "id" in fields and fields.keys() & _WORTH_IT and len(fields) > len(found.fields):
                cursor_param = next((name for name in asked if _flat(name) in ("cursor", "after", "pagetoken")), "")
                limit = next((name for name in asked if _flat(name) in ("limit", "pagesize", "perpage")), "")
                found = _Keys(path, items, fields, cursor if cursor_param else "", cursor_param, limit)
        return found

    def balance(self, path: str, operation: Mapping[str, Any]) -> tuple[str, str] | None:
        """The path and the expression."""
        for way, kind in self._leaves(self._answer(operation)):
            if re.fullmatch(_BALANCE, _flat("".join(way))) and _is_number(kind):
                return path, _expression(way)
        return None

    def _answer(self, operation: Mapping[str, Any]) -> object:
        """The schema of a good answer in JSON."""
        responses = operation.get("responses")
        if not isinstance(responses, dict):
            return None
        for status in ("200", 200, "2XX", "default"):
            content = self._resolved(responses.get(status))
            content = content.get("content") if isinstance(content, dict) else None
            if isinstance(content, dict):
                kinds = [kind for name, kind in content.items() if "json" in str(name) and isinstance(kind, dict)]
                return kinds[0].get("schema") if kinds else None
        return None

    def _parameters(self, operation: Mapping[str, Any]) -> list[str]:
        listed = operation.get("parameters")
        found = [self._resolved(one) for one in listed[:100]] if isinstance(listed, list) else []
        return [one["name"] for one in found if isinstance(one, dict) and isinstance(one.get("name"), str)]

    def _resolved(self, schema: object) -> object:
        """Follows references within the document, and none that leads elsewhere."""
        for _ in range(_DEEPEST):
            reference = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(reference, str):
                return schema
            schema = self._document if reference.startswith("#/") else None
            for part in reference[2:].split("/"):
                name = part.replace("~1", "/").replace("~0", "~")
                schema = schema.get(name) if isinstance(schema, dict) else None
        return None

    def _properties(self, schema: object, depth: int) -> Iterator[tuple[str, object]]:
        self._left -= 1
        schema = self._resolved(schema)
        if self._left <= 0 or depth > _DEEPEST or not isinstance(schema, dict):
            return
        for several in ("allOf", "oneOf", "anyOf"):
            parts = schema.get(several)
            for part in parts[:50] if isinstance(parts, list) else ():
                yield from self._properties(part, depth + 1)
        properties = schema.get("properties")
        if isinstance(properties, dict):
            for name, below in properties.items():
                self._left -= 1
                if self._left <= 0:
                    return
                yield str(name), self._resolved(below)

    def _leaves(self, schema: object, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
        """What stands in an object and the objects within it, but not in lists."""
        for name, below in self._properties(schema, len(way)):
            here = (*way, name)
            yield here, below
            if len(here) < 5:
                yield from self._leaves(below, here)

    def _lists(self, schema: object) -> Iterator[tuple[str, object]]:
        """Every list of an answer that is not in another: where it stands, and what its items are."""
        for way, found in (((), self._resolved(schema)), *self._leaves(schema)):
            if isinstance(found, dict) and "items" in found:
                yield (_expression(way) if way else "@"), found["items"]


def _field(name: str, leaves: Iterable[tuple[tuple[str, ...], object]]) -> str:
    """The expression of the shortest way that is called like our field."""
    fit = [
        way
        for way, kind in leaves
        if re.fullmatch(_FIELDS[name], _flat("".join(way))) and (name not in _NUMBERS or _is_number(kind))
    ]
    return _expression(min(fit, key=len)) if fit else ""


def _flat(words: str) -> str:
    return _NOT_LETTERS.sub("", words[:200].lower())


def _is_number(schema: object) -> bool:
    """Or nobody says that it is not."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    kinds = kind if isinstance(kind, list) else [kind]
    return kind is None or "number" in kinds or "integer" in kinds


def _is_cursor(way: tuple[str, ...]) -> bool:
    return _flat(way[-1]) in ("nextcursor", "nextpagetoken", "nextpage")


def _expression(way: tuple[str, ...]) -> str:
    """As JMESPath."""
    return ".".join(part if _PLAIN.fullmatch(part) else json.dumps(part) for part in way)


def _revokes(path: str, verb: str) -> bool:
    parts = [part.lower() for part in path.split("/") if part]
    if not any("key" in part for part in parts) or not parts:
        return False
    if verb == "post":
        return "revoke" in parts[-1] or "disable" in parts[-1]
    return verb == "delete" and parts[-1].startswith("{") and len(parts) > 1 and "key" in parts[-2]


def _toml(base_url: str, keys: _Keys, balance: tuple[str, str] | None) -> str:
    """Only what the configuration would take is proposed. The address is never the document's: a token goes there."""
    if "spent_today" not in keys.fields:
        return ""
    listed = {
        "path": keys.path,
        "items": keys.items,
        "next_cursor": keys.cursor,
        "cursor_param": keys.cursor_param,
        "limit_param": keys.limit_param,
    }
    fields = {name: keys.fields.get(name, "") for name in _FIELDS}
    workspace = {"path": balance[0], "balance": balance[1], "name": ""} if balance else {"path": "", "balance": ""}
    proposed: dict[str, Any] = {"keys": listed, "fields": fields, "workspace": workspace}
    try:
        ApiOptions(base_url=base_url, token=SecretStr("proposed"), **proposed)
    except ValidationError:
        return ""
    lines = ["[source]", 'kind = "api"', f"base_url = {_quoted(base_url)}", "# token_file = …"]
    for section, options in proposed.items():
        lines += ["", f"[source.{section}]", *(f"{name} = {_quoted(value)}" for name, value in options.items())]
    text = "\n".join(lines) + "\n"
    try:
        tomllib.loads(text)
    except ValueError:  # a name that no TOML can hold
        return ""
    return text


def _quoted(text: str) -> str:
    """A string of JSON is one of TOML, except for one letter."""
    return json.dumps(text).replace("\x7f", "\\u007f")
