"""Spend today against the key's daily cap."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.usage import Microcredits, day_of
from flowy_watch.core.words import credit_words
from flowy_watch.detectors.base import View, about_key

_CRITICAL_FROM = 95


@dataclass(frozen=True, slots=True)
class CapConfig:
    levels: tuple[int, ...] = (80, 95, 100)
    """Per cent of the daily cap; each is told once per key and cap day, a jump over several once, as the highest."""

    def __post_init__(self) -> None:
        if not self.levels or any(not 0 < level <= 1000 for level in self.levels):
            raise ValueError("levels must name at least one per cent between 1 and 1000")


class CapDetector:
    """A key at a level of its cap. The period is the cap day: tomorrow's breach is another problem."""

    Config: ClassVar[type] = CapConfig

    def __init__(self, config: CapConfig) -> None:
        self.levels = tuple(sorted(set(config.levels)))

    def examine(self, view: View) -> Iterator[Finding]:
        lowest = self.levels[0]
        for history in view.histories:
            latest = history.latest
            cap, spent = latest.daily_cap, latest.spent
            if cap and spent and spent * 100 >= cap * lowest and not history.stays_revoked:
                yield self._finding(history, spent, cap, view)

    def _finding(self, history: History, spent: Microcredits, cap: Microcredits, view: View) -> Finding:
        latest = history.latest
        level = max(level for level in self.levels if spent * 100 >= cap * level)
        share = spent * 100 // cap
        used = f"{credit_words(spent)} of {credit_words(cap)} credits"
        stopped = spent >= cap
        title = f"has spent its daily cap ({used})" if stopped else f"is at {share} % of its daily cap ({used})"
        then = ("Flowy refuses its new runs (402) until 00:00 UTC.",) if stopped else ()
        return about_key(
            history,
            view,
            "cap",
            Severity.CRITICAL if level >= _CRITICAL_FROM else Severity.WARNING,
            title,
            period=day_of(latest.taken_at).isoformat(),
            level=level,
            suspicious_only=True,
            evidence=(f"{share} % of the cap is spent; told at {_list(self.levels)} %.", *then),
            facts={"share": f"{share} %", "level": f"{level} %"},
        )


def _list(levels: tuple[int, ...]) -> str:
    words = [str(level) for level in levels]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
