"""The API does what its document says: whatever is sent, valid or hostile, the answer is one that is documented.

`CONTRACT_EXAMPLES=500` looks longer. `SCHEMATHESIS=/path/to/st` lets Schemathesis look too, from wherever it is
installed: it brings twenty packages, so it is none of the development tools.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta

from flowy_watch.web.openapi import document
from tests.builders import DAY, NOON

from .house import TOKEN, House

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "8"))
DOCUMENT = document()
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]
REFUSABLE = {
    "/snapshots": ("from the future", "no key_id"),
    "/expectations": ("is missing",),
    "/silences": ("is missing",),
    "/blocks": ("is missing",),
    "/blocks/end": ("is missing",),
}
TO_COME = st.datetimes(NOON.replace(tzinfo=None) + DAY, NOON.replace(tzinfo=None) + 2000 * DAY)
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with House(tmp_path_factory.mktemp("contract")) as house:
        house.days([5, 7, 9], cap=100)
        house.learned("key_1")
        for number in range(6):
            house.alert(period=f"{number}")
        house.notice("ops")
        yield house.machine()


def made_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema of ours allows; only of the words that our document uses."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:  # the first is what is meant
        return made_of(schema["anyOf"][0])
    kind = schema["type"]
    if isinstance(kind, list):
        return st.one_of(*(made_of({**schema, "type": one}) for one in kind))
    if kind == "object":
        return st.one_of(*(_object(schema, one) for one in schema.get("oneOf", [{}])))
    if kind == "array":
        return st.lists(made_of(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "string" and "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True, alphabet=st.characters(codec="ascii"))
    if kind == "string" and schema.get("format") == "date-time":
        return TO_COME.map(lambda at: at.replace(tzinfo=UTC).isoformat())
    least = schema.get("minimum", 0)
    return {
        "string": TEXT.filter(lambda text: len(text) >= schema.get("minLength", 0)),
        "number": st.floats(least, schema.get("maximum", 1e6), allow_subnormal=False),
        "integer": st.integers(least, schema.get("maximum", 9)),
        "boolean": st.booleans(),
        "null": st.none(),
    }[kind]


def _object(schema: dict[str, Any], branch: dict[str, Any]) -> st.SearchStrategy[Any]:
    needed = {*schema["required"], *branch.get("required", [])}
    left_out = set(branch.get("not", {}).get("required", []))
    fields = {
        name: made_of(one).filter(lambda value, n=name: value != "" or n not in needed)
        for name, one in schema["properties"].items()
        if name not in left_out
    }
    optional = {name: one for name, one in fields.items() if name not in needed}
    return st.fixed_dictionaries({name: fields[name] for name in needed}, optional=optional)


@st.composite
def asked(draw: st.DrawFn, path: str, operation: dict[str, Any], *, hostile: bool) -> tuple[str, dict[str, Any], Any]:
    """A place, a query and a body; when hostile, one field of them is anything at all."""
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", []):
        value = draw(TEXT if hostile and draw(st.booleans()) else made_of(parameter["schema"]))
        if parameter["in"] == "path":
            # An empty place and one of dots name another one: the client takes them away.
            path = path.replace(f"{{{parameter['name']}}}", quote(str(value), safe="").strip(".") or "x")
        elif draw(st.booleans()):
            query[parameter["name"]] = value
    if "requestBody" not in operation:
        return path, query, None
    body = draw(made_of(operation["requestBody"]["content"]["application/json"]["schema"]))
    if hostile:
        names = sorted(operation["requestBody"]["content"]["application/json"]["schema"]["properties"])
        body = draw(ANYTHING | st.sampled_from(names).flatmap(lambda name: ANYTHING.map(lambda v: body | {name: v})))
    return path, query, body


def heard(machine: httpx.Client, path: str, method: str, query: dict[str, Any], body: Any) -> httpx.Response:
    content = None if body is None else json.dumps(body).encode()
    return machine.request(method, f"/api/v1{path}", params=query, content=content)


def assert_documented(answer: httpx.Response, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    assert str(answer.status_code) in responses, (answer.status_code, answer.text)
    assert answer.status_code not in (421, 429, 503)
    said = responses[str(answer.status_code)]
    if "$ref" in said:
        said = DOCUMENT["components"]["responses"]["Problem"]
    if "content" not in said:
        assert answer.content == b""
        return
    ((kind, content),) = said["content"].items()
    assert answer.headers["content-type"] == kind
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema, validate_formats=True).validate(answer.json())


QUICKLY = settings(
    max_examples=EXAMPLES,
    derandomize="CONTRACT_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
def test_what_is_allowed_is_done_as_documented(
    machine: httpx.Client, path: str, method: str, operation: dict[str, Any]
) -> None:
    @QUICKLY
    @given(asked(path, operation, hostile=False))
    def hold(request: tuple[str, dict[str, Any], Any]) -> None:
        place, query, body = request
        answer = heard(machine, place, method, query, body)
        assert_documented(answer, operation)
        # A schema cannot say that a moment is to come, or that nothing but blanks is no name.
        excused = any(words in answer.text for words in REFUSABLE.get(path, ()))
        assert answer.status_code < 300 or answer.status_code == 404 or excused, answer.text

    hold()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
def test_what_is_hostile_is_refused_as_documented(
    machine: httpx.Client, path: str, method: str, operation: dict[str, Any]
) -> None:
    @QUICKLY
    @given(asked(path, operation, hostile=True))
    def hold(request: tuple[str, dict[str, Any], Any]) -> None:
        place, query, body = request
        assert_documented(heard(machine, place, method, query, body), operation)

    hold()


def test_the_document_is_valid_openapi() -> None:
    schema = json.loads((Path(__file__).parent / "vendor" / "openapi-3.1.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(DOCUMENT)
    for name, one in DOCUMENT["components"]["schemas"].items():
        meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **one, "title": name})


def test_every_place_in_a_path_is_declared_and_every_reference_leads_somewhere() -> None:
    for path, _, operation in OPERATIONS:
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert {part[1:-1] for part in path.split("/") if part.startswith("{")} == declared, path
    for reference in set(_references(DOCUMENT)):
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def test_a_place_that_is_asked_wrongly_says_what_can_be_done_there(house: House) -> None:
    answer = house.machine().put("/api/v1/silences")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    answer = house.client().put("/sign-in")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.skipif("SCHEMATHESIS" not in os.environ, reason="SCHEMATHESIS names no program")
@pytest.mark.timeout(1200)
def test_schemathesis_finds_nothing(house: House, tmp_path: Path) -> None:
    house.days([5, 7, 9], cap=100)
    for number in range(12):
        house.alert(period=f"{number}")
    # An end that has passed and a moment to come are refused, which no schema can say.
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        "[[operations]]\n"
        'include-operation-id = ["silence", "expect", "acknowledge", "push", "block", "unblock"]\n'
        'checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]\n'
    )
    done = subprocess.run(
        # ignored_auth sends wrong tokens, after ten of which nobody at this address is heard any more.
        [
            os.environ["SCHEMATHESIS"], "--config-file", str(config), "run", f"{house.url}/api/v1/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--exclude-checks", "ignored_auth",
            "--max-examples", os.environ.get("CONTRACT_EXAMPLES", "50"), "--continue-on-failure", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=1100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
