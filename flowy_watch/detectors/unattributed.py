"""Credits that go without a key to show for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.core.words import credit_words
from flowy_watch.detectors.base import View


@dataclass(frozen=True, slots=True)
class UnattributedConfig:
    least_credits: float = 500.0
    """Less than this in 24 hours is never told."""
    least_share: float = 0.1
    """Nor less than this share of the whole fall."""
    times_usual: float = 2.0
    """Nor less than so many times the most that earlier days left unexplained: people may use Flowy without keys."""


class UnattributedDetector:
    """The balance falls faster than the listed keys spend; from the second day on, so that the usual part is known."""

    Config: ClassVar[type] = UnattributedConfig

    def __init__(self, config: UnattributedConfig) -> None:
        self.config = config

    def examine(self, view: View) -> Iterator[Finding]:
        ledger = view.workspace.ledger
        if view.workspace.balance is None or view.workspace.balance_at != view.now or not ledger.usual:
            return
        unexplained, fell = ledger.unexplained, ledger.fell
        if unexplained < max(
            self.config.least_credits * CREDIT,
            self.config.least_share * fell,
            self.config.times_usual * max(ledger.usual),
        ):
            return
        yield _finding(unexplained, fell, max(ledger.usual), view.workspace.balance)


def _finding(unexplained: Microcredits, fell: Microcredits, usual: Microcredits, balance: Microcredits) -> Finding:
    amount = credit_words(unexplained)
    return Finding(
        kind="unattributed",
        severity=Severity.WARNING,  # a balance that will not last is the `balance` alert's to say
        title=f"Workspace spent {amount} credits in 24 hours that no listed key spent",
        evidence=(
            f"The balance fell by {credit_words(fell)} credits, the keys spent {credit_words(fell - unexplained)}.",
            f"Earlier days left at most {credit_words(usual)} credits unexplained.",
            "It may be use in Flowy's own pages, a key that is not listed, or a change in how Flowy counts.",
        ),
        facts={"unexplained": amount, "balance": credit_words(balance)},
    )
