"""The workspace's balance: a floor, and how long it lasts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from heapq import nlargest
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import CREDIT, DAY, Microcredits, day_of
from flowy_watch.core.words import credit_words, span_words
from flowy_watch.detectors.base import View


@dataclass(frozen=True, slots=True)
class BalanceConfig:
    floor_credits: float = 0.0
    """Warn below this many credits; 0 leaves it to the share and the runway."""
    floor_share: float = 0.05
    """Warn below this share of the highest balance of the last weeks, critical below a fifth of it; 0 turns it off."""
    runway: timedelta = timedelta(days=3)
    """Warn when the balance lasts no longer than this at the expected burn."""
    critical_runway: timedelta = timedelta(days=1)


class BalanceDetector:
    """Low, lower, empty: three levels of one problem that ends with a top-up."""

    Config: ClassVar[type] = BalanceConfig

    def __init__(self, config: BalanceConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        balance = view.workspace.balance
        if balance is None or view.workspace.balance_at != view.now:
            return
        burn = view.workspace.burn_per_day(view.now)
        level, why = self._level(balance, burn, view)
        if level:
            yield _finding(balance, burn, level, why, view)

    def _level(self, balance: Microcredits, burn: Microcredits | None, view: View) -> tuple[int, str]:
        config, high = self.config, view.workspace.highest_balance
        if balance <= 0:
            return 3, "At zero, every run of every key stops, whatever the caps say."
        runway = _runway(balance, burn)
        pace = _pace(balance, view)
        if runway is not None and runway <= config.critical_runway:
            return (
                2,
                f"It lasts {span_words(runway)} at the expected burn (limit {span_words(config.critical_runway)}).",
            )
        if pace > 0 and balance < 2 * pace:
            return 2, f"At the pace of the last half hour ({credit_words(pace)} per hour) it lasts under two hours."
        if balance < high * config.floor_share / 5:
            return 2, f"It is below {config.floor_share / 5:.0%} of its recent high of {credit_words(high)}."
        if runway is not None and runway <= config.runway:
            return 1, f"It lasts {span_words(runway)} at the expected burn (limit {span_words(config.runway)})."
        if balance < config.floor_credits * CREDIT:
            return 1, f"It is below the floor of {config.floor_credits:,.0f} credits."
        if balance < high * config.floor_share:
            return 1, f"It is below {config.floor_share:.0%} of its recent high of {credit_words(high)}."
        return 0, ""


def _pace(balance: Microcredits, view: View) -> Microcredits:
    """Credits per hour over the last half hour; 0 without adding it up when it could not empty the balance soon.

    By how the balance falls, where some key's spend is not known.
    """
    totals, today = view.workspace.day_totals, day_of(view.now)
    if today not in totals:
        return view.workspace.fall.per_hour()
    first_at, lately = view.workspace.first_at, totals[today]
    if not view.now.hour and first_at and day_of(first_at) != today:  # some of the half hour was yesterday
        lately += totals.get(today - DAY, balance)
    if lately * 4 < balance:
        return 0
    return sum(history.per_hour() for history in view.histories)


def _runway(balance: Microcredits, burn: Microcredits | None) -> timedelta | None:
    return DAY * min(balance / burn, 10_000) if burn else None


def _finding(balance: Microcredits, burn: Microcredits | None, level: int, why: str, view: View) -> Finding:
    runway = _runway(balance, burn) if balance > 0 else None
    lasts = f", about {span_words(runway)} at the expected burn" if runway is not None else ""
    title = "balance is used up" if level == 3 else f"balance is low: {credit_words(balance)} credits{lasts}"
    top = nlargest(3, (h for h in view.histories if h.latest.spent), key=lambda h: h.latest.spent or 0)
    spenders = ", ".join(f"{h.latest.name or h.latest.key_id} {credit_words(h.latest.spent or 0)}" for h in top)
    evidence = [why]
    if burn:
        evidence.append(f"Expected burn: {credit_words(burn)} credits a day.")
    if spenders:
        evidence.append(f"Most spent today: {spenders}.")
    return Finding(
        kind="balance",
        severity=Severity.WARNING if level == 1 else Severity.CRITICAL,
        title=f"Workspace {title}",
        level=level,
        evidence=tuple(evidence),
        facts={"balance": credit_words(balance)} | ({"runway": span_words(runway)} if runway is not None else {}),
    )
