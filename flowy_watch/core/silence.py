"""When people asked not to be told."""

from dataclasses import dataclass
from datetime import datetime

from flowy_watch.core.alert import Alert
from flowy_watch.core.pattern import matches


@dataclass(frozen=True, slots=True)
class Silence:
    """A pattern of key names or ids with an end. `*` also covers what belongs to no key (balance, blind)."""

    id: int
    pattern: str
    until: datetime
    created_at: datetime
    kind: str = ""
    why: str = ""
    by: str = ""
    ended_at: datetime | None = None

    def covers(self, alert: Alert, *, at: datetime) -> bool:
        if not self.active(at) or (self.kind and self.kind != alert.finding.kind):
            return False
        key_id, name = alert.finding.key_id or "", alert.finding.key_name
        return matches(self.pattern, name, key_id)

    def active(self, at: datetime) -> bool:
        return self.created_at <= at < self.until and (self.ended_at is None or at < self.ended_at)
