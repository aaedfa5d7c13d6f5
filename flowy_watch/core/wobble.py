"""Problems that come and go: how often one came back, and from when on that is called flapping."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

WINDOW = timedelta(hours=4)
FLAPS_AT = 4
"""So many returns within WINDOW are flapping."""


@dataclass(frozen=True, slots=True)
class Wobble:
    """What an alert's polls have seen of its coming and going."""

    gone_since: datetime | None = None
    """The first of the polls, up to now, that could have seen the problem and did not; None while it is there."""
    back: int = 0
    """How often it came back."""
    lately: tuple[datetime, ...] = ()
    """Its last returns."""
    flapping_since: datetime | None = None
    ends: int = 0
    """How often the alert had ended before it came back."""
    looked_at: datetime | None = None
    """The last of the polls that did not see it."""
    quiet: timedelta = timedelta(0)
    """So long polls have seen it gone."""

    def found(self, now: datetime) -> "Wobble":
        """A poll has found the problem."""
        if self.gone_since is None:
            return self
        lately = (*self.lately, now)[-FLAPS_AT:]
        flaps = len(lately) == FLAPS_AT and now - lately[0] <= WINDOW
        since = self.flapping_since or (lately[0] if flaps else None)
        return Wobble(None, self.back + 1, lately, since, self.ends)

    def gone(self, now: datetime, *, seen_at: datetime, wanted: timedelta) -> "Wobble":
        """A poll that could have seen the problem has not found it; `seen_at` is when it was last found.

        What lies between two polls counts as quiet. Nobody knows what was in a gap as long as all the quiet that is
        wanted: it counts for half of that, so that no single look is enough.
        """
        passed = max(now - (self.looked_at or seen_at), timedelta(0))
        quiet = self.quiet + (passed if passed < wanted else wanted / 2)
        return replace(self, gone_since=self.gone_since or now, looked_at=now, quiet=quiet)

    @property
    def words(self) -> str:
        """One sentence without its end; empty where nothing came and went."""
        times = f"{self.back} times" if self.back > 1 else "once"
        if self.flapping_since:
            return f"Flapping: it came back {times}, since {self.flapping_since:%Y-%m-%d %H:%M} UTC"
        return f"It went away and came back {times}" if self.back else ""


STEADY = Wobble()
"""What never came back."""
