"""What each kind of alert has to know, and which of them the configured sources allow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flowy_watch.core.provenance import Figure, Knowledge, Sure

Need = tuple[frozenset[Figure] | tuple[Figure, ...], ...]
"""Of each set or list one figure is needed; of a list, the first that is known is used."""


def _all_of(*figures: Figure) -> Need:
    return tuple(frozenset({figure}) for figure in figures)


NEEDS: dict[str, Need] = {
    "cap": _all_of(Figure.SPENT, Figure.CAP),
    "spike": _all_of(Figure.SPENT),
    "ramp": _all_of(Figure.SPENT),
    "last_used": ((Figure.LAST_USED, Figure.SPENT),),
    "new_origin": _all_of(Figure.ORIGINS),
    "new_app": _all_of(Figure.ORIGINS),
    "balance": _all_of(Figure.BALANCE),
    "unattributed": _all_of(Figure.BALANCE, Figure.SPENT),
    "safeguard": (frozenset({Figure.CAP, Figure.RATE_LIMIT, Figure.STATUS}),),
    "blind": (),
}
_SUREST = tuple(Sure)


@dataclass(frozen=True, slots=True)
class Raisable:
    """Whether alerts of a kind can be raised, and from what; or what is missing."""

    kind: str
    can: bool
    words: str


def raisable(sources: Mapping[str, Knowledge], *, off: Iterable[str] = ()) -> list[Raisable]:
    """Every kind, with what the sources (by name) know. `off` are kinds that are switched off."""
    off = frozenset(off)
    return [_one(kind, need, sources, off=kind in off) for kind, need in NEEDS.items()]


def _one(kind: str, need: Need, sources: Mapping[str, Knowledge], *, off: bool) -> Raisable:
    if off:
        return Raisable(kind, can=False, words=f"switched off by detectors.{kind}.enabled")
    found: list[str] = []
    missing: list[str] = []
    for alternatives in need:
        ordered = sorted(alternatives) if isinstance(alternatives, frozenset) else alternatives
        known = [_from(figure, sources) for figure in ordered]
        told = [words for words in known if words]
        if told:
            found += told if isinstance(alternatives, frozenset) else told[:1]
        else:
            missing.append(" or ".join(figure.words for figure in ordered))
    if missing:
        return Raisable(kind, can=False, words=f"needs {' and '.join(missing)}, which no configured source knows")
    return Raisable(kind, can=True, words=", ".join(found) or "whatever the source")


def _from(figure: Figure, sources: Mapping[str, Knowledge]) -> str:
    """`spend by price (meter)`, of the source that is surest; empty when nobody knows it."""
    known = [(_SUREST.index(knows[figure]), name) for name, knows in sources.items() if figure in knows]
    if not known:
        return ""
    place, name = min(known, key=lambda one: one[0])
    return f"{figure.words} {_SUREST[place].value} ({name})"
