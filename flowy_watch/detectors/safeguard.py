"""Changes to what limits a key: each is told once, before and after."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.provenance import Figure
from flowy_watch.core.usage import ALL_KEYS, KeyStatus, Microcredits, Snapshot
from flowy_watch.core.words import credit_words
from flowy_watch.detectors.base import View, about_key


@dataclass(frozen=True, slots=True)
class SafeguardConfig:
    new_keys: bool = True
    """Tell of keys that appear in a workspace that was already watched."""
    revoked: bool = False
    """Tell of keys that Flowy refuses from one poll to the next: somebody revoked them, or they expired."""


@dataclass(frozen=True, slots=True)
class _Changed:
    what: str
    severity: Severity
    title: str
    before: str
    after: str


class SafeguardDetector:
    """A new key, a cap raised or removed, a rate limit lifted, a revoked key active again.

    The period is the minute of the change, so that the same change made twice is told twice.
    """

    Config: ClassVar[type] = SafeguardConfig

    def __init__(self, config: SafeguardConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        for history in view.histories:
            before, latest = history.previous, history.latest
            if before is None:
                if self.config.new_keys and latest.key_id in view.new_keys and latest.key_id != ALL_KEYS:
                    yield _told(history, view, _new(latest, view))
            elif (
                before.daily_cap != latest.daily_cap
                or before.rate_limit != latest.rate_limit
                or before.status is not latest.status
            ):
                for change in _changes(before, latest):
                    yield _told(history, view, change)
                if self.config.revoked and before.status is KeyStatus.ACTIVE and latest.status is not before.status:
                    yield _told(history, view, _refused(latest))


def _refused(latest: Snapshot) -> _Changed:
    title = "is refused by Flowy: it was revoked, or it expired"
    return _Changed("refused", Severity.INFO, title, "active", latest.status.value)


def _new(latest: Snapshot, view: View) -> _Changed:
    provenance = view.provenance.get(latest.key_id)
    if provenance and Figure.CAP not in provenance.figures:
        return _Changed("new_key", Severity.INFO, "is a new key", "no such key", "a key whose cap is not known")
    if latest.daily_cap is None:
        return _Changed("new_key", Severity.WARNING, "is a new key without a daily cap", "no such key", "no cap")
    return _Changed(
        "new_key",
        Severity.INFO,
        f"is a new key with a daily cap of {credit_words(latest.daily_cap)} credits",
        "no such key",
        _cap(latest.daily_cap),
    )


def _changes(before: Snapshot, after: Snapshot) -> Iterator[_Changed]:
    if before.daily_cap is not None and before.daily_cap != after.daily_cap:
        was, now = _cap(before.daily_cap), _cap(after.daily_cap)
        if after.daily_cap is None:
            yield _Changed("cap_removed", Severity.WARNING, f"lost its daily cap of {was}", was, now)
        elif after.daily_cap > before.daily_cap:
            yield _Changed("cap_raised", Severity.INFO, f"has its daily cap raised from {was} to {now}", was, now)
    if before.rate_limit is not None and before.rate_limit != after.rate_limit:
        was, now = _rate(before.rate_limit), _rate(after.rate_limit)
        if after.rate_limit is None:
            yield _Changed("rate_limit", Severity.INFO, "is back to Flowy's default rate limit", was, now)
        elif after.rate_limit > before.rate_limit:
            yield _Changed("rate_limit", Severity.INFO, f"has its rate limit lifted from {was} to {now}", was, now)
    if before.status is KeyStatus.REVOKED and after.status is KeyStatus.ACTIVE:
        yield _Changed("active_again", Severity.WARNING, "is active again after a revoke", "revoked", "active")


def _told(history: History, view: View, change: _Changed) -> Finding:
    return about_key(
        history,
        view,
        "safeguard",
        change.severity,
        change.title,
        period=f"{change.what}@{view.now:%Y-%m-%dT%H:%MZ}",
        suspicious_only=True,
        evidence=(f"Before: {change.before}. Now: {change.after}.",),
        facts={"what": change.what, "before": change.before, "after": change.after},
    )


def _cap(cap: Microcredits | None) -> str:
    return "no cap" if cap is None else f"{credit_words(cap)} credits a day"


def _rate(limit: int | None) -> str:
    return "the default" if limit is None else f"{limit:,} requests a minute"
