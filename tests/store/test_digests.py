"""Which digests are due and which were made: each once, in both databases."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter
from sqlalchemy.exc import IntegrityError

from flowy_watch.core.edition import Edition, Issue
from flowy_watch.core.notification import digested
from flowy_watch.core.period import Period, Span
from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from flowy_watch.store.codec import dump_notification, load_notification
from flowy_watch.store.digests import Made
from tests.builders import HOUR, NOON
from tests.core.digests import digest, key

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


def test_a_digest_of_very_many_keys_stays_small_in_the_outbox_and_comes_back_whole() -> None:
    keys = [key(f"app-{n:05}", n % 97 + 0.25, n % 89, earlier=(n % 83,), cap=1000) for n in range(2000)]
    notice = digested(Issue(ANA, digest(*keys, per_day=100)))
    payload = dump_notification(notice)
    assert len(payload["issue"]) < 150_000
    assert load_notification(payload) == notice


def test_a_digest_that_an_older_version_wrote_is_still_read() -> None:
    notice = digested(Issue(ANA, digest(key("render", 5))))
    older = dump_notification(notice) | {"issue": TypeAdapter(Issue).dump_python(notice.issue, mode="json")}
    assert load_notification(older) == notice


@pytest.mark.parametrize("packed", ["", "!", "eJwz", "bm8gemxpYg=="])
def test_a_packed_digest_that_is_broken_is_an_error_that_says_so(packed: str) -> None:
    payload = dump_notification(digested(Issue(ANA, digest(key("render", 5)))))
    with pytest.raises(ValueError):
        load_notification(payload | {"issue": packed})
