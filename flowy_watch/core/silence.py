"""When people asked not to be told."""

from dataclasses import dataclass
from datetime import datetime

from flowy_watch.core.alert import Alert
from flowy_watch.core.finding import Finding
from flowy_watch.core.pattern import matches
from flowy_watch.core.usage import Microcredits

EXPECTABLE = frozenset({"spike", "ramp", "last_used"})
"""Kinds that say "this is not usual": what somebody can know better. A cap or a balance runs out all the same."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A pattern of key names or ids with an end. `*` also covers what belongs to no key (balance, blind).

    An expectation is a silence on what is unusual alone, up to an amount.
    """

    id: int
    pattern: str
    until: datetime
    created_at: datetime
    kind: str = ""
    why: str = ""
    by: str = ""
    ended_at: datetime | None = None
    expected: bool = False
    credits_at_most: Microcredits | None = None
    """An expectation covers no day on which the key has spent more than this."""

    @property
    def label(self) -> str:
        """`silence 3 on render by ana`"""
        return f"silence {self.id} on {self.pattern}" + (f" by {self.by}" if self.by else "")

    def covers(self, alert: Alert, *, at: datetime) -> bool:
        if not self.active(at) or (self.kind and self.kind != alert.finding.kind):
            return False
        finding = alert.finding
        if self.expected and (finding.kind not in EXPECTABLE or finding.period == "revoked" or self._exceeded(finding)):
            return False
        if self.expected and alert.stop and alert.stop.used_at:
            return False  # nobody expects use of a key that was to be revoked
        return matches(self.pattern, finding.key_name, finding.key_id or "")

    def _exceeded(self, finding: Finding) -> bool:
        most, stakes = self.credits_at_most, finding.stakes
        return most is not None and stakes is not None and stakes.spent_today > most

    def active(self, at: datetime) -> bool:
        return self.created_at <= at < self.until and (self.ended_at is None or at < self.ended_at)
