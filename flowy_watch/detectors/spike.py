"""Spend far above what is usual for this key at this hour of the week."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from flowy_watch.core.baseline import Band
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.detectors.base import View, about_key

_HOUR = timedelta(hours=1)
_NEW_KEY_SPAN = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class SpikeConfig:
    least_credits: float = 50.0
    """Spend below this, in the hour or the day, is never a spike."""
    critical_times: float = 4.0
    """Critical from this many times the bar, or when the balance would be gone within a day at this pace."""
    cap_share: float = 0.5
    """A key with no baseline is told when it spends this share of its cap within two hours."""
    balance_share: float = 0.1
    """The same for a key without a cap: this share of the workspace's balance."""


class SpikeDetector:
    """Within the last hour, and within the day so far, against the key's own band (see `Baseline`).

    A key that has no band yet is quiet, unless it burns half its cap in two hours.
    """

    Config: ClassVar[type] = SpikeConfig

    def __init__(self, config: SpikeConfig) -> None:
        self.config = config
        self.least: Microcredits = int(config.least_credits * CREDIT)

    def examine(self, view: View) -> Iterator[Finding]:
        least = self.least
        for history in view.histories:
            if history.latest.spent < least and view.now.hour:
                continue  # most keys, most of the time; in the first hour the last one of yesterday counts too
            if finding := self._examine(history, view):
                yield finding

    def _examine(self, history: History, view: View) -> Finding | None:
        in_hour, in_day = history.baseline.bands(history.hour)
        if in_hour is None and in_day is None:
            return self._new_key(history, view)
        today, lowest = history.latest.spent, min(band.bar for band in (in_hour, in_day) if band)
        if today <= lowest * CREDIT and view.now.hour:
            return None  # what was not spent in the whole day was not spent in its last hour
        last_hour = history.spent_within(_HOUR)
        if in_hour and last_hour >= self.least and last_hour > in_hour.bar * CREDIT:
            return self._spike(history, view, last_hour, in_hour, "in the last hour")
        # A day that went over its bar hours ago is told already: the last hour must still be adding to it.
        usual_hour = in_hour.high * CREDIT if in_hour else 0
        if in_day and last_hour > max(usual_hour, self.least / 10) and today > in_day.bar * CREDIT + self.least:
            return self._spike(history, view, today, in_day, "today")
        return None

    def _spike(self, history: History, view: View, spent: Microcredits, band: Band, span: str) -> Finding:
        usual = f"{credit_words(int(band.low * CREDIT))}–{credit_words(int(band.high * CREDIT))}"
        times = spent / CREDIT / max(band.high, 0.01)
        far = f"{times:.0f} times its usual most" if band.high >= 1 else "where it usually spends nothing"
        critical = spent > self.config.critical_times * max(band.bar * CREDIT, self.least) or _gone_in_a_day(
            history, view
        )
        return about_key(
            history,
            view,
            "spike",
            Severity.CRITICAL if critical else Severity.WARNING,
            f"spent {credit_words(spent)} credits {span}, {far}",
            level=2 if critical else 1,
            suspicious_only=not critical,
            evidence=(
                f"{credit_words(spent)} credits {span}; {band.when} usually {usual} ({band.observations} times seen).",
            ),
            facts={"spent": credit_words(spent), "usual": usual, "span": span},
        )

    def _new_key(self, history: History, view: View) -> Finding | None:
        cap, balance = history.latest.daily_cap, view.workspace.balance
        if cap:
            limit, of_what = cap * self.config.cap_share, f"of its daily cap of {credit_words(cap)}"
            whole = cap
        elif balance and balance > 0:
            limit, of_what = balance * self.config.balance_share, "of the workspace's balance, and it has no cap"
            whole = balance
        else:
            return None
        if history.latest.spent < limit and view.now.hour >= 2:
            return None  # what was not spent in the whole day was not spent in its last hours
        spent = history.spent_within(_NEW_KEY_SPAN)
        if spent < limit or spent < self.least:
            return None
        span = span_words(max(history.watched_for(_NEW_KEY_SPAN), timedelta(minutes=1)))
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
        )


def _gone_in_a_day(history: History, view: View) -> bool:
    balance = view.workspace.balance
    return balance is not None and history.per_hour() * 24 > balance
