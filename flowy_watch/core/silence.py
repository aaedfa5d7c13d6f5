"""When people asked not to be told."""

from dataclasses import dataclass
from datetime import datetime

from flowy_watch.core.alert import Alert
from flowy_watch.core.finding import Finding
from flowy_watch.core.pattern import matches
from flowy_watch.core.usage import Microcredits
from flowy_watch.core.words import credit_words, person_words

EXPECTABLE = frozenset({"spike", "ramp", "last_used", "new_origin", "new_app"})
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
    """What an expectation expects of a UTC day; it covers no day on which the key has spent half as much again."""

    @property
    def label(self) -> str:
        """`silence 3 on render by ana`"""
        return f"silence {self.id} on {self.pattern}" + (f" by {person_words(self.by)}" if self.by else "")

    @property
    def scope(self) -> str:
        """`silence 3 on render, cap alone, until 2026-03-02 13:00 UTC`; with the amount of an expectation."""
        kind = f", {self.kind} alone" if self.kind else ""
        most = self.credits_at_most
        up_to = "" if most is None else f", {credit_words(most)} credits a day"
        return f"silence {self.id} on {self.pattern}{kind}, until {self.until:%Y-%m-%d %H:%M} UTC{up_to}"

    def covers(self, alert: Alert, *, at: datetime) -> bool:
        if not self.active(at) or not self.concerns(alert):
            return False
        if not self.expected:
            return True
        failed = alert.stop is not None and alert.stop.used_at is not None  # nobody expects use after a revoke
        return not failed and not self._exceeded(alert.finding)

    def concerns(self, alert: Alert) -> bool:
        """Whether it is about this alert's key and kind, in force or not."""
        finding = alert.finding
        if self.kind and self.kind != finding.kind:
            return False
        if self.expected and (finding.kind not in EXPECTABLE or finding.period == "revoked"):
            return False
        return matches(self.pattern, finding.key_name, finding.key_id or "")

    def _exceeded(self, finding: Finding) -> bool:
        most, stakes = self.credits_at_most, finding.stakes
        return most is not None and stakes is not None and stakes.spent_today > limit(most)

    def active(self, at: datetime) -> bool:
        """Also before it was made: a clock that was set back is no reason to tell, nor to go on with one lifted."""
        return at < self.until and self.ended_at is None


def limit(expected: Microcredits) -> Microcredits:
    """So much may be spent in a day of which so much is expected: half as much again."""
    return expected * 3 // 2
