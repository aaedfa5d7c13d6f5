"""Who gets which digest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from flowy_watch.core.digest import Digest, KeyFigures
from flowy_watch.core.period import Period, Span


@dataclass(frozen=True, slots=True)
class Edition:
    """One recipient's regular digest."""

    channel: str
    recipient: str = ""
    """One mail address; empty where the channel is the place itself."""
    owner: str = ""
    """Empty: the whole workspace."""
    span: Span = Span.WEEK

    def identity(self, period: Period) -> str:
        """Of its digest of this period, the same whenever and wherever it is made: nobody gets it twice."""
        parts = "\0".join((self.channel, self.recipient, self.owner, period.name))
        return f"digest-{period.name}-{sha256(parts.encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class Issue:
    """One digest of one edition, with its numbers as they were when it was made: every try is the same message."""

    edition: Edition
    digest: Digest
    again: bool = False
    """Asked for by hand although it was sent before."""

    @property
    def identity(self) -> str:
        known = self.edition.identity(self.digest.period)
        return f"{known}-{self.digest.made_at:%y%m%d%H%M%S}" if self.again else known


KEPT = 5000
"""So many keys an issue holds one by one; half a megabyte in the outbox, for each recipient."""


def bounded(issue: Issue, most: int = KEPT) -> Issue:
    """An issue of very many keys with the lesser ones summed up, one for each owner: every sum stays exact.

    Those stay single of which there is most to tell: what happened to them first, then what they spent.
    """
    keys = issue.digest.keys
    if len(keys) <= most:
        return issue
    ranked = sorted(range(len(keys)), key=lambda place: (not _tells(keys[place]), place))
    single, others = sorted(ranked[:most]), [keys[place] for place in sorted(ranked[most:])]
    owners = sorted({key.owner for key in others})
    summed = [_summed([key for key in others if key.owner == owner]) for owner in owners]
    return replace(issue, digest=replace(issue.digest, keys=(*(keys[place] for place in single), *summed)))


def _tells(key: KeyFigures) -> bool:
    """Something happened to it, or is to be done about it."""
    odd = key.new or key.revoked or key.cap_changed or key.cap_too_high or key.open_days or key.unknown_days
    return bool(odd or key.at_cap or key.near_cap or key.idle_days or key.answers)


def _summed(keys: Sequence[KeyFigures]) -> KeyFigures:
    if len(keys) == 1:
        return keys[0]
    known = [[day for day in days if day is not None] for days in zip(*(key.days for key in keys), strict=True)]
    return KeyFigures(
        "",
        f"{len(keys):,} keys",
        tuple(sum(days) if days else None for days in known),
        tuple(sum(amounts) for amounts in zip(*(key.earlier for key in keys), strict=True)),
        owner=keys[0].owner,
        open_days=max(key.open_days for key in keys),
        unknown_days=max(key.unknown_days for key in keys),
        by_price=any(key.by_price for key in keys),
        many=len(keys),
    )
