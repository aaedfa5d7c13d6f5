"""Several sources for one workspace: each figure from the most trusted one that knows it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowy_watch.core.provenance import Figure, From, Provenance
from flowy_watch.core.sighting import Sightings
from flowy_watch.core.usage import ALL_KEYS, Answers, KeyStatus, Match, Part, Reading, Snapshot, Trouble

SameAs = Callable[[str, str], Iterable[str]]
"""By key id and name: what other sources call that key (id, last four or name), as configured."""

_FIELDS = {
    Figure.SPENT: "spent",
    Figure.STATUS: "status",
    Figure.CAP: "daily_cap",
    Figure.RATE_LIMIT: "rate_limit",
}
_NOBODY_KNOWS: dict[Figure, Any] = {
    Figure.SPENT: None,
    Figure.STATUS: KeyStatus.ACTIVE,
    Figure.CAP: None,
    Figure.RATE_LIMIT: None,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier polls left: each key's latest snapshot and where its figures came from."""

    latest: Mapping[str, Snapshot] = field(default_factory=dict)
    provenance: Mapping[str, Provenance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merged:
    reading: Reading
    apart: tuple[str, ...] = ()
    """Keys that may be the same as others and were kept apart, each in words."""


def merge(parts: Sequence[Part], at: datetime, known: Known, same_as: SameAs = lambda *_: ()) -> Merged:
    """One reading of what several sources said, the most trusted first.

    Spend, status, cap and rate limit come from the first source that knows them and lists the key. Where that one has
    failed, they are unknown (spend) or stay as they were, and no other source takes its place: two counters of one key
    differ, and a switch would look like spend. The last use is the latest that any source saw. A key that only a less
    trusted source lists while another one fails is left out, unless it was known before: it might be one of those.
    """
    groups = _Groups(parts, known, same_as)
    snapshots, provenance, rebased = [], {}, set()
    sightings: dict[str, Sightings] = {}
    answers: dict[str, Answers] = {}
    for key_id, seen in groups.found.items():
        one = _Key(key_id, seen, parts, known)
        snapshots.append(one.snapshot(at))
        provenance[key_id] = one.provenance()
        if one.changed_source:
            rebased.add(key_id)
        for part, snapshot in seen.values():
            if part.reading and snapshot.key_id in part.reading.sightings:
                sightings[key_id] = part.reading.sightings[snapshot.key_id]
            if part.reading and snapshot.key_id in part.reading.answers:
                answers[key_id] = answers.get(key_id) or part.reading.answers[snapshot.key_id]
    readings = [part.reading for part in parts if part.reading]
    reading = Reading(
        at,
        tuple(snapshots),
        balance=next((one.balance for one in readings if one.balance is not None), None),
        workspace_name=next((one.workspace_name for one in readings if one.workspace_name), None),
        skipped=tuple(skipped for one in readings for skipped in one.skipped),
        clock_offset=next((one.clock_offset for one in readings if one.clock_offset is not None), None),
        sightings=sightings,
        answers=answers,
        provenance=provenance,
        troubles=tuple(part.trouble for part in parts if part.trouble),
        rebased=frozenset(rebased),
    )
    return Merged(reading, tuple(groups.apart))


def trouble_words(troubles: Iterable[Trouble]) -> str:
    return "; ".join(f"{one.source}: {one.reason}" for one in troubles)


_Seen = dict[str, tuple[Part, Snapshot]]
"""By source."""


class _Groups:
    """Which snapshots are the same key. Found out once per poll, source by source."""

    def __init__(self, parts: Sequence[Part], known: Known, same_as: SameAs) -> None:
        self.found: dict[str, _Seen] = {}
        self.apart: list[str] = []
        self._parts, self._known, self._same_as = parts, known, same_as
        self._aliases = {
            (source, theirs): key_id for key_id, one in known.provenance.items() for source, theirs in one.ids.items()
        }
        failed = False
        for part in parts:
            if part.reading:
                self._take(part, part.reading, others_failed=failed)
            else:
                failed = True

    def _take(self, part: Part, reading: Reading, *, others_failed: bool) -> None:
        meant: dict[str, list[Snapshot]] = {}
        # What all keys together spend is counted key by key where another source knows that.
        billed = any(other is not part and Figure.SPENT in other.knows for other in self._parts)
        candidates = self._candidates(others_failed=others_failed)
        own = Counter(_mark(snapshot, part.match) for snapshot in reading.snapshots)
        for snapshot in reading.snapshots:
            if snapshot.key_id == ALL_KEYS and billed:
                continue
            key_id = self._resolved(part, snapshot, candidates, own)
            if key_id == snapshot.key_id and others_failed and key_id not in self._known.latest:
                continue  # it may be one of those that cannot be seen now
            meant.setdefault(key_id, []).append(snapshot)
        for key_id, snapshots in meant.items():
            first, *others = snapshots
            self.found.setdefault(key_id, {})[part.source] = part, first
            for other in others:
                self._apart(part, other, "another key of this source is that key already")
                self.found.setdefault(other.key_id, {}).setdefault(part.source, (part, other))

    def _candidates(self, *, others_failed: bool) -> list[Snapshot]:
        """What more trusted sources list, or listed before they failed."""
        listed = {key_id: next(iter(seen.values()))[1]._replace(key_id=key_id) for key_id, seen in self.found.items()}
        return list(({**self._known.latest, **listed} if others_failed else listed).values())

    def _resolved(self, part: Part, snapshot: Snapshot, candidates: list[Snapshot], own: Counter[str]) -> str:
        """The id by which the key is watched; its own where it is nobody else's, or where that cannot be told."""
        marks = {snapshot.key_id, snapshot.last_four, snapshot.name} - {""}
        named = [one.key_id for one in candidates if marks & set(self._same_as(one.key_id, one.name))]
        if len(named) == 1:
            return named[0]
        if named:
            self._apart(part, snapshot, f"same_as names it for {len(named)} keys")
            return snapshot.key_id
        if alias := self._aliases.get((part.source, snapshot.key_id)):
            return alias
        if snapshot.key_id in self.found or not (mark := _mark(snapshot, part.match)):
            return snapshot.key_id
        alike = [one.key_id for one in candidates if _mark(one, part.match) == mark]
        if len(alike) == 1 and own[mark] == 1:
            return alike[0]
        if alike:
            self._apart(part, snapshot, f"{max(len(alike), own[mark])} keys have the same {part.match.words}")
        return snapshot.key_id

    def _apart(self, part: Part, snapshot: Snapshot, why: str) -> None:
        name = snapshot.name or snapshot.key_id
        self.apart.append(f"{name} of {part.source}: {why}")


def _mark(snapshot: Snapshot, match: Match) -> str:
    return {Match.LAST_FOUR: snapshot.last_four, Match.NAME: snapshot.name, Match.KEY_ID: ""}[match]


class _Key:
    """One key as all sources together know it."""

    def __init__(self, key_id: str, seen: _Seen, parts: Sequence[Part], known: Known) -> None:
        self._key_id, self._seen, self._parts = key_id, seen, parts
        self._latest, self._before = known.latest.get(key_id), known.provenance.get(key_id, Provenance())
        self._first = parts[0].source
        self._figures: dict[Figure, From] = {}
        self.changed_source = False

    def snapshot(self, at: datetime) -> Snapshot:
        values = {name: self._value(figure) for figure, name in _FIELDS.items()}
        self.changed_source = values["spent"] is not None and self._source_before(Figure.SPENT) not in (
            None,
            self._figures[Figure.SPENT].source,
        )
        listed = [snapshot for _, snapshot in self._seen.values()]
        # While a more trusted source is away, a key keeps the name that this one gave it.
        latest = [self._latest] if self._latest and any(self._lost(part) for part in self._parts) else []
        named = [*latest, *listed]
        return Snapshot(
            self._key_id,
            next((one.name for one in named if one.name), ""),
            at,
            last_used_at=self._last_used(),
            created_at=next((one.created_at for one in named if one.created_at), None),
            last_four=next((one.last_four for one in named if one.last_four), ""),
            **values,
        )

    def provenance(self) -> Provenance:
        """After `snapshot`. What a source that is away called the key is remembered."""
        ids = {**self._before.ids, **{source: snapshot.key_id for source, (_, snapshot) in self._seen.items()}}
        told = [one for part, snapshot in self._seen.values() if (one := _said(part, snapshot))]
        fingerprint = next((one.fingerprint for one in told if one.fingerprint), self._before.fingerprint)
        for part, _ in self._seen.values():
            if Figure.ORIGINS in part.knows:
                self._figures[Figure.ORIGINS] = From(part.source, part.knows[Figure.ORIGINS])
        return Provenance(self._figures, ids, fingerprint)

    def _value(self, figure: Figure) -> Any:
        before = self._source_before(figure)
        for part in self._parts:
            if figure not in part.knows:
                continue
            if self._lost(part) and before in (part.source, None) and self._latest:
                self._figures[figure] = self._before.figures.get(figure) or From(part.source, part.knows[figure])
                return None if figure is Figure.SPENT else getattr(self._latest, _FIELDS[figure])
            if figure is Figure.STATUS and before == part.source and self._is_gone(part):
                self._figures[figure] = self._before.figures[figure]
                return KeyStatus.REVOKED
            if part.source in self._seen:
                snapshot = self._seen[part.source][1]
                self._figures[figure] = self._from(figure, part, snapshot)
                return getattr(snapshot, _FIELDS[figure])
        return _NOBODY_KNOWS[figure]

    def _last_used(self) -> datetime | None:
        uses = [
            (snapshot.last_used_at, part)
            for part, snapshot in self._seen.values()
            if Figure.LAST_USED in part.knows and snapshot.last_used_at
        ]
        if not uses:
            return self._latest.last_used_at if self._latest else None
        used_at, part = max(uses, key=lambda use: use[0])
        self._figures[Figure.LAST_USED] = self._from(Figure.LAST_USED, part, self._seen[part.source][1])
        return used_at

    def _lost(self, part: Part) -> bool:
        """Whether the source failed, or could not tell about this key."""
        if part.reading is None:
            return True
        theirs = self._before.ids.get(part.source, self._key_id)
        return part.source not in self._seen and any(skipped.key_id == theirs for skipped in part.reading.skipped)

    def _is_gone(self, part: Part) -> bool:
        """Whether the source lists the key no more after it showed it revoked: nobody who trusts less undoes that."""
        return part.source not in self._seen and self._latest is not None and self._latest.status is KeyStatus.REVOKED

    def _source_before(self, figure: Figure) -> str | None:
        """None for a key that was never seen; the most trusted source for one that was seen by one source alone."""
        told = self._before.figures.get(figure)
        if told:
            return told.source
        return self._first if self._latest and not self._before.figures else None

    def _from(self, figure: Figure, part: Part, snapshot: Snapshot) -> From:
        said = _said(part, snapshot)
        sure = said.figures[figure].sure if said and figure in said.figures else part.knows[figure]
        return From(part.source, sure)


def _said(part: Part, snapshot: Snapshot) -> Provenance | None:
    return part.reading.provenance.get(snapshot.key_id) if part.reading else None
