"""What the meter saw since it last wrote, added up."""

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias, TypeVar

from flowy_watch.core.usage import Microcredits

_What = TypeVar("_What")

MOST_RUNS = 100_000
MOST_ORIGINS = 5000

BUCKET = 300  # seconds; divides a day, so that no bucket holds a midnight of UTC


def bucket_of(at: datetime) -> datetime:
    """When the five minutes of `at` began."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % BUCKET, UTC)


@dataclass(slots=True)
class Counts:
    """Requests are those the upstream answered; what the meter answered itself stands apart."""

    requests: int = 0
    runs: int = 0
    """Accepted (202)."""
    completed: int = 0
    failed: int = 0
    answers_401: int = 0
    answers_402: int = 0
    answers_429: int = 0
    answers_5xx: int = 0
    unanswered: int = 0
    """The upstream could not be reached, hung up or took too long before it began to answer."""
    stopped_401: int = 0
    """By the block list."""
    stopped_402: int = 0
    """By the meter's daily cap."""
    stopped_429: int = 0
    """By the meter's limit of requests per minute."""
    spent: Microcredits = 0
    """The accepted runs by the prices at that time; runs without a price are in `unpriced` instead."""
    spent_low: Microcredits = 0
    spent_high: Microcredits = 0
    unpriced: int = 0

    def add(self, other: "Counts") -> None:
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


COLUMNS = tuple(each.name for each in fields(Counts))


@dataclass(slots=True)
class KeySeen:
    first_at: datetime
    last_four: str = ""
    name: str = ""
    used_at: datetime | None = None
    refused_at: datetime | None = None


@dataclass(slots=True)
class Seen:
    first_at: datetime
    last_at: datetime
    requests: int = 0
    runs: int = 0


class RunStarted(NamedTuple):
    """A named tuple and not a dataclass like the other values: thousands are made in a second."""

    fingerprint: str
    app_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RunEnded:
    outcome: str
    at: datetime


Bucketed: TypeAlias = tuple[str, datetime, str]
"""Fingerprint, start of the five minutes, app."""


@dataclass(slots=True)
class Batch:
    """Mutable and for one thread at a time: the meter fills one while the writer writes another."""

    counts: dict[Bucketed, Counts] = field(default_factory=dict)
    keys: dict[str, KeySeen] = field(default_factory=dict)
    apps: dict[tuple[str, str], Seen] = field(default_factory=dict)
    origins: dict[tuple[str, str, str], Seen] = field(default_factory=dict)
    runs: dict[str, RunStarted] = field(default_factory=dict)
    outcomes: dict[str, RunEnded] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts or self.keys or self.outcomes)

    def take_in(self, later: "Batch") -> None:
        """Add what was seen after this batch, for a writer that could not write this one.

        Counts stay exact; of runs and origins no more than so many wait, and the later ones are forgotten.
        """
        for bucketed, counts in later.counts.items():
            self.counts.setdefault(bucketed, Counts()).add(counts)
        for fingerprint, key in later.keys.items():
            mine = self.keys.setdefault(fingerprint, key)
            mine.used_at, mine.refused_at = key.used_at or mine.used_at, key.refused_at or mine.refused_at
        for app, seen in later.apps.items():
            _merge(self.apps, app, seen)
        for origin, seen in later.origins.items():
            if origin in self.origins or len(self.origins) < MOST_ORIGINS:
                _merge(self.origins, origin, seen)
        if len(self.runs) < MOST_RUNS:
            self.runs |= later.runs
        if len(self.outcomes) < MOST_RUNS:
            self.outcomes |= later.outcomes


def _merge(into: dict[_What, Seen], what: _What, seen: Seen) -> None:
    mine = into.get(what)
    if mine is None:
        into[what] = seen
        return
    mine.last_at = seen.last_at
    mine.requests += seen.requests
    mine.runs += seen.runs
