"""The calendar of digests: what is due is put into the outbox, from where it is delivered like everything else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from flowy_watch.core.digest import Digest, Owners, build
from flowy_watch.core.edition import Edition, Issue
from flowy_watch.core.notification import digested
from flowy_watch.core.period import Calendar, Period, Span
from flowy_watch.core.provenance import Sure
from flowy_watch.errors import NotFound
from flowy_watch.store import Planned, Store, Work
from flowy_watch.store.digests import Made

EARLIER = {Span.WEEK: 4, Span.MONTH: 3}
"""So many periods before are compared with."""
_HELD_FOR = timedelta(days=1)
_LOOK_EVERY = timedelta(minutes=15)
_LATE = timedelta(hours=1)
_OLD = {Span.WEEK: timedelta(weeks=5), Span.MONTH: timedelta(days=70)}
"""A digest that is so late is not sent any more: a database of last year must not pour out all of it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Plan:
    """What the configuration says about digests."""

    editions: Sequence[Edition]
    calendar: Calendar
    owner_of: Owners
    send_empty: bool = True
    """Also when nothing was spent and nothing happened; then it is a line."""


def digest_of(work: Work, period: Period, *, owner_of: Owners, now: datetime, late_by: timedelta) -> Digest:
    """The digest of the whole workspace, as the database knows it now."""
    facts = work.digests.facts(period, earlier=EARLIER[period.span])
    told = work.knowledge.provenances()
    if told:
        priced = {key_id for key_id, one in told.items() if one.spent and one.spent.sure is not Sure.EXACT}
        facts = replace(facts, keys=[replace(key, by_price=key.key_id in priced) for key in facts.keys])
    return build(facts, period, owner_of=owner_of, now=now, late_by=late_by)


def asked_for(work: Work, period: Period, owner: str, *, owner_of: Owners, now: datetime) -> Digest:
    """As somebody wants to see it; an empty `owner` is the whole workspace. Raises NotFound for one without keys."""
    whole = digest_of(work, period, owner_of=owner_of, now=now, late_by=timedelta(0))
    return part_of(whole, owner) if owner else whole


def part_of(whole: Digest, owner: str) -> Digest:
    """Raises NotFound for an owner without keys."""
    found = whole.for_owner(owner)
    if not found.keys:
        name = whole.period.name
        raise NotFound(f'no key of {name} belongs to {owner}; [keys."pattern"] owner says whose a key is')
    return found


class DigestJob:
    """Looks whether a digest is due. Running it twice, or in two processes, changes nothing."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store, self._plan = store, plan

    def run(self, now: datetime) -> int:
        """Put what is due into the outbox; returns how many digests that were. Raises StoreError.

        Which is due stands in the database, and moves in the same transaction that puts the digest into the outbox:
        killed at any instant, the next start finds both or neither.
        """
        made: dict[str, Digest] = {}
        count = 0
        for edition in self._plan.editions:
            while (planned := self._due(edition, now)) is not None:
                count += self._take(planned, made, now)
        return count

    def _due(self, edition: Edition, now: datetime) -> Planned | None:
        with self._store.read() as work:
            planned = work.digests.next(edition)
        if planned is None or self._moved_to(planned):
            with self._store.write() as work:
                planned = self._planned(work, edition, now)
        return planned if planned and planned.due_at <= now else None

    def _planned(self, work: Work, edition: Edition, now: datetime) -> Planned | None:
        """What is next on the calendar of an edition, as the configuration has it today."""
        planned = work.digests.next(edition)
        if planned is None:
            self._plan_next(work, edition, self._plan.calendar.first_due(edition.span, now))
        elif planned_at := self._moved_to(planned):
            work.digests.move(planned, planned_at)
        return work.digests.next(edition)

    def _moved_to(self, planned: Planned) -> datetime | None:
        """Weekday, time or zone were changed since it was planned: when it is due now. One that is held stays so."""
        planned_at = self._plan.calendar.due_at(planned.period)
        return planned_at if planned_at != planned.planned_at == planned.due_at else None

    def _take(self, planned: Planned, made: dict[str, Digest], now: datetime) -> bool:
        """Send it, hold it, or pass it over; whether it was sent."""
        edition, period = planned.edition, planned.period
        with self._store.read() as work:
            what, digest = self._decide(work, planned, made, now)
        with self._store.write() as work:
            if work.digests.next(edition) != planned:
                return False  # another process has done it
            if what is None:
                held_until = min(now + _LOOK_EVERY, planned.planned_at + _HELD_FOR)
                work.digests.look_again(planned, max(held_until, now + timedelta(seconds=1)))
                return False
            if digest is not None:
                work.outbox.add([digested(Issue(edition, digest))])
            work.digests.done(edition, period, what, at=now)
            self._plan_next(work, edition, period.after())
        log.info("digest", period=period.name, channel=edition.channel, owner=edition.owner, outcome=what.value)
        return what is Made.SENT

    def _decide(
        self, work: Work, planned: Planned, made: dict[str, Digest], now: datetime
    ) -> tuple[Made | None, Digest | None]:
        """What becomes of it, None while it is held; and the digest if it is to be sent."""
        period, figures = planned.period, work.digests.figures
        late_by = now - planned.planned_at
        began = figures.began()
        if late_by > _OLD[period.span] or began is None or began >= period.end_at:
            return Made.SKIPPED, None
        if late_by < _HELD_FOR and figures.days_missing(period):
            return None, None
        late_by = late_by if late_by > _LATE else timedelta(0)
        whole = made.get(period.name)
        if whole is None:
            whole = digest_of(work, period, owner_of=self._plan.owner_of, now=now, late_by=late_by)
            made[period.name] = whole
        digest = whole.for_owner(planned.edition.owner) if planned.edition.owner else whole
        if digest.empty and not self._plan.send_empty:
            return Made.EMPTY, None
        return Made.SENT, digest

    def _plan_next(self, work: Work, edition: Edition, period: Period) -> None:
        """The first period from this one on that was not made by hand already."""
        while (known := work.digests.of(edition, period)) and known.done_at is not None:
            period = period.after()
        work.digests.plan(edition, period, self._plan.calendar.due_at(period))

    def send_now(self, digest: Digest, editions: Sequence[Edition], *, again: bool) -> list[Issue]:
        """By hand: put a digest of the whole workspace, cut to each edition, into the outbox now.

        Returns what was put there: for all who did not have that period's already, or for all with `again`.
        """
        issues = []
        with self._store.write() as work:
            for edition in editions:
                known = work.digests.of(edition, digest.period)
                had_it = known is not None and known.done_at is not None
                if had_it and not again:
                    continue
                mine = digest.for_owner(edition.owner) if edition.owner else digest
                issues.append(Issue(edition, mine, again=had_it))
                work.digests.done(edition, digest.period, Made.SENT, at=digest.made_at)
            work.outbox.add(digested(issue) for issue in issues)
        return issues
