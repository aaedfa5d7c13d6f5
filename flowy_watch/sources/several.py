"""Several sources of one workspace, asked at the same time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from flowy_watch.core.check import Check
from flowy_watch.core.merge import Known, SameAs, merge
from flowy_watch.core.provenance import Knowledge
from flowy_watch.core.usage import Match, Part, Reading, Trouble
from flowy_watch.errors import CredentialRefused, SourceError
from flowy_watch.sources.base import Source


@dataclass(frozen=True, slots=True)
class Named:
    """One of several sources, as configured."""

    name: str
    source: Source
    knows: Knowledge
    match: Match = Match.LAST_FOUR


class Several:
    """The most trusted first. A reading of them holds what each said; the poll makes one of it (see `core.merge`)."""

    def __init__(self, sources: Sequence[Named], same_as: SameAs) -> None:
        """`same_as` is for `check` alone."""
        self._sources, self._same_as = tuple(sources), same_as
        self._pool = ThreadPoolExecutor(len(sources), thread_name_prefix="source")

    def pull(self, now: datetime) -> Reading:
        """Never raises: a source that fails is a part that says so."""
        return Reading(now, (), parts=tuple(self._pool.map(lambda one: _part(one, now), self._sources)))

    def check(self, now: datetime) -> Iterator[Check]:
        for one in self._sources:
            for line in one.source.check(now):
                yield Check(f"{one.name}: {line.name}", ok=line.ok, detail=line.detail)
        parts = self.pull(now).parts
        apart = merge(parts, now, Known(), self._same_as).apart
        if all(part.reading for part in parts):
            advice = "; kept apart. Say which is which with same_as in [keys]" if apart else ""
            yield Check("keys of all sources matched", ok=not apart, detail="; ".join(apart[:5]) + advice)

    def close(self) -> None:
        for one in self._sources:
            one.source.close()  # cuts short a pull that waits
        self._pool.shutdown()


def _part(one: Named, now: datetime) -> Part:
    try:
        return Part(one.name, one.knows, one.source.pull(now), match=one.match)
    except SourceError as error:
        trouble = Trouble(one.name, str(error), isinstance(error, CredentialRefused))
        return Part(one.name, one.knows, trouble=trouble, match=one.match)
