"""Which digests are due and which were made: each once, in both databases."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from flowy_watch.core.edition import Edition
from flowy_watch.core.period import Period, Span
from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from flowy_watch.store.digests import Made
from tests.builders import HOUR, NOON

ANA = Edition("mail", "ana@example.com")
WEEK = Period.parse("2026-W10")


def test_what_is_planned_is_next_until_it_is_done(store: Store) -> None:
    with store.write() as work:
        work.digests.plan(ANA, WEEK, NOON)
        work.digests.plan(ANA, WEEK, NOON + HOUR)  # it is planned already
        planned = work.digests.next(ANA)
    assert planned
    assert (planned.period, planned.planned_at, planned.due_at, planned.done_at) == (WEEK, NOON, NOON, None)
    with store.write() as work:
        work.digests.look_again(planned, NOON + HOUR)
        held = work.digests.next(ANA)
        work.digests.done(ANA, WEEK, Made.SENT, at=NOON + HOUR)
        assert work.digests.next(ANA) is None
    assert held == replace(planned, due_at=NOON + HOUR)
    with store.read() as work:
        ((known, outcome),) = work.digests.outcomes()
    assert (known.done_at, outcome) == (NOON + HOUR, Made.SENT)


def test_editions_do_not_share_a_calendar(store: Store) -> None:
    others = (
        replace(ANA, channel="ops"),
        replace(ANA, recipient="ben@example.com"),
        replace(ANA, owner="ana"),
        replace(ANA, span=Span.MONTH),
    )
    with store.write() as work:
        work.digests.plan(ANA, WEEK, NOON)
        assert [work.digests.next(other) for other in others] == [None] * 4
        for other in others[:3]:
            work.digests.done(other, WEEK, Made.SENT, at=NOON)
        assert work.digests.next(ANA) is not None


def test_the_database_itself_refuses_a_second_digest_of_a_period(store: Store) -> None:
    with store.write() as work:
        work.digests.plan(ANA, WEEK, NOON)
    with pytest.raises(StoreError) as refused, store.write() as work:
        work.digests._add(ANA, WEEK, NOON)
    assert isinstance(refused.value.__cause__, IntegrityError)
