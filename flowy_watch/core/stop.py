"""Whether a stop held: a key that is said or seen to be revoked, and whether it was used since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from statistics import median

from flowy_watch.core.finding import Finding
from flowy_watch.core.history import History
from flowy_watch.core.usage import DAY, Microcredits, day_of
from flowy_watch.core.words import credit_words, person_words, span_words

CLOSES_AFTER = DAY
"""So long a stopped key must stay unused before its alert closes by itself."""

_LOOKS = 2  # good polls that must see no use
_IN_FLIGHT = timedelta(minutes=15)  # runs under way may be charged so long; where only spend tells of use
_MEASURABLE = timedelta(seconds=3)  # a source's clock is told in whole seconds: less than this is no difference
_NOT_ENDED_BY_A_STOP = frozenset({"safeguard"})
_USUAL_DAYS, _FEWEST_DAYS = 14, 3


@dataclass(frozen=True, slots=True)
class Use:
    """What a poll saw of a key's use, by our clock."""

    last_at: datetime
    """Its last use; where the source does not tell that, the poll that saw its last spend."""
    told: bool
    """Whether the source tells uses. Else it is judged by spend, and what still ran may be charged for a while."""
    revoked_at: datetime | None
    """Since when the source shows the key revoked."""


@dataclass(frozen=True, slots=True)
class Toll:
    """What an incident came to."""

    loss: Microcredits
    beyond_usual: bool
    """Whether the loss is what was spent above the key's usual days; else all that was spent since the alert opened."""
    detected_after: timedelta | None
    """From the first odd use that is known to the first notice that was sent; None when nobody was told."""
    stopped_after: timedelta
    """From the opening of the alert to the key's last use."""

    @property
    def words(self) -> str:
        above = "above its usual days" if self.beyond_usual else "spent since it opened"
        found = "" if self.detected_after is None else f"; told {_soon(self.detected_after)} after the first odd use"
        return (
            f"{credit_words(self.loss)} credits {above}{found}; last used {_soon(self.stopped_after)} after it opened"
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody said, or the source shows, that an alert's key is revoked; and what the polls since have seen."""

    reported_at: datetime
    by: str = ""
    """Empty: nobody said so, the source shows it."""
    looks: int = 0
    """Good polls since, in a row, that saw the key and no use of it."""
    quiet_since: datetime | None = None
    """Its last use, once it is confirmed that there was none after the report."""
    still_listed: bool = False
    """Confirmed by use alone: the source went on showing the key as active."""
    used_at: datetime | None = None
    """A use after the report: it was the wrong key, or the revoke did not hold."""
    toll: Toll | None = None

    @property
    def holds(self) -> bool:
        return self.quiet_since is not None and self.used_at is None

    @property
    def words(self) -> str:
        """Who said so and what came of it, as one sentence without its end."""
        said = f"{person_words(self.by)} reported it revoked" if self.by else "Flowy shows it revoked"
        begin = f"{said} at {_at(self.reported_at)}"
        if self.used_at:
            return f"{begin}, and it was used at {_at(self.used_at)}: the wrong key, or the revoke did not hold"
        if self.quiet_since:
            doubt = "; but Flowy still lists it as active" if self.still_listed else ""
            return f"{begin}, and it is quiet since {_at(self.quiet_since)}{doubt}"
        return f"{begin}; the next two good polls check that"


def use_of(finding: Finding, histories: Mapping[str, History], clock_offset: timedelta | None = None) -> Use | None:
    """What is known of the use of a finding's key. `clock_offset` is the source's clock minus ours."""
    history = histories.get(finding.key_id or "")
    if history is None:
        return None
    told = history.latest.last_used_at is not None
    off = clock_offset if told and clock_offset and abs(clock_offset) >= _MEASURABLE else timedelta(0)
    return Use(history.moved_at - off, told, history.revoked_at)


def reported(stop: Stop | None, by: str, at: datetime) -> Stop:
    """Somebody says that the key is revoked. A check that goes on already goes on; one that failed begins anew."""
    if stop is None or stop.used_at:
        return Stop(at, by)
    return stop if stop.by else replace(stop, by=by)


def checked(stop: Stop | None, finding: Finding, use: Use, now: datetime) -> Stop | None:
    """The stop after one more poll that saw the key. None while nobody says that there is one.

    Judged by use, not by billing: where the source tells uses, what is charged later is no use. Two polls without use
    confirm it; one use after the report breaks it, also after it was confirmed.
    """
    if stop is None:
        if use.revoked_at is None or finding.kind in _NOT_ENDED_BY_A_STOP or finding.period == "revoked":
            return None
        stop = Stop(use.revoked_at)
    if stop.used_at:
        return replace(stop, used_at=max(stop.used_at, use.last_at))
    if use.last_at > stop.reported_at and (use.told or use.last_at - stop.reported_at >= _IN_FLIGHT):
        return replace(stop, used_at=use.last_at)
    if stop.quiet_since:
        return replace(stop, still_listed=stop.still_listed and use.revoked_at is None)
    if not use.told and use.last_at == now:
        return replace(stop, looks=0)  # what still ran was charged: neither quiet nor used
    looks = stop.looks + 1
    if looks < _LOOKS:
        return replace(stop, looks=looks)
    return replace(stop, looks=looks, quiet_since=use.last_at, still_listed=use.revoked_at is None)


def is_over(stop: Stop, now: datetime) -> bool:
    """Whether the key has been quiet for a day; one whose stop failed, too, once nobody uses it any more."""
    last = max(stop.reported_at, stop.used_at or stop.reported_at)
    return (stop.quiet_since or stop.used_at) is not None and now - last >= CLOSES_AFTER


def toll(
    stop: Stop,
    *,
    opened_at: datetime,
    began_at: datetime,
    told_at: datetime | None,
    days: Sequence[tuple[date, Microcredits]],
    spent_at_opening: Microcredits,
) -> Toll:
    """Add up what an incident cost. `days` are the key's UTC days, oldest first, with what was spent on each.

    With three known days or more before the alert, the loss is what each day since spent above their median (of up to
    fourteen); else it is all that was spent after the opening.
    """
    first = day_of(opened_at)
    since = [spent for day, spent in days if day >= first]
    before = [spent for day, spent in days if day < first][-_USUAL_DAYS:]
    if usual_known := len(before) >= _FEWEST_DAYS:
        usual = int(median(before))
        loss = sum(max(spent - usual, 0) for spent in since)
    else:
        loss = max(sum(since) - spent_at_opening, 0)
    last_use = stop.used_at or stop.quiet_since or stop.reported_at
    return Toll(
        loss,
        usual_known,
        None if told_at is None else max(told_at - min(began_at, opened_at), timedelta(0)),
        max(last_use - opened_at, timedelta(0)),
    )


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _soon(span: timedelta) -> str:
    return span_words(span) if span else "at once"
