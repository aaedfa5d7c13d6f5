"""What a button says when somebody presses it."""

import re
from dataclasses import dataclass
from enum import StrEnum

_ID = re.compile(r"flowy-watch/([a-z]+)/([0-9]{1,18})")


class Verb(StrEnum):
    """What can be pressed."""

    ACKNOWLEDGE = "ack"
    SILENCE = "silence"
    EXPECT = "expect"
    STOP = "stop"
    """The key is revoked: whether that holds is checked."""
    BLOCK = "block"
    """The meter is to refuse the key from now on."""
    OPEN = "open"
    """A link: there is nothing to do but to know it as ours."""


class Until(StrEnum):
    """The ends that can be chosen with one press."""

    MIDNIGHT = "midnight"
    DAY = "24h"
    FRIDAY = "friday"


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody wants something of one alert."""

    verb: Verb
    alert_id: int
    by: str
    """Fit for the audit log: the name and what identifies the account."""
    until: Until = Until.DAY


def action_id(verb: Verb, alert_id: int) -> str:
    """The name under which the button travels to the other side and comes back."""
    return f"flowy-watch/{verb.value}/{alert_id}"


def read_action(action: str) -> tuple[Verb, int] | None:
    """What `action_id` was made of; None for buttons that are none of ours."""
    match = _ID.fullmatch(action)
    if not match or match[1] not in set(Verb):
        return None
    return Verb(match[1]), int(match[2])
