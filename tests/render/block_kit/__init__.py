"""What Slack takes, told by its own packages: an oracle that shares nothing with the code that makes the messages."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, BlockElement

from flowy_watch.core.message import SlackMessage

MOST_BLOCKS = 50
MOST_CHARACTERS = 12_000  # Slack refuses more than about 13,000
LONGEST_FALLBACK = 4_000  # of the top-level text


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))
    return schema


def _any_of(validator: Any, options: list[dict[str, Any]], instance: Any, schema: Any) -> Iterator[ValidationError]:
    """As the standard has it, but of a union whose members have a `type` only those of the right one are tried."""
    kind = instance.get("type") if isinstance(instance, dict) else None
    fitting = [option for option in options if kind is None or _types_of(json.dumps(option)) in (None, kind)]
    yield from Draft7Validator.VALIDATORS["anyOf"](validator, fitting or options, instance, schema)


@cache
def _types_of(option: str) -> Any:
    """The one `type` that an option allows; None where it is a union itself, or has none."""
    name = json.loads(option).get("$ref", "").removeprefix("#/definitions/")
    return _schema()["definitions"].get(name, {}).get("properties", {}).get("type", {}).get("const")


_Validator = extend(Draft7Validator, {"anyOf": _any_of})


def objection(message: SlackMessage) -> str:
    """Why Slack would not take this message; empty when it would."""
    blocks: list[dict[str, Any]] = json.loads(json.dumps(message.blocks))
    if error := best_match(_Validator(_schema()).iter_errors({"text": message.text, "blocks": blocks})):
        return f"{error.json_path}: {error.message}"
    try:
        for block in Block.parse_all(blocks):
            block.validate_json()
            for element in getattr(block, "elements", ()):
                if isinstance(element, BlockElement):
                    element.validate_json()
    except SlackObjectFormationError as error:
        return f"slack_sdk: {error}"
    if len(blocks) > MOST_BLOCKS:
        return f"{len(blocks)} blocks"
    if (size := len(json.dumps(blocks, ensure_ascii=False))) > MOST_CHARACTERS:
        return f"{size} characters of blocks"
    if not 0 < len(message.text) <= LONGEST_FALLBACK:
        return f"{len(message.text)} characters of text"
    return _empty_text(blocks)


def _empty_text(tree: Any) -> str:
    """Slack refuses texts without a character, which no type can say."""
    if isinstance(tree, dict):
        if tree.get("type") in ("text", "plain_text", "link") and not tree.get("text"):
            return f"an empty {tree['type']}"
        tree = list(tree.values())
    if isinstance(tree, list):
        return next((found for branch in tree if (found := _empty_text(branch))), "")
    return ""
