"""Our blocks against Slack's own models."""

from dataclasses import replace

import pytest
from slack_sdk.models.blocks import Block, HeaderBlock

from flowy_watch.core.alert import Change
from flowy_watch.core.finding import Finding

from .notices import BALANCE, BLIND, CAP, SAFEGUARD, notification, slack


@pytest.mark.parametrize("finding", [CAP, replace(CAP, suspicious_only=True), BALANCE, BLIND, SAFEGUARD])
@pytest.mark.parametrize("change", Change)
def test_slack_knows_every_block_and_finds_nothing_wrong(finding: Finding, change: Change) -> None:
    blocks = Block.parse_all([dict(block) for block in slack(notification(finding, change)).blocks])

    assert isinstance(blocks[0], HeaderBlock)
    assert {block.type for block in blocks} <= {"header", "divider", "rich_text"}
    for block in blocks:
        block.validate_json()


def test_rows_of_text_are_separated_and_none_is_empty() -> None:
    for block in slack(notification()).blocks:
        for section in block.get("elements", ()):
            texts = [span.get("text") for span in section["elements"] if span["type"] == "text"]
            assert all(texts)
