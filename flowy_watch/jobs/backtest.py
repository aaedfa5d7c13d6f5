"""The same detectors and `reconcile` over history: what would have been told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from flowy_watch.core.alert import Alert, Change, Status, reconcile
from flowy_watch.core.usage import Reading
from flowy_watch.core.watch import Watch
from flowy_watch.core.workspace import Health
from flowy_watch.detectors import Detector, KeyRules, View


@dataclass(frozen=True, slots=True)
class Backtest:
    alerts: tuple[Alert, ...]
    """In the order in which they opened."""
    polls: int
    keys: int


def backtest(
    readings: Iterable[Reading],
    detectors: Sequence[Detector],
    rules_of: Callable[[str, str], KeyRules],
    false_alarms_per_month: float = 4.0,
) -> Backtest:
    """Replay readings, oldest first, through everything a live poll decides with; nothing is stored or sent."""
    watch, polls = Watch(), 0
    unresolved: dict[int, Alert] = {}
    opened: dict[int, Alert] = {}
    for reading in readings:
        known = watch.listed_before
        kept, _ = watch.believable(reading)
        new = watch.add(replace(reading, snapshots=kept))
        watch.listed_before, polls = True, polls + 1
        now, listed = reading.taken_at, {snapshot.key_id for snapshot in kept}
        histories = [watch.histories[key_id] for key_id in (snapshot.key_id for snapshot in kept)]
        appeared = new if known else frozenset[str]()
        view = View(now, histories, watch.workspace, Health(good=True), rules_of, appeared, false_alarms_per_month)
        findings = [finding for detector in detectors for finding in detector.examine(view)]
        has_balance = reading.balance is not None
        result = reconcile(
            unresolved.values(),
            findings,
            evaluated=lambda f, listed=listed, b=has_balance: f.key_id in listed if f.key_id else b,  # type: ignore[misc]
            now=now,
        )
        for alert in result.seen:
            unresolved[alert.id] = alert
        for transition in result.transitions:
            alert = transition.alert
            if transition.change is Change.OPENED:
                alert = replace(alert, id=len(opened) + 1)
            opened[alert.id] = unresolved[alert.id] = alert
            if alert.status is Status.RESOLVED:
                del unresolved[alert.id]
    return Backtest(tuple(opened.values()), polls, len(watch.histories))
