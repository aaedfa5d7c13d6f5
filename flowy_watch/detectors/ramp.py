"""Spend that drifts up over days without a jump."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.detectors.base import View, about_key, began_at, beside_usual, small


@dataclass(frozen=True, slots=True)
class RampConfig:
    least_credits: float = 100.0
    """An excess below this, over three days, is a line in the digest, not an alert."""


class RampDetector:
    """Three days as a whole beside their forecasts, for a key of which no single day was odd enough to be told."""

    Config: ClassVar[type] = RampConfig

    def __init__(self, config: RampConfig) -> None:
        self.least: Microcredits = int(config.least_credits * CREDIT)

    def examine(self, view: View) -> Iterator[Finding]:
        for history in view.histories:
            drift = history.drift
            if drift is None:
                continue
            threshold = view.threshold(history)
            if drift.surprise < threshold or max(history.peaks) >= threshold:
                continue  # nothing, or a spike of these days that has been told, and is in the sum
            title, evidence, facts = beside_usual(history, drift, view)
            yield about_key(
                history,
                view,
                "ramp",
                Severity.WARNING,
                title,
                suspicious_only=True,
                evidence=evidence,
                facts=facts,
                began_at=began_at(history, drift, view),
                small=small(drift, self.least),
            )
