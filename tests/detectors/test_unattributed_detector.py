"""Credits that go without a key to show for them."""

import pytest

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.usage import Microcredits
from flowy_watch.core.watch import Watch
from flowy_watch.detectors.unattributed import UnattributedConfig, UnattributedDetector
from tests.builders import DAY, HOUR, NOON, credit, reading, snapshot, view, workspace


def found(fell: float, spent: float, *, usual: tuple[float, ...] = (0,), balance: float = 10_000) -> list[Finding]:
    purse = workspace(balance)
    purse.ledger.hours = [[0, credit(fell), credit(spent)]]
    purse.ledger.usual = [*map(credit, usual)]
    return list(UnattributedDetector(UnattributedConfig()).examine(view(workspace=purse)))


@pytest.mark.parametrize(
    ("fell", "spent", "usual", "told"),
    [
        (1000, 500, (0,), True),
        (1000, 501, (0,), False),  # below the least
        (8000, 7300, (0,), False),  # below a tenth
        (8000, 7200, (0,), True),
        (8000, 7000, (10, 501), False),  # people use Flowy without keys
        (8000, 6998, (10, 501), True),
        (1000, 2000, (0,), False),
        (1000, 0, (), False),  # the first day
    ],
)
def test_it_is_told_from_an_amount_a_share_and_twice_the_usual(
    fell: float, spent: float, usual: tuple[float, ...], told: bool
) -> None:
    assert bool(found(fell, spent, usual=usual)) is told


def test_it_says_how_much_and_stays_a_warning_whatever_is_left() -> None:
    (mild,), (grave,) = found(3000, 1000), found(3000, 1000, balance=2000)
    assert mild.title == "Workspace spent 2,000 credits in 24 hours that no listed key spent"
    assert (mild.severity, grave.severity) == (Severity.WARNING, Severity.WARNING)
    assert mild.evidence[0] == "The balance fell by 3,000 credits, the keys spent 1,000."


def test_a_key_that_is_not_listed_is_found_from_the_balance() -> None:
    watch, detector = Watch(), UnattributedDetector(UnattributedConfig())
    told: list[Microcredits] = []
    balance = 50_000.0
    for hour in range(60):
        at = NOON + hour * HOUR
        balance -= 20 if hour < 48 else 220  # the listed key spends 20 an hour
        watch.add(reading(snapshot(20 * (at.hour + 1), at), at=at, balance=balance))
        told += [hour for _ in detector.examine(view(at=at, workspace=watch.workspace))]
    assert told
    assert 48 < told[0] <= 51


def test_a_balance_that_was_not_told_says_nothing() -> None:
    purse = workspace(10_000)
    purse.ledger.hours, purse.ledger.usual = [[0, credit(9000), 0]], [0]
    seen = view(at=NOON + DAY, workspace=purse)
    assert list(UnattributedDetector(UnattributedConfig()).examine(seen)) == []
