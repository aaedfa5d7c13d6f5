"""The rendered words, one type per dialect."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from flowy_watch.core.notification import Notification


class Dialect(StrEnum):
    """The form in which a channel wants its words."""

    SLACK = "slack"
    SLACK_BUTTONS = "slack_buttons"
    """Slack where somebody listens to what is pressed."""
    EMAIL = "email"
    PLAIN = "plain"
    FACTS = "facts"
    """Plain words beside the facts they were made from."""

    @property
    def of_slack(self) -> bool:
        return self in (Dialect.SLACK, Dialect.SLACK_BUTTONS)


Block: TypeAlias = Mapping[str, Any]
"""A Block Kit block: JSON whose shape Slack defines."""


@dataclass(frozen=True, slots=True)
class SlackMessage:
    text: str
    """Mrkdwn, already escaped: what the phone's lock screen shows."""
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file inside of a mail: a picture that the HTML shows as `cid:…`, or something attached."""

    name: str
    """A plain file name, unique within its mail."""
    media_type: str
    content: bytes
    inline: bool = False

    @property
    def cid(self) -> str:
        """Under which the HTML of the same mail shows it."""
        return f"{self.name}@flowy-watch"


@dataclass(frozen=True, slots=True)
class EmailMessage:
    subject: str
    text: str
    html: str
    enclosures: tuple[Enclosure, ...] = ()
    to: tuple[str, ...] = ()
    """Instead of the channel's own recipients; empty: those."""
    series: str = ""
    """Of which regular mails this is one, such as `digest`: the mail then says how to leave its list."""


@dataclass(frozen=True, slots=True)
class PlainMessage:
    text: str


@dataclass(frozen=True, slots=True)
class FactsMessage:
    """Words without any style, and what they were made from: for channels whose other side is a program."""

    title: str
    text: str
    """The whole of it; its first line is the title."""
    link: str = ""
    """The one page to open; empty where there is none."""
    about: tuple[Notification, ...] = ()
    """Every notification that is told; none in a test or a digest."""


Message: TypeAlias = SlackMessage | EmailMessage | PlainMessage | FactsMessage


@dataclass(frozen=True, slots=True)
class Written:
    """A message as every try sends it, whatever happens between the tries."""

    message: Message
    at: datetime
    first: bool
    """Nothing of its thread had been delivered then."""
    after: str
    """The remote id of what was the last message about the same alert then; empty where there was none by itself."""
