"""What the run counters of a workspace's apps say it spends, by price."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flowy_watch.core.usage import CREDIT, MOST, Microcredits, day_of
from flowy_watch.sources.quota import moment, whole

_OVER_MIDNIGHT = timedelta(minutes=15)
_ANY_OTHER = "*"
_MOST_APPS = 10_000
_MOST_RUNS = 10**12


@dataclass(frozen=True, slots=True)
class AppRuns:
    """One app, as `GET /apps` lists it."""

    app_id: str
    slug: str
    runs: int


def listed_apps(content: object) -> list[AppRuns] | None:
    """The apps of an answer to `GET /apps`; None when it is none. An app without a counter is left out."""
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, list):
        return None
    found = {}
    for item in data[:_MOST_APPS]:
        if not isinstance(item, dict):
            continue
        app_id, slug, runs = item.get("id"), item.get("slug"), item.get("runCount")
        if isinstance(app_id, str) and app_id and type(runs) is int and 0 <= runs <= _MOST_RUNS:
            found[app_id[:200]] = AppRuns(app_id[:200], slug if isinstance(slug, str) else "", runs)
    return list(found.values())


@dataclass(slots=True)
class Runs:
    """Counters as they were last seen, and what was spent since 00:00 UTC. Mutable, and kept between polls.

    Only what is seen to be added counts: the first look at an app says nothing, also at one that was gone for a while,
    nor does a counter that went back, nor what was added over 00:00 UTC since a look too long ago to say on which side.
    """

    counters: dict[str, int] = field(default_factory=dict)
    at: datetime | None = None
    day: date | None = None
    spent: Microcredits = 0
    unpriced: int = 0
    """Runs of this day of apps that have no price."""

    def add(self, apps: list[AppRuns], prices: Mapping[str, float], now: datetime) -> None:
        today = day_of(now)
        known = self.at is not None and self.at <= now
        if self.day != today:
            known = known and self.at is not None and now - self.at <= _OVER_MIDNIGHT
            self.day, self.spent, self.unpriced = today, 0, 0
        for app in apps:
            before = self.counters.get(app.app_id)
            if not known or before is None or app.runs <= before:
                continue
            price = prices.get(app.app_id, prices.get(app.slug, prices.get(_ANY_OTHER)))
            if price is None:
                self.unpriced += app.runs - before
            else:
                self.spent = min(self.spent + (app.runs - before) * round(price * CREDIT), MOST)
        self.counters, self.at = {app.app_id: app.runs for app in apps}, now

    def today(self, now: datetime) -> Microcredits:
        return self.spent if self.day == day_of(now) else 0

    def dump(self) -> dict[str, object]:
        """As JSON can hold it, for `load`."""
        return {
            "counters": self.counters,
            "at": self.at and self.at.isoformat(),
            "day": self.day and self.day.isoformat(),
            "spent_microcredits": self.spent,
            "unpriced": self.unpriced,
        }

    @classmethod
    def load(cls, state: Mapping[str, object]) -> "Runs":
        """Raises KeyError, TypeError or ValueError when it is none of ours."""
        counters, day = state["counters"], state["day"]
        if not isinstance(counters, dict) or not isinstance(day, str | None):
            raise TypeError
        return cls(
            {str(name): whole(runs) for name, runs in counters.items()},
            moment(state["at"]),
            date.fromisoformat(day) if day else None,
            whole(state["spent_microcredits"]),
            whole(state["unpriced"]),
        )
