"""Spend that is not to be expected of this key at this time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.surprise import Verdict
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.detectors.base import View, about_key, began_at, beside_usual, small

_NEW_KEY_SPAN = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class SpikeConfig:
    least_credits: float = 10.0
    """An excess below this is worth nobody's sleep: it is a line in the digest, not an alert."""
    critical_share: float = 0.5
    """Critical when the excess is this share of the daily cap, or of a usual day's spend for a key without one."""
    cap_share: float = 0.5
    """A key too new for a baseline is told when it spends this share of its cap within two hours."""
    balance_share: float = 0.1
    """The same for a key without a cap: this share of the workspace's balance."""


class SpikeDetector:
    """Spend of the last hour, four hours or day, beside the forecast for it; and any use at times usually still.

    Judged by its probability under the key's baseline (see `core.surprise`), against the workspace's threshold. A key
    that has no baseline yet is quiet, unless it burns half its cap in two hours.
    """

    Config: ClassVar[type] = SpikeConfig

    def __init__(self, config: SpikeConfig) -> None:
        self.config = config
        self.least: Microcredits = int(config.least_credits * CREDIT)

    def examine(self, view: View) -> Iterator[Finding]:
        least = self.least
        for history in view.histories:
            verdict = history.verdict
            if verdict is None and history.baseline.judges:
                continue  # most keys, most of the time
            if history.revoked_at and history.stays_revoked:
                continue  # use of it is told by `last_used`; what still runs may be charged
            if verdict is not None:
                if verdict.surprise >= view.threshold(history):
                    yield self._spike(history, view, verdict)
            elif ((history.latest.spent or 0) >= least or view.now.hour < 2) and (
                finding := self._new_key(history, view)
            ):
                yield finding

    def _spike(self, history: History, view: View, verdict: Verdict) -> Finding:
        title, evidence, facts = beside_usual(history, verdict, view)
        critical = self._heavy(history, verdict) or _gone_in_a_day(history, view)
        return about_key(
            history,
            view,
            "spike",
            Severity.CRITICAL if critical else Severity.WARNING,
            title,
            level=2 if critical else 1,
            suspicious_only=not critical,
            evidence=evidence,
            facts=facts,
            began_at=began_at(history, verdict, view),
            small=small(verdict, self.least),
        )

    def _heavy(self, history: History, verdict: Verdict) -> bool:
        cap = history.latest.daily_cap
        usual = cap / CREDIT if cap else 24 * history.baseline.mean
        return verdict.excess >= max(self.config.critical_share * usual, self.least / CREDIT)

    def _new_key(self, history: History, view: View) -> Finding | None:
        cap, balance = history.latest.daily_cap, view.workspace.balance
        whole, share = (cap, self.config.cap_share) if cap else (balance or 0, self.config.balance_share)
        limit = whole * share
        if whole <= 0 or ((history.latest.spent or 0) < limit and view.now.hour >= 2):
            return None  # what was not spent in the whole day was not spent in its last hours
        spent = history.spent_within(_NEW_KEY_SPAN)
        if spent < limit or spent < self.least:
            return None
        of_what = f"of its daily cap of {credit_words(cap)}" if cap else "of the workspace's balance, and it has no cap"
        watched = max(history.watched_for(_NEW_KEY_SPAN), timedelta(minutes=1))
        span = span_words(watched)
        return about_key(
            history,
            view,
            "spike",
            Severity.CRITICAL,
            f"spent {credit_words(spent)} credits within {span}, {spent / whole:.0%} {of_what}",
            level=2,
            evidence=(
                f"{credit_words(spent)} credits within {span}; too little history to say what is usual for this key.",
            ),
            facts={"spent": credit_words(spent), "span": f"within {span}"},
            began_at=view.now - watched,
        )


def _gone_in_a_day(history: History, view: View) -> bool:
    balance = view.workspace.balance
    return balance is not None and history.per_hour() * 24 > balance
