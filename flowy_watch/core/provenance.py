"""Which source a figure comes from, and how sure it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Sure(StrEnum):
    """How far a figure can be relied upon, as people read it."""

    EXACT = "exact"
    BY_PRICE = "by price"
    """Runs that were counted, times what a run of their app costs."""
    LEAST = "at least"
    """There may be more that the source does not see."""


class Figure(StrEnum):
    """What can be known of a key, or of its workspace."""

    SPENT = "spent"
    LAST_USED = "last_used"
    STATUS = "status"
    CAP = "cap"
    RATE_LIMIT = "rate_limit"
    BALANCE = "balance"
    ORIGINS = "origins"
    """Addresses, apps, and answers such as 401, 402 and 429."""

    @property
    def words(self) -> str:
        return _WORDS.get(self, self.value)


_WORDS = {
    Figure.SPENT: "spend",
    Figure.LAST_USED: "last use",
    Figure.CAP: "daily caps",
    Figure.RATE_LIMIT: "rate limits",
    Figure.ORIGINS: "addresses, apps and refusals",
}

Knowledge = Mapping[Figure, Sure]
"""What a source knows, each with how sure it is."""


@dataclass(frozen=True, slots=True)
class From:
    """The source of one figure."""

    source: str
    sure: Sure = Sure.EXACT

    @property
    def words(self) -> str:
        """`exact, from api`"""
        return f"{self.sure.value}, from {self.source}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one key's figures come from; a figure that is missing is known by nobody."""

    figures: Mapping[Figure, From] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    """What each source that lists the key calls it."""
    fingerprint: str = ""
    """The key's own, where it passes through the meter: there it can be blocked."""

    @property
    def spent(self) -> From | None:
        return self.figures.get(Figure.SPENT)

    @property
    def remark(self) -> str:
        """What has to be said beside the key's spend; empty where it is exact."""
        spent = self.spent
        if spent is None:
            return "spend is not known"
        return "" if spent.sure is Sure.EXACT else f"{spent.sure.value}, from {spent.source}"
