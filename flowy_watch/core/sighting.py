"""From where, and for which apps, a key is used: what was seen before, and what is new enough to be told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network

YOUNG = timedelta(hours=6)
"""So long a first sighting is told with its latest figures, and longer where no poll saw it before."""

_RATE_OVER = timedelta(days=28)
_FIRST = timedelta(days=1)
_WIDTHS = {4: (24, 16), 6: (48, 32)}  # bits of an address: a site, a provider's range


@dataclass(frozen=True, slots=True)
class Sighting:
    """An address or an app with which a key was seen: since when, until when, how often."""

    what: str
    """The address as it was recorded (whole, truncated or hashed); the app's id."""
    first_at: datetime
    last_at: datetime
    runs: int = 0
    agent: str = ""
    """The client program, where it tells one."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """All that was seen of one key's use."""

    since: datetime
    """When the key was first seen at all."""
    origins: tuple[Sighting, ...] = ()
    apps: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True)
class Novelty:
    """What is new with one key."""

    new: tuple[Sighting, ...]
    known: tuple[Sighting, ...]
    """What was seen before that, the latest used last."""


def new_origins(seen: Sightings, *, after: datetime, learning: timedelta, most: float) -> Novelty | None:
    """Addresses never seen before `after`, grouped as widely as the key's habits ask for.

    A key whose addresses change all the time within one site is told when the site is new, one whose sites change is
    told when the provider's range is; one to which even ranges are new all the time is not told at all. `most` is how
    many new ones in four weeks still count as few.
    """
    for width in range(3):
        grouped = _merged(seen.origins, lambda address, width=width: group(address, width))  # type: ignore[misc]  # mypy cannot type a default
        found = _novelty(grouped, seen.since, after=after, learning=learning, most=most)
        if found is None or found.new:
            return found
    return None


def new_apps(seen: Sightings, *, after: datetime, learning: timedelta, most: float) -> Novelty | None:
    """Apps never run before `after`; None when there is none, or new ones are usual for this key."""
    found = _novelty(_merged(seen.apps, str), seen.since, after=after, learning=learning, most=most)
    return found if found and found.new else None


def group(address: str, width: int) -> str:
    """The address itself at width 0, its site at 1, its provider's range at 2; what is no address stays as it is."""
    if width == 0:
        return address
    try:
        network = ip_network(address, strict=False)
    except ValueError:
        return address  # hashed
    bits = min(_WIDTHS[network.version][width - 1], network.prefixlen)
    return str(network.supernet(new_prefix=bits))


def _novelty(
    seen: Sequence[Sighting], since: datetime, *, after: datetime, learning: timedelta, most: float
) -> Novelty | None:
    """None where nothing is new; nothing in `new` where new ones come so often that they say nothing."""
    new = [one for one in seen if one.first_at > after and one.first_at - since >= learning]
    if not new:
        return None
    known = [one for one in seen if one.first_at <= after]
    begin = max(after - _RATE_OVER, since + _FIRST)  # what came on the first day was there before
    lately = sum(one.first_at > begin for one in known)
    if lately > most:
        return Novelty((), tuple(known))
    return Novelty(tuple(new), tuple(sorted(known, key=lambda one: one.last_at)))


def _merged(seen: Iterable[Sighting], named: Callable[[str], str]) -> list[Sighting]:
    """One of each name, in the order in which they were first seen."""
    found: dict[str, Sighting] = {}
    for one in sorted(seen, key=lambda one: (one.first_at, one.what)):
        name = named(one.what)
        before = found.get(name)
        found[name] = _joined(before, one) if before else replace(one, what=name)
    return list(found.values())


def _joined(one: Sighting, other: Sighting) -> Sighting:
    later = max(one, other, key=lambda each: each.last_at)
    return replace(one, last_at=later.last_at, runs=one.runs + other.runs, agent=later.agent or one.agent)
