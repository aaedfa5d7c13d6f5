"""The rendered words, one type per dialect."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias


class Dialect(StrEnum):
    """The form in which a channel wants its words."""

    SLACK = "slack"
    EMAIL = "email"
    PLAIN = "plain"


Block: TypeAlias = Mapping[str, Any]
"""A Block Kit block: JSON whose shape Slack defines."""


@dataclass(frozen=True, slots=True)
class SlackMessage:
    text: str
    """Mrkdwn, already escaped: what the phone's lock screen shows."""
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class EmailMessage:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class PlainMessage:
    text: str


Message: TypeAlias = SlackMessage | EmailMessage | PlainMessage
