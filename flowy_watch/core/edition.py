"""Who gets which digest."""

from dataclasses import dataclass
from hashlib import sha256

from flowy_watch.core.digest import Digest
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
