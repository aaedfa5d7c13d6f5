"""How the simulated Flowy says no."""

from datetime import timedelta


class Refused(Exception):
    """Carries the HTTP status a caller sees; `retry_after` is set for 429 only."""

    def __init__(self, status: int, reason: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
