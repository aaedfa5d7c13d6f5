"""What Flowy's rate-limit headers say about one key: who else has used it within the minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
_SAME_WINDOW = 2  # seconds that a reset may move by rounding
_MOST = 10**9
_RARELY = timedelta(minutes=5)
_SPARED = 5  # a key that may ask so little is asked rarely
_SHARE, _FEW = 20, 3  # of a key's own limit: one in twenty, three a minute at most


@dataclass(frozen=True, slots=True)
class Quota:
    """The three documented headers."""

    limit: int
    remaining: int
    resets_at: int
    """Unix seconds, by Flowy's clock."""

    @classmethod
    def told(cls, headers: Mapping[str, str]) -> "Quota | None":
        """None where they are missing or make no sense."""
        found = []
        for name in ("limit", "remaining", "reset"):
            text = headers.get(f"x-ratelimit-{name}", "")
            if not text.isascii() or not text.isdigit() or len(text) > 12:
                return None
            found.append(int(text))
        limit, remaining, resets_at = found
        return cls(limit, remaining, resets_at) if 1 <= limit <= _MOST and remaining <= limit else None


@dataclass(slots=True)
class Asked:
    """When we asked with one key, and what its quota said. Mutable: one for each key, as long as it is probed."""

    at: datetime | None = None
    """When we asked last."""
    lately: tuple[datetime, ...] = ()
    """When we asked within the last minute."""
    quota: Quota | None = None
    """The last one told."""
    ours: int = 0
    """How many requests of its window were ours."""
    unanswered: int = 0
    """Requests since then that may have been counted and were not answered."""
    not_before: datetime | None = None
    """The key has nothing left, or Flowy asked us to wait."""

    def may_ask(self, now: datetime) -> bool:
        """Whether one more request takes so little of the key's own limit that nobody misses it."""
        if self.not_before and now < self.not_before:
            return False
        return self.at is None or not timedelta(0) <= now - self.at < self._pause()

    def _pause(self) -> timedelta:
        if self.quota is None:
            return MINUTE
        if self.quota.limit < _SPARED:
            return _RARELY
        return MINUTE / min(max(self.quota.limit // _SHARE, 1), _FEW)

    def ask(self, now: datetime) -> None:
        self.at = now
        self.lately = (*(at for at in self.lately if timedelta(0) <= now - at < MINUTE), now)
        self.unanswered += 1

    def hear(self, quota: Quota | None, now: datetime, date: datetime) -> int:
        """Take in an answer; return how many requests of this window were not ours.

        `date` is now by Flowy's clock. In doubt a request is taken for ours.
        """
        before, unanswered = self.quota, self.unanswered
        self.unanswered = 0
        if quota is None:
            return 0
        moved = quota.resets_at - before.resets_at if before else None
        if moved is None or moved >= MINUTE.total_seconds() / 2:
            self.ours = unanswered  # a new window
        elif abs(moved) <= _SAME_WINDOW:
            self.ours += unanswered
        else:
            self.ours = max(len(self.lately), unanswered)  # a window that slides with each request
        self.quota = quota
        if quota.remaining < 2:
            wait = max(quota.resets_at - date.timestamp(), 1.0)
            self.not_before = now + timedelta(seconds=min(wait, _RARELY.total_seconds()))
        return max(quota.limit - quota.remaining - self.ours, 0)

    def wait(self, span: timedelta, now: datetime) -> None:
        self.not_before = now + min(max(span, timedelta(seconds=1)), timedelta(hours=1))

    def dump(self) -> dict[str, object]:
        """As JSON can hold it, for `load`."""
        quota = self.quota
        return {
            "at": self.at and self.at.isoformat(),
            "lately": [at.isoformat() for at in self.lately],
            "quota": quota and [quota.limit, quota.remaining, quota.resets_at],
            "ours": self.ours,
            "unanswered": self.unanswered,
            "not_before": self.not_before and self.not_before.isoformat(),
        }

    @classmethod
    def load(cls, state: Mapping[str, object]) -> "Asked":
        """Raises KeyError, TypeError or ValueError when it is none of ours."""
        quota, lately = state["quota"], state["lately"]
        if not isinstance(lately, list) or not isinstance(quota, list | None):
            raise TypeError
        return cls(
            moment(state["at"]),
            tuple(at for one in lately if (at := moment(one))),
            Quota(*map(whole, quota)) if quota else None,
            whole(state["ours"]),
            whole(state["unanswered"]),
            moment(state["not_before"]),
        )


def moment(text: object) -> datetime | None:
    """Raises TypeError or ValueError for what is no instant and not null."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError
    return at


def whole(number: object) -> int:
    """Raises TypeError for what is no count."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise TypeError
    return number
