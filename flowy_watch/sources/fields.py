"""One listed item, believed or not: how it becomes a snapshot."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter

from flowy_watch.core.usage import KeyStatus, Microcredits, Skipped, Snapshot, clean_name, credits_to_micro
from flowy_watch.sources.contract import FieldOptions
from flowy_watch.sources.expression import ABSENT, CannotApply, Reader, reader
from flowy_watch.sources.texts import Remembered, instant, key_id, last_four

TWICE = "listed twice with different figures"
FASTEST = 1_000_000_000  # requests per minute

_STATUSES = {str(status): status for status in KeyStatus}


class Unbelievable(Exception):
    """This key is left out; says why without any of its values."""


class Listed:
    """The keys of a list: believed, or skipped with the first reason to."""

    def __init__(self) -> None:
        self.items = 0
        """How many items of the list have been seen."""
        self._found: dict[str, Snapshot] = {}
        self._skipped: dict[str, Skipped] = {}

    def believe(self, snapshot: Snapshot) -> None:
        first = self._found.setdefault(snapshot.key_id, snapshot)
        if first is not snapshot and first != snapshot:
            self.skip(snapshot.key_id, TWICE)

    def believe_new(self, snapshots: Sequence[Snapshot]) -> bool:
        """Believe them all, if each is of another key and none of these was believed before; otherwise none."""
        new = dict(zip(map(itemgetter(0), snapshots), snapshots, strict=True))
        if len(new) < len(snapshots) or not self._found.keys().isdisjoint(new):
            return False
        self.items += len(snapshots)
        self._found |= new
        return True

    def skip(self, key: str, reason: str) -> None:
        self._skipped.setdefault(key, Skipped(key, reason))

    def outcome(self) -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
        believed = self._found.values()
        if self._skipped:
            return tuple(s for s in believed if s.key_id not in self._skipped), tuple(self._skipped.values())
        return tuple(believed), ()


class KeyFields:
    """Turns listed items into snapshots. Keeps what texts came to between pulls, at most 50,000 of each."""

    def __init__(self, options: FieldOptions) -> None:
        self._options = options
        self._read_id = reader(options.id)
        self._read_name = _optional(options.name)
        self._read_prefix = _optional(options.prefix)
        self._read_status = _optional(options.status)
        self._read_created = _optional(options.created_at)
        self._read_used = _optional(options.last_used_at)
        self._read_cap = _optional(options.daily_cap)
        self._read_rate = _optional(options.rate_limit)
        self._read_spent = reader(options.spent_today)
        self.ids = Remembered(key_id)
        self.names = Remembered(clean_name)
        self.times = Remembered(instant)

    def snapshots(
        self, items: Iterable[object], now: datetime, *, latest: datetime
    ) -> tuple[tuple[Snapshot, ...], tuple[Skipped, ...]]:
        """The keys that can be believed, in the order listed, and those that cannot. No id stands in both.

        No key can have been used after `latest`.
        """
        listed = Listed()
        self.examine(items, listed, now, latest=latest)
        return listed.outcome()

    def examine(self, items: Iterable[object], listed: Listed, now: datetime, *, latest: datetime) -> None:
        """Put each of `items`, which follow those that `listed` has seen, where it belongs."""
        for item in items:
            listed.items += 1
            key = ""
            try:
                key = self._id(item)
                listed.believe(self._snapshot(key, item, now, latest=latest))
            except Unbelievable as why:
                listed.skip(key or f"(item {listed.items})", str(why))

    def _id(self, item: object) -> str:
        if type(item) is not dict:
            raise Unbelievable("is not an object")
        expression = self._options.id
        try:
            raw = self._read_id(item)
            if type(raw) is int:
                raw = str(raw)
            if type(raw) is str:
                return self.ids[raw]
        except ValueError as error:
            raise _unbelievable(expression, error) from error
        raise Unbelievable(f"{expression} is missing" if raw is ABSENT else f"{expression} is not text")

    def _snapshot(self, key: str, item: object, now: datetime, *, latest: datetime) -> Snapshot:
        # The four fields an alert can hang on come first: each must be right, or the key is skipped.
        # By position, and not through a loop over fields: this runs 10,000 times in every poll.
        options = self._options
        raw: object = None
        expression = options.spent_today
        try:
            raw = self._read_spent(item)
            spent = credits_to_micro(raw)  # type: ignore[arg-type]  # it refuses every other type itself
            expression = options.daily_cap
            raw = self._read_cap(item)
            cap = None if raw is None else credits_to_micro(raw)  # type: ignore[arg-type]  # as above
            expression = options.last_used_at
            raw = self._read_used(item)
            used = None if raw is None else self.times[_text(raw)]
            if used is not None and used > latest:
                raise ValueError("is in the future; one of the two clocks is wrong")
            expression = options.status
            raw = self._read_status(item)
            status = KeyStatus.ACTIVE if not expression else status_of(raw)
            expression = options.rate_limit
            raw = self._read_rate(item)
            rate = None if raw is None or raw is ABSENT else _rate_limit(raw)
        except ValueError as error:
            if raw is ABSENT:
                raise Unbelievable(f"{expression} is missing") from error
            raise _unbelievable(expression, error, raw=raw) from error
        return Snapshot(
            key,
            self._name(item),
            now,
            spent,
            used,
            cap,
            status,
            rate,
            self._created(item, latest),
            self._last_four(item),
        )

    def _name(self, item: object) -> str:
        try:
            raw = self._read_name(item)
        except CannotApply:
            return ""
        return self.names[raw] if type(raw) is str else ""

    def _created(self, item: object, latest: datetime) -> datetime | None:
        try:
            raw = self._read_created(item)
            at = self.times[raw] if type(raw) is str else None
        except ValueError:
            return None
        return None if at is None or at > latest else at

    def _last_four(self, item: object) -> str:
        try:
            raw = self._read_prefix(item)
        except CannotApply:
            return ""
        return last_four(raw) if type(raw) is str else ""


def balance_to_micro(credits_left: object) -> Microcredits:
    """As for credits spent, except that a balance may be negative: a debt. Raises ValueError."""
    if type(credits_left) in (int, float) and credits_left < 0:  # type: ignore[operator]  # both compare with 0
        return -credits_to_micro(-credits_left)  # type: ignore[operator]  # both can be negated
    return credits_to_micro(credits_left)  # type: ignore[arg-type]  # it refuses every other type itself


def _optional(expression: str) -> Reader:
    return reader(expression) if expression else _not_offered


def _not_offered(_: object) -> None:
    return None


def _text(raw: object) -> str:
    if type(raw) is not str:
        raise ValueError("is not a time in ISO 8601")
    return raw


def status_of(raw: object) -> KeyStatus:
    status = _STATUSES.get(raw) or _STATUSES.get(raw.strip().lower()) if type(raw) is str else None
    if status is None:
        raise ValueError("is none of active, revoked, expired")
    return status


def _rate_limit(raw: object) -> int:
    if type(raw) is float and raw.is_integer():
        raw = int(raw)
    if type(raw) is not int or not 0 <= raw <= FASTEST:
        raise ValueError("is not a number of requests per minute")
    return raw


def _unbelievable(expression: str, error: ValueError, *, raw: object = None) -> Unbelievable:
    advice = f"; map it with to_number({expression})" if type(raw) is str and str(error).endswith("a number") else ""
    return Unbelievable(f"{expression} {error}{advice}")
