"""The watcher itself: it cannot see, it sees a frozen picture, or its clock is off."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import ALL_KEYS
from flowy_watch.core.words import span_words
from flowy_watch.core.workspace import StandingTrouble
from flowy_watch.detectors.base import View


@dataclass(frozen=True, slots=True)
class BlindConfig:
    after_polls: int = 3
    """Polls in a row without a good one before it is told; a refused credential is told at once."""
    frozen_after: timedelta = timedelta(hours=6)
    """At the least this long without any movement, and twice as long as ever before, counts as frozen."""


class BlindDetector:
    """Missing data opens no spend alert and resolves none; this is the alert that says so."""

    Config: ClassVar[type] = BlindConfig

    def __init__(self, config: BlindConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        health = view.health
        if health.troubles:
            told = (one for one in health.troubles if one.polls >= self.config.after_polls or one.trouble.refused)
            yield from (_source_blind(one) for one in told)
        elif not health.good and (health.failures >= self.config.after_polls or health.refused):
            since = health.last_good_at or health.first_failure_at or view.now
            yield _blind(since, health.reason, "no_poll")
        elif health.good and health.skewed >= self.config.after_polls and health.clock_offset is not None:
            offset = span_words(abs(health.clock_offset))
            side = "behind" if health.clock_offset > timedelta() else "ahead of"
            yield _blind(None, f"this machine's clock is {offset} {side} the source's: set it (NTP)", "clock")
        elif health.good and (still := self._frozen(view)):
            yield _blind(still, "the source repeats the same figures: nothing has moved since", "frozen")

    def _frozen(self, view: View) -> datetime | None:
        workspace = view.workspace
        uncounted = all(one.latest.spent is None or one.latest.key_id == ALL_KEYS for one in view.histories)
        if view.histories and uncounted and workspace.balance is None:
            return None  # without a counter there is nothing to stand still
        if workspace.moved_at is None or workspace.first_at is None:
            return None
        if view.now - workspace.first_at < timedelta(days=14):
            return None  # not long enough to know how still a night or a weekend is
        still = view.now - workspace.moved_at
        return workspace.moved_at if still > max(self.config.frozen_after, 2 * workspace.longest_still) else None


def _source_blind(standing: StandingTrouble) -> Finding:
    """One of several sources: what the others know goes on."""
    source, reason = standing.trouble.source, standing.trouble.reason
    since = standing.since
    return Finding(
        kind="blind",
        severity=Severity.CRITICAL,
        title=f"Source {source} is blind since {since:%Y-%m-%d %H:%M} UTC: {reason}",
        period=source,
        evidence=(reason, "What it alone knows stays unknown: no alert about that opens, and none is resolved."),
        facts={"what": "source", "source": source, "reason": reason, "since": since.isoformat()},
    )


def _blind(since: datetime | None, reason: str, what: str) -> Finding:
    when = f"Blind since {since:%Y-%m-%d %H:%M} UTC" if since else "Blind"
    return Finding(
        kind="blind",
        severity=Severity.CRITICAL,
        title=f"{when}: {reason}",
        evidence=(reason, "While blind, no spend alert opens and none is resolved."),
        facts={"what": what, "reason": reason} | ({"since": since.isoformat()} if since else {}),
    )
