"""Credits counted exactly: integers of micro-credits inside the simulator, plain numbers outside it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

Credits: TypeAlias = int | float | Decimal
Microcredits: TypeAlias = int

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class TopUp:
    """Bought on a Monday at 09:00 UTC when less than `below` is left."""

    package: Microcredits
    below: Microcredits


def microcredits(credits_given: Credits) -> Microcredits:
    """Through the decimal digits as written, so that 0.1 is 100,000 and not one less."""
    return int((Decimal(str(credits_given)) * MICRO).to_integral_value())


def as_number(amount: Microcredits) -> int | float:
    """What an API would serve. Exact to the micro-credit below nine thousand million credits."""
    whole, rest = divmod(amount, MICRO)
    return amount / MICRO if rest else whole
