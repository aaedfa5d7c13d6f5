"""What a detector says about one key, or the workspace, now."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from flowy_watch.core.usage import Microcredits


class Severity(IntEnum):
    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Stakes:
    """The money behind a finding about a key, as of one poll."""

    spent_today: Microcredits
    per_hour: Microcredits
    """Pace over the last hour (less when fewer polls are known)."""
    resets_at: datetime
    daily_cap: Microcredits | None = None
    cap_hit_at: datetime | None = None
    """At this pace; None when the reset comes first, there is no cap, or it has been hit."""
    at_risk_today: Microcredits | None = None
    """The most that can still be lost before the reset, by cap and balance; None when nothing bounds it."""
    at_risk_next_day: Microcredits | None = None
    """The most that can be lost right after the reset."""
    balance: Microcredits | None = None
    remark: str = ""
    """Where the spend comes from and how sure it is, as `by price, from meter`; empty where it is exact."""


@dataclass(frozen=True, slots=True)
class Small:
    """Why a finding is no alert but a line in the digest: what it comes to, and from how much on it would be told."""

    excess: Microcredits
    """Beyond what was to be expected."""
    least: Microcredits


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem as one detector sees it in one poll. Names, never numbers, make its identity.

    `level` orders findings of one kind: a higher level is a worse state of the same problem and is told again.
    """

    kind: str
    severity: Severity
    title: str
    key_id: str | None = None
    key_name: str = ""
    last_four: str = ""
    period: str = ""
    level: int = 1
    evidence: tuple[str, ...] = ()
    suspicious_only: bool = False
    """Looks odd rather than stolen: the softer stop is offered beside revoking."""
    stakes: Stakes | None = None
    facts: dict[str, str] = field(default_factory=dict)
    began_at: datetime | None = None
    """When the odd use that it rests on began, at the earliest; None where that is not known."""
    meter_key: str = ""
    """The key's fingerprint where it passes through the meter: there it can be blocked at once."""

    small: Small | None = None
    """Too little for an alert; None for all that is told."""

    @property
    def fingerprint(self) -> str:
        """The identity of the problem across polls: kind, key, period."""
        return f"{self.kind}/{self.key_id or '-'}/{self.period or '-'}"
