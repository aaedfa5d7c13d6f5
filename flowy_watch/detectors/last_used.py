"""A key that moves when nobody should be using it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.usage import KeyStatus
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.detectors.base import KeyRules, View, about_key

_KIND = "last_used"
_LEARNED_REST = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class LastUsedConfig:
    in_flight: timedelta = timedelta(minutes=15)
    """Runs started before a revoke may still be charged for this long; only their spend is excused, not new use."""


class LastUsedDetector:
    """Dormant keys that wake (also at zero spend), use outside declared hours, use after a revoke."""

    Config: ClassVar[type] = LastUsedConfig

    def __init__(self, config: LastUsedConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        for history in view.histories:
            if history.still_for is None or history.previous is None:
                continue
            rules = view.rules_of(history.latest.key_id, history.latest.name)
            if history.still_for < (rules.dormant_after or _LEARNED_REST) and (
                not rules.hours and history.latest.status is not KeyStatus.REVOKED
            ):
                continue  # most keys, most of the time
            if history.previous.status is KeyStatus.REVOKED and history.latest.status is KeyStatus.REVOKED:
                if finding := self._after_revoke(history, view):
                    yield finding
                continue
            if history.still_for >= (dormant_after := _dormant_after(history, rules)):
                yield _woke(history, view, dormant_after)
            if rules.hours and not rules.hours.cover(history.moved_at):
                yield _odd_hours(history, view, rules)

    def _after_revoke(self, history: History, view: View) -> Finding | None:
        revoked_at, latest = history.revoked_at, history.latest
        if revoked_at is None or history.moved_at < revoked_at:
            return None  # used before the revoke was seen, and told late
        if latest.last_used_at is None and latest.taken_at - revoked_at < self.config.in_flight:
            return None
        return about_key(
            history,
            view,
            _KIND,
            Severity.CRITICAL,
            "was used after it was revoked",
            period="revoked",
            level=2,
            evidence=(
                f"Seen revoked at {_utc(revoked_at)}, used at {_utc(history.moved_at)}.",
                "A revoked key should answer 401 at once: check in Flowy that the revoke took hold.",
            ),
            facts={"revoked_at": revoked_at.isoformat(), "used_at": history.moved_at.isoformat()},
        )


def _dormant_after(history: History, rules: KeyRules) -> timedelta:
    """As configured; else three weeks, or twice the longest rest this key has been seen to take before."""
    return rules.dormant_after or max(_LEARNED_REST, 2 * history.longest_still)


def _woke(history: History, view: View, dormant_after: timedelta) -> Finding:
    still = span_words(history.still_for or timedelta())
    spent = history.latest.spent
    money = f"{credit_words(spent)} credits today" if spent else "no spend yet"
    return about_key(
        history,
        view,
        _KIND,
        Severity.WARNING,
        f"was used after lying still for {still} ({money})",
        period="dormant",
        suspicious_only=not spent,
        evidence=(
            f"Used at {_utc(history.moved_at)}; before that not for {still}. "
            f"It counts as dormant after {span_words(dormant_after)}.",
        ),
        facts={"used_at": history.moved_at.isoformat(), "still_for": still},
    )


def _odd_hours(history: History, view: View, rules: KeyRules) -> Finding:
    assert rules.hours is not None  # the caller asked
    local = history.moved_at.astimezone(rules.hours.zone)
    return about_key(
        history,
        view,
        _KIND,
        Severity.WARNING,
        f"was used outside its hours ({local:%a %H:%M})",
        period="hours",
        suspicious_only=True,
        evidence=(f"Used at {_utc(history.moved_at)} ({local:%a %H:%M %Z}); its hours are {rules.hours.text}.",),
        facts={"used_at": history.moved_at.isoformat(), "hours": rules.hours.text},
    )


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
