"""A Flowy API key: its limits, its counters, and when it says no."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from flowy_watch.simulator.credits import Microcredits
from flowy_watch.simulator.refusal import Refused

SECRET_PREFIXES = ("flw_sk_", "flowy_")
PUBLISHABLE_PREFIX = "flowy_pk_"
DEFAULT_RATE_LIMIT, DEFAULT_PUBLISHABLE_RATE_LIMIT = 60, 120
UNAUTHORIZED = "Missing, malformed, revoked or expired API key"


class Status(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Quota(NamedTuple):
    """What the three X-RateLimit headers say."""

    limit: int
    remaining: int
    resets_at: int  # Unix seconds


@dataclass(slots=True)
class Key:
    """Changes in place, which values elsewhere in this product do not: it is the simulated Flowy's own row.

    Only World changes it, under its lock. `rate_limit` is in requests per minute, None for the default of its kind.
    """

    id: str
    name: str
    secret: str
    created_at: datetime
    daily_cap: Microcredits | None = None
    rate_limit: int | None = None
    concurrent_limit: int = 5
    status: Status = Status.ACTIVE
    last_used_at: datetime | None = None
    spent_today: Microcredits = 0
    refused_today: int = 0
    _minute: int = -1
    _requests: int = 0

    @property
    def publishable(self) -> bool:
        return self.secret.startswith(PUBLISHABLE_PREFIX)

    @property
    def prefix(self) -> str:
        """The hint a listing shows, such as `flw_sk_…a1b2`: enough to recognise the key, useless to a thief."""
        shape = next(p for p in (PUBLISHABLE_PREFIX, *SECRET_PREFIXES) if self.secret.startswith(p))
        return f"{shape}…{self.secret[-4:]}"

    @property
    def limit_per_minute(self) -> int:
        if self.rate_limit is not None:
            return self.rate_limit
        return DEFAULT_PUBLISHABLE_RATE_LIMIT if self.publishable else DEFAULT_RATE_LIMIT

    def quota(self, second: int) -> Quota:
        minute = second // 60
        used = self._requests if minute == self._minute else 0
        return Quota(self.limit_per_minute, max(0, self.limit_per_minute - used), (minute + 1) * 60)

    def admit(self, at: datetime, second: int) -> None:
        """Count one request against the minute. Any request by a valid key moves `last_used_at`, also a refused one."""
        if self.status is not Status.ACTIVE:
            raise Refused(401, UNAUTHORIZED)
        self.last_used_at = at
        minute = second // 60
        if minute != self._minute:
            self._minute, self._requests = minute, 0
        if self._requests >= self.limit_per_minute:
            raise Refused(429, "Rate limit exceeded", retry_after=timedelta(seconds=(minute + 1) * 60 - second))
        self._requests += 1

    def spend(self, price: Microcredits) -> None:
        if self.daily_cap is not None and self.spent_today + price > self.daily_cap:
            raise Refused(402, "Daily spend cap reached for this API key")
        self.spent_today += price

    def start_day(self) -> None:
        self.spent_today = 0
        self.refused_today = 0


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
