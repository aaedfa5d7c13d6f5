"""Listed items, a column at a time: what `KeyFields` makes of each item, for many items that are all plain."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import repeat
from types import NoneType
from typing import Any, TypeVar

from flowy_watch.core.usage import CREDIT, MOST, KeyStatus, Microcredits, Skipped, Snapshot
from flowy_watch.sources.contract import FieldOptions
from flowy_watch.sources.expression import ABSENT, Absent, columns
from flowy_watch.sources.fields import FASTEST, KeyFields, Listed, status_of
from flowy_watch.sources.texts import EARLIEST, Remembered, hint_is_short, last_four

T = TypeVar("T")

_STRETCH = 500
"""So many items are plain together or not: one that is not slows down these and no others."""


# What `Snapshot._make` does, at a third of its cost: the number of fields is checked where the columns are zipped.
_SNAPSHOT = partial(tuple.__new__, Snapshot)


class _NotPlain(ValueError):
    """Some item of these needs care."""


class _Before:
    """What columns came to at the last pull: most of them hold the same again, and comparing costs a third."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], tuple[Sequence[Any], Any]] = {}

    def or_made(
        self, place: tuple[int, str], raw: Sequence[Any], make: Callable[[], T], *, table: Remembered[Any] | None = None
    ) -> T:
        """What the same column, by its place in the list, came to before; or what `make` makes of it.

        Of texts only those are kept that `table` keeps, for its reasons. Numbers come after a look at their types:
        true is equal to 1.
        """
        known = self._kept.get(place)
        if known is not None and known[0] == raw:
            made: T = known[1]
            return made
        made = make()
        self._kept.pop(place, None)
        with suppress(TypeError):  # what is no text may be nothing that can be looked up
            if table is None or all(text in table or text is None or text is ABSENT for text in raw):
                self._kept[place] = raw, made
        return made


class KeyColumns:
    """Turns listed items into snapshots exactly as `KeyFields` does, and about four times as fast.

    A stretch of items in which every field is of the kind it should be, and within its bounds, is read by columns. Any
    other is left to `KeyFields`, which alone decides what is skipped, and why.
    """

    def __init__(self, options: FieldOptions) -> None:
        self._fields = KeyFields(options)
        self._ids, self._names, self._times = self._fields.ids, self._fields.names, self._fields.times
        self._statuses = Remembered(status_of)
        self._fours = Remembered(last_four, harmless=hint_is_short)
        self._before = _Before()
        self._status_offered = bool(options.status)
        self._columns = columns(
            (
                options.id,
                options.name,
                options.spent_today,
                options.last_used_at,
                options.daily_cap,
                options.status,
                options.rate_limit,
                options.created_at,
                options.prefix,
            )
        )

    def snapshots(
        self, items: Sequence[object], now: datetime, *, latest: datetime
    ) -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
        """The keys that can be believed, in the order listed, and those that cannot. No id stands in both."""
        listed = Listed()
        self.examine(items, listed, now, latest=latest)
        return listed.outcome()

    def examine(self, items: Sequence[object], listed: Listed, now: datetime, *, latest: datetime) -> None:
        """Put each of `items`, which follow those that `listed` has seen, where it belongs."""
        for start in range(0, len(items), _STRETCH):
            stretch = items[start : start + _STRETCH]
            try:
                plain = self._plain(stretch, listed.items, now, latest)
            except (ValueError, OverflowError):  # _NotPlain, or what a field's rule says of one value
                plain = []
            if not plain or not listed.believe_new(plain):
                self._fields.examine(stretch, listed, now, latest=latest)

    def _plain(self, items: Sequence[Any], start: int, now: datetime, latest: datetime) -> list[Snapshot]:
        """Raises ValueError or OverflowError unless all of `items` are plain. They begin at `start` in their list."""
        _only(items, dict)
        ids, names, spent, used, caps, statuses, rates, created, prefixes = self._columns(items)
        or_made, names_of, fours = self._before.or_made, self._names, self._fours
        cap_types, rate_types = _only(caps, int, float, NoneType), _only(rates, int, NoneType, Absent)
        used_at, last = self._instants(used, str, NoneType)
        born, youngest = or_made((start, "created"), created, lambda: self._instants(created), table=self._times)
        if max(youngest, last) > latest:
            raise _NotPlain
        plain = zip(
            or_made((start, "id"), ids, lambda: self._of_ids(ids), table=self._ids),
            or_made((start, "name"), names, lambda: _looked_up(names_of, names, otherwise=""), table=names_of),
            repeat(now, len(items)),
            _amounts(spent, _only(spent, int, float)),
            used_at,
            or_made((start, "cap"), caps, lambda: _amounts(caps, cap_types)),
            or_made((start, "status"), statuses, lambda: self._of_statuses(statuses), table=self._statuses),
            or_made((start, "rate"), rates, lambda: _rates(rates, rate_types)),
            born,
            or_made((start, "prefix"), prefixes, lambda: _looked_up(fours, prefixes, otherwise=""), table=fours),
            strict=True,
        )
        return list(map(_SNAPSHOT, plain))

    def _of_ids(self, raw: Sequence[Any]) -> list[str]:
        try:
            return list(map(self._ids.__getitem__, raw))
        except TypeError:
            _only(raw, str, int)
            return [self._ids[str(one)] for one in raw]

    def _of_statuses(self, raw: Sequence[Any]) -> list[KeyStatus]:
        if not self._status_offered:
            return [KeyStatus.ACTIVE] * len(raw)
        try:
            return list(map(self._statuses.__getitem__, raw))
        except TypeError:
            raise _NotPlain from None

    def _instants(self, raw: Sequence[Any], *kinds: type) -> tuple[list[datetime | None], datetime]:
        """And the latest of them."""
        instants: list[datetime | None] = _looked_up(self._times, raw, *kinds, otherwise=None)
        return instants, max(filter(None, instants), default=EARLIEST)


def _looked_up(table: Remembered[Any], raw: Sequence[Any], *kinds: type, otherwise: Any) -> list[Any]:
    """What `table` makes of texts, and `otherwise` for what is none. With `kinds` given, nothing else may stand."""
    try:
        return list(map(table.__getitem__, raw))
    except TypeError:
        if kinds:
            _only(raw, *kinds)
        return [table[text] if type(text) is str else otherwise for text in raw]


def _amounts(credits_used: Sequence[Any], found: set[type]) -> list[Microcredits | None]:
    """As `credits_to_micro` does with each, null for null. `found` are their types."""
    # A NaN may escape the comparison, but never the rounding, which raises.
    _within(_known(credits_used, found), MOST // CREDIT)
    if NoneType in found:
        return [None if amount is None else round(amount * CREDIT) for amount in credits_used]
    if float in found:
        return [round(amount * CREDIT) for amount in credits_used]
    return [amount * CREDIT for amount in credits_used]


def _rates(raw: Sequence[Any], found: set[type]) -> Sequence[int | None]:
    if Absent in found:
        raw = [None if rate is ABSENT else rate for rate in raw]
    _within(_known(raw, found), FASTEST)
    return raw


def _only(values: Iterable[object], *kinds: type) -> set[type]:
    found = set(map(type, values))
    if not found.issubset(kinds):
        raise _NotPlain
    return found


def _known(values: Sequence[Any], found: set[type]) -> Sequence[Any]:
    return values if found <= {int, float} else [value for value in values if value is not None]


def _within(numbers: Sequence[float], most: int) -> None:
    if numbers and not 0 <= min(numbers) <= max(numbers) <= most:
        raise _NotPlain
