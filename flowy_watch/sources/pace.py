"""When to ask again, and what the headers of an answer say about time."""

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

FIRST_BACKOFF = timedelta(milliseconds=500)
LONGEST_BACKOFF = timedelta(seconds=10)
RESOLUTION = timedelta(seconds=2)  # a Date header tells whole seconds: a difference below this is none
NEVER = timedelta(days=10_000)  # what an absurdly long wait is cut to, so that it can be added to a date
_NUMBER = re.compile(r"[0-9]{1,300}(?:\.[0-9]{1,9})?")


class TellsTime(Protocol):
    """The one thing needed of a clock here."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Deadline:
    ends: float
    """On the monotonic clock, in seconds."""
    monotonic: Callable[[], float]

    def left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self.ends - self.monotonic()))


def backoff(tries: int) -> timedelta:
    """Exponential, with full jitter: anything from nothing to the bound, so that many watchers do not come together."""
    bound = min(LONGEST_BACKOFF, FIRST_BACKOFF * (1 << (tries - 1)))
    share: float = random.random()  # noqa: S311  # spreads tries, guards nothing
    return share * bound


def retry_after(text: str, at: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait, given as seconds or as a date; None when it makes no sense."""
    seconds = seconds_in(text)
    if seconds is not None:
        return timedelta(seconds=math.ceil(min(seconds, NEVER.total_seconds())))
    date = http_date(text)
    return None if date is None else min(max(timedelta(0), date - at), NEVER)


def seconds_in(text: str) -> float | None:
    """The number of seconds a header gives; None when it gives something else."""
    return float(text) if _NUMBER.fullmatch(text) else None


def http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def offset(date: datetime, asked_at: datetime, answered_at: datetime) -> timedelta:
    """The server's clock minus ours, given that it said `date` at some moment between our two."""
    if date < asked_at:
        difference = date - asked_at
    elif date > answered_at:
        difference = date - answered_at
    else:
        return timedelta(0)
    return difference if abs(difference) >= RESOLUTION else timedelta(0)
