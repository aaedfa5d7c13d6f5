"""What a source says about keys: snapshots, readings, and the cap day they belong to."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from flowy_watch.core.provenance import Knowledge, Provenance
from flowy_watch.core.redact import redact
from flowy_watch.core.sighting import Sightings

Microcredits: TypeAlias = int
"""Credits as exact integers; one credit is 1,000,000 of them."""

CREDIT: Microcredits = 1_000_000
MOST: Microcredits = 9 * 10**18  # what a signed 64-bit column holds: nine million million credits

DAY = timedelta(days=1)
CLOSING = timedelta(minutes=1)  # a day whose last poll is older than this at 00:00 UTC has a hole at its end


ALL_KEYS = "all-keys"
"""The id under which a source lists what the whole workspace spends, where nobody knows by which key."""


class Match(StrEnum):
    """By what a source's keys are found to be keys of a more trusted source, where their ids differ."""

    LAST_FOUR = "last_four"
    NAME = "name"
    KEY_ID = "key_id"
    """By the id alone."""

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


class KeyStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Snapshot(NamedTuple):
    """One key's counters at one moment.

    A named tuple and not a dataclass like the other values: 10,000 are made in every poll, and a frozen
    dataclass of this width costs six times as much to make.
    """

    key_id: str
    name: str
    taken_at: datetime
    spent: Microcredits | None
    """Since 00:00 UTC of the day of `taken_at`; None from a source that does not know it, which is never 0."""
    last_used_at: datetime | None = None
    daily_cap: Microcredits | None = None
    status: KeyStatus = KeyStatus.ACTIVE
    rate_limit: int | None = None
    """Requests per minute; None is Flowy's default."""
    created_at: datetime | None = None
    last_four: str = ""


class Columns(NamedTuple):
    """The same fields of many snapshots, each as one column; all are of the same length."""

    key_id: tuple[str, ...]
    name: tuple[str, ...]
    taken_at: tuple[datetime, ...]
    spent: tuple[Microcredits | None, ...]
    last_used_at: tuple[datetime | None, ...]
    daily_cap: tuple[Microcredits | None, ...]
    status: tuple[KeyStatus, ...]
    rate_limit: tuple[int | None, ...]
    created_at: tuple[datetime | None, ...]
    last_four: tuple[str, ...]

    @classmethod
    def of(cls, snapshots: Sequence[Snapshot]) -> "Columns":
        return cls(*zip(*snapshots, strict=True)) if snapshots else cls(*[()] * len(cls._fields))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A key that was listed but could not be believed, and why."""

    key_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """How a key's requests of one UTC day were answered, as far as a source sees that."""

    refused: int = 0
    """401"""
    capped: int = 0
    """402"""
    throttled: int = 0
    """429"""
    unpriced: int = 0
    """Runs that no price is known for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A source that failed in a poll in which others may have answered."""

    source: str
    reason: str
    refused: bool = False
    """The credential: waiting does not help."""


@dataclass(frozen=True)
class Reading:
    """What one pull of a source brought. `snapshots` holds each key once."""

    taken_at: datetime
    snapshots: tuple[Snapshot, ...]
    balance: Microcredits | None = None
    workspace_name: str | None = None
    skipped: tuple[Skipped, ...] = ()
    clock_offset: timedelta | None = None
    """The source's clock minus ours; None when it does not tell the time."""
    sightings: Mapping[str, Sightings] = field(default_factory=dict)
    """By key id, from a source that sees who uses a key."""
    answers: Mapping[str, Answers] = field(default_factory=dict)
    """By key id, of the day of `taken_at`."""
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
    """By key id, where there is anything to say: several sources, or one that is not exact."""
    parts: tuple["Part", ...] = ()
    """What several sources said, the most trusted first; `core.merge` makes one reading of it."""
    troubles: tuple[Trouble, ...] = ()
    rebased: frozenset[str] = frozenset()
    """Ids of keys whose spend comes from another source than before: the difference is no spend."""

    @cached_property
    def columns(self) -> Columns:
        """What `snapshots` hold, for whoever would else read one field of each: at a tenth of the cost."""
        return Columns.of(self.snapshots)


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several sources said in a poll; without a reading it failed."""

    source: str
    knows: Knowledge
    reading: Reading | None = None
    trouble: Trouble | None = None
    match: Match = Match.LAST_FOUR


def day_of(at: datetime) -> date:
    """The cap day: the UTC day."""
    return at.astimezone(UTC).date()


def day_start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def next_reset(at: datetime) -> datetime:
    """The next 00:00 UTC strictly after `at`."""
    return day_start(day_of(at) + DAY)


def credits_to_micro(credits_used: float | int) -> Microcredits:
    """Credits to micro-credits, exactly for integers and to the nearest micro-credit for fractions.

    Raises ValueError for anything that is no amount: NaN, infinite, negative, or beyond what a column holds.
    """
    if isinstance(credits_used, bool) or not isinstance(credits_used, int | float):
        raise ValueError(f"is {_type_name(credits_used)}, not a number")
    if not 0 <= credits_used <= MOST // CREDIT:  # false for NaN too
        raise ValueError("is not an amount of credits (negative, not finite, or absurdly large)")
    if isinstance(credits_used, int):
        return credits_used * CREDIT
    return round(credits_used * CREDIT)


def _type_name(value: object) -> str:
    names: dict[type, str] = {str: "text", bool: "true/false", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), type(value).__name__)


_SPACES = re.compile(r"\s+")
_LONGEST_NAME = 200
_JOINER = "\u200d"  # holds emoji together; every other invisible character goes
_EMOJI = ("So", "Sk", "Mn")  # a symbol, its skin tone, its variation
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn")


def clean_name(raw: str) -> str:
    """A name from elsewhere made harmless for every place it can land in.

    One line, no control, bidi or other invisible characters, no secret, at most 200 characters. What a single
    channel must escape (Slack's `&<>`, HTML) stays: that is the channel's business.
    """
    if raw.isascii() and raw.isprintable() and len(raw) <= _LONGEST_NAME:
        return redact(_SPACES.sub(" ", raw).strip())  # nearly all names; what follows costs ten times as much
    spaced = _SPACES.sub(" ", raw[: 4 * _LONGEST_NAME])
    visible = "".join(
        c
        for before, c in pairwise(" " + spaced)
        if unicodedata.category(c) not in _INVISIBLE or (c == _JOINER and unicodedata.category(before) in _EMOJI)
    )
    name = redact(visible.strip())
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
