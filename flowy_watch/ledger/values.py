"""What the ledger tells."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flowy_watch.core.usage import Microcredits, clean_name
from flowy_watch.core.words import credit_words
from flowy_watch.ledger.batch import Counts

NO_KEY = "none"
OTHER = "other"


def fingerprint_of(secret: str | bytes) -> str:
    """As `printf %s "$KEY" | sha256sum | cut -c1-16` prints it."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return hashlib.sha256(raw).hexdigest()[:16]


class UseStatus(StrEnum):
    ACTIVE = "active"
    REFUSED = "refused"
    """It was good once, and the latest answer is 401: revoked or expired."""
    UNKNOWN = "unknown"
    """Never anything but 401."""


class Outcome(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"


class PriceSource(StrEnum):
    CONFIGURED = "configured"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key and what it did on one UTC day."""

    fingerprint: str
    last_four: str
    name: str
    """As the meter's configuration calls it; empty where it does not."""
    first_seen_at: datetime
    last_used_at: datetime | None
    """Of any day: when an answer that was not 401 came."""
    last_refused_at: datetime | None
    counts: Counts

    @property
    def status(self) -> UseStatus:
        if self.last_used_at is None:
            return UseStatus.UNKNOWN
        refused = self.last_refused_at is not None and self.last_refused_at > self.last_used_at
        return UseStatus.REFUSED if refused else UseStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class FiveMinutes:
    started_at: datetime
    fingerprint: str
    app_id: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class AppSeen:
    fingerprint: str
    app_id: str
    first_seen_at: datetime
    last_seen_at: datetime
    runs: int


@dataclass(frozen=True, slots=True)
class OriginSeen:
    fingerprint: str
    address: str
    user_agent: str
    first_seen_at: datetime
    last_seen_at: datetime
    requests: int
    runs: int


@dataclass(frozen=True, slots=True)
class Price:
    """What one run of an app costs; the truth lies between `low` and `high`."""

    app_id: str
    price: Microcredits
    low: Microcredits
    high: Microcredits
    source: PriceSource

    @property
    def words(self) -> str:
        """`poster 12 credits ±1`; a configured one is exact."""
        off = max(self.high - self.price, self.price - self.low)
        around = f" ±{credit_words(off)}" if off else ""
        return f"{clean_name(self.app_id)} {credit_words(self.price)} credits{around}"


@dataclass(frozen=True, slots=True)
class Block:
    fingerprint: str
    at: datetime
    by: str
    why: str
