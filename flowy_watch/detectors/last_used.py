"""A key that moves when nobody should be using it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.usage import DAY, KeyStatus
from flowy_watch.core.words import SPEND_NOT_KNOWN, credit_words, span_words
from flowy_watch.detectors.base import KeyRules, View, about_key

_KIND = "last_used"
_REVOKED = KeyStatus.REVOKED  # Python 3.11 looks up a member of an enum by a descriptor written in Python
_LEARNED_REST = timedelta(weeks=4)
_FEWEST_RESTS = 2
_USUAL_ALARMS = 4.0  # a month, the default: who accepts fewer wants to be surer that a key of few rests is dormant
_SURER = 0.18  # the power of that: four weeks become five at one a month, and 41 days at a half
_ONE_IN = 400.0  # rests, for each false alarm a month that is accepted; at least a quarter of that


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
        rules_of, at_least = view.rules_of, min(view.rests_until, _LEARNED_REST)
        for history in view.histories:
            still_for, before, latest = history.still_for, history.previous, history.latest
            if still_for is None or before is None:
                continue
            if still_for < at_least and latest.status is not _REVOKED:
                continue
            rules = rules_of(latest.key_id, latest.name)
            if still_for < (rules.dormant_after or _LEARNED_REST) and not rules.hours and latest.status is not _REVOKED:
                continue  # most keys, most of the time
            if before.status is _REVOKED and latest.status is _REVOKED:
                if finding := self._after_revoke(history, view):
                    yield finding
                continue
            if still_for >= (dormant_after := _dormant_after(history, rules, view)):
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
            began_at=history.moved_at,
        )


def _dormant_after(history: History, rules: KeyRules, view: View) -> timedelta:
    """As configured; else four weeks, twice its longest rest, and what few of its rests would exceed.

    Rests of a day or longer are taken as exponential with a rate known from those seen; the predictive tail of that is
    (1 + rest / rested) ** -(rests + 1), with a day to start from. The four weeks grow when fewer false alarms are
    accepted: a key of which hardly a rest is known may only be used seldom.
    """
    if rules.dormant_after:
        return rules.dormant_after
    surer: float = max(_USUAL_ALARMS / view.false_alarms_per_month, 1.0) ** _SURER
    learned = max(_LEARNED_REST * surer, 2 * history.longest_still)
    if history.rests < _FEWEST_RESTS:
        return learned
    one_in = max(_ONE_IN / view.false_alarms_per_month, _ONE_IN / 4)
    times: float = one_in ** (1 / (history.rests + 1)) - 1
    return max(learned, (history.rested + DAY) * times)


def _woke(history: History, view: View, dormant_after: timedelta) -> Finding:
    still = span_words(history.still_for or timedelta())
    spent = history.latest.spent
    money = f"{credit_words(spent)} credits today" if spent else SPEND_NOT_KNOWN if spent is None else "no spend yet"
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
        began_at=history.moved_at,
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
        began_at=history.moved_at,
    )


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
