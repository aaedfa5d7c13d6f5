"""The source `meter`: what passed through our proxy, read from its ledger."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flowy_watch.clock import Clock
from flowy_watch.core.check import Check
from flowy_watch.core.provenance import Figure, From, Knowledge, Provenance, Sure
from flowy_watch.core.sighting import Sighting, Sightings
from flowy_watch.core.usage import MOST, Answers, KeyStatus, Reading, Skipped, Snapshot, clean_name, day_of, day_start
from flowy_watch.core.words import span_words
from flowy_watch.errors import SourceError, StoreError
from flowy_watch.ledger import NO_KEY, OTHER, AppSeen, KeyUse, Ledger, OriginSeen, UseStatus

NAME = "meter"
_NO_KEYS = (NO_KEY, OTHER)
_ANY_OTHER = "*"  # app


class MeterOptions(BaseModel):
    """`[source]` of kind `meter`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ledger: Path = Path("flowy-meter.db")
    """The file that `flowy-watch meter` writes."""
    busy: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=1))] = timedelta(seconds=5)
    """How long another process may hold the file."""


class MeterSource:
    """Keys by their fingerprint. Sees only what goes through the meter; knows neither caps nor the balance."""

    Config = MeterOptions
    knows: ClassVar[Knowledge] = {
        Figure.SPENT: Sure.BY_PRICE,
        Figure.LAST_USED: Sure.EXACT,
        Figure.STATUS: Sure.LEAST,
        Figure.ORIGINS: Sure.EXACT,
    }

    def __init__(self, config: MeterOptions, _clock: Clock | None = None) -> None:
        self._ledger = Ledger(config.ledger, busy_seconds=config.busy.total_seconds())

    def pull(self, now: datetime) -> Reading:
        uses, apps, origins = self._read(now)
        listed = [use for use in uses if use.status is not UseStatus.UNKNOWN and use.fingerprint not in _NO_KEYS]
        known = [use for use in listed if 0 <= use.counts.spent <= MOST]
        broken = [use.fingerprint for use in listed if not 0 <= use.counts.spent <= MOST]
        since = {use.fingerprint: use.first_seen_at for use in known}
        return Reading(
            now,
            tuple(_snapshot(use, now) for use in known),
            skipped=tuple(Skipped(fingerprint, "has an impossible sum") for fingerprint in broken),
            sightings=_sightings(since, origins, apps),
            answers={use.fingerprint: _answers(use) for use in known},
            provenance={use.fingerprint: self._provenance(use) for use in known},
        )

    def check(self, now: datetime) -> Iterator[Check]:
        try:
            uses, *_ = self._read(now)
            prices = self._ledger.prices()
            priced = {price.app_id for price in prices}
            day = day_start(day_of(now))
            ran = {row.app_id for row in self._ledger.five_minutes(day, now) if row.counts.unpriced}
        except (SourceError, StoreError) as error:
            yield Check("ledger readable", ok=False, detail=str(error))
            return
        last = max((use.last_used_at for use in uses if use.last_used_at), default=None)
        used = f"last used {span_words(now - last)} ago" if last else "nothing has passed through the meter yet"
        yield Check("ledger readable", ok=True, detail=f"{len(uses)} key{'' if len(uses) == 1 else 's'}; {used}")
        without = sorted(ran - priced)
        if without and _ANY_OTHER not in priced:
            few = ", ".join(without[:5]) + (" and others" if len(without) > 5 else "")
            detail = f"{few} ran today without a price: their runs count as 0 credits; set meter.prices"
            yield Check("every app has a price", ok=False, detail=clean_name(detail))
        else:
            shown = "; ".join(f"{one.words}, {one.source.value}" for one in prices[:10]) + (
                "; and others" if len(prices) > 10 else ""
            )
            yield Check("every app has a price", ok=True, detail=clean_name(shown))

    def close(self) -> None:
        self._ledger.close()

    def _read(self, now: datetime) -> tuple[tuple[KeyUse, ...], tuple[AppSeen, ...], tuple[OriginSeen, ...]]:
        path = self._ledger.path
        if not path.exists():  # reading it would make an empty one, in which nobody was ever seen
            raise SourceError(f"there is no ledger at {path}; start `flowy-watch meter`, or correct source.ledger")
        try:
            return self._ledger.keys(day_of(now)), self._ledger.apps(), self._ledger.origins()
        except StoreError as error:
            raise SourceError(str(error)) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise SourceError(f"ledger {path} holds what no meter wrote; move it away, a new one is begun") from error

    def _provenance(self, use: KeyUse) -> Provenance:
        sure = dict(self.knows)
        if use.counts.unpriced:
            sure[Figure.SPENT] = Sure.LEAST
        figures = {figure: From(NAME, how) for figure, how in sure.items()}
        return Provenance(figures, {NAME: use.fingerprint}, use.fingerprint)


def _snapshot(use: KeyUse, now: datetime) -> Snapshot:
    four = clean_name(use.last_four)[-4:]
    return Snapshot(
        use.fingerprint,
        clean_name(use.name) or (f"key …{four}" if four else ""),
        now,
        use.counts.spent,
        use.last_used_at and min(use.last_used_at, now),  # the clock may have been set back
        None,
        KeyStatus.REVOKED if use.status is UseStatus.REFUSED else KeyStatus.ACTIVE,
        None,
        use.first_seen_at,
        four,
    )


def _answers(use: KeyUse) -> Answers:
    """By Flowy and by the meter's own guardrails together: either way the run did not start."""
    counts = use.counts
    return Answers(
        counts.answers_401 + counts.stopped_401,
        counts.answers_402 + counts.stopped_402,
        counts.answers_429 + counts.stopped_429,
        counts.unpriced,
    )


def _sightings(
    since: dict[str, datetime], origins: Iterable[OriginSeen], apps: Iterable[AppSeen]
) -> dict[str, Sightings]:
    """What lies beyond the ledger's bound is one row there, and says nothing of a single address or app."""
    of_key: dict[str, tuple[list[Sighting], list[Sighting]]] = {fingerprint: ([], []) for fingerprint in since}
    for origin in origins:
        if origin.fingerprint in of_key and origin.address != OTHER:
            address = _address(origin.address)
            seen = Sighting(address, origin.first_seen_at, origin.last_seen_at, origin.runs, origin.user_agent)
            of_key[origin.fingerprint][0].append(seen)
    for app in apps:
        if app.fingerprint in of_key and app.app_id not in ("", OTHER):
            seen = Sighting(app.app_id, app.first_seen_at, app.last_seen_at, app.runs)
            of_key[app.fingerprint][1].append(seen)
    return {key: Sightings(since[key], tuple(seen[0]), tuple(seen[1])) for key, seen in of_key.items()}


def _address(text: str) -> str:
    """Marked where it is a hash, so that nobody takes it for an address."""
    if not text:
        return "a local socket"
    try:
        ip_network(text, strict=False)
    except ValueError:
        return f"#{text}"
    return text
