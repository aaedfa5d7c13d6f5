"""Learning what runs cost, where the meter counts them and another source tells the balance."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog

from flowy_watch.core.prices import LEARNED_OVER, Interval, Learned, learn
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.errors import StoreError
from flowy_watch.ledger import Ledger, Price, PriceSource
from flowy_watch.store import Store

_LONG = timedelta(minutes=55)  # polls do not come to the second
_LONGEST = timedelta(hours=3)

log = structlog.get_logger()


def learn_prices(store: Store, ledger: Ledger, now: datetime) -> dict[str, Learned]:
    """Put into the ledger what can be learned; configured prices stay as they are. Runs that were counted keep theirs.

    Does nothing where no meter has run. A ledger that cannot be read now will be next time.
    """
    if not ledger.path.exists():
        return {}
    with store.read() as work:
        balances = work.usage.balances(now - LEARNED_OVER)
    try:
        found = learn(
            [Interval(end - start, fell, ledger.runs_between(start, end)) for start, end, fell in _falls(balances)]
        )
        ledger.learn_prices(Price(app, one.price, one.low, one.high, PriceSource.LEARNED) for app, one in found.items())
    except StoreError as error:
        log.warning("prices.not_learned", reason=str(error))
        return {}
    for app, one in found.items():
        plus_minus = (one.high - one.price) / CREDIT
        log.info("price.learned", app=app, credits=one.price / CREDIT, plus_minus=plus_minus, intervals=one.intervals)
    return found


def _falls(balances: Sequence[tuple[datetime, Microcredits]]) -> Iterator[tuple[datetime, datetime, Microcredits]]:
    """Stretches of about an hour in which the balance only fell; one with a top-up, or a gap, is left out."""
    start: tuple[datetime, Microcredits] | None = None
    before: tuple[datetime, Microcredits] | None = None
    for at, balance in balances:
        if before is None or start is None or balance > before[1] or at - before[0] > _LONGEST:
            start = (at, balance)
        elif at - start[0] >= _LONG:
            yield start[0], at, start[1] - balance
            start = (at, balance)
        before = (at, balance)
