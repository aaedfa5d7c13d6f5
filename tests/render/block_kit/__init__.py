"""What Slack takes, told by its own packages: an oracle that shares nothing with the code that makes the messages."""

import json
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft7Validator
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, BlockElement

from flowy_watch.core.message import SlackMessage

MOST_BLOCKS = 50
MOST_CHARACTERS = 12_000  # Slack refuses more than about 13,000
LONGEST_FALLBACK = 4_000  # of the top-level text
_VALIDATOR = Draft7Validator(json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8")))


def objection(message: SlackMessage) -> str:
    """Why Slack would not take this message; empty when it would."""
    blocks: list[dict[str, Any]] = json.loads(json.dumps(message.blocks))
    for refusal in _VALIDATOR.iter_errors({"text": message.text, "blocks": blocks}):
        return f"{refusal.instance_path}: {refusal.message}"
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
