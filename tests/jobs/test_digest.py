"""The calendar of digests: each once, whatever happens to the machine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from threading import Barrier, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from flowy_watch.core.edition import Edition
from flowy_watch.core.period import Calendar, Period, Span
from flowy_watch.core.usage import DAY
from flowy_watch.jobs.digest import DigestJob, Plan, digest_of
from flowy_watch.jobs.prune import prune
from flowy_watch.store import Store
from flowy_watch.store.digests import Made
from flowy_watch.store.usage import GOOD, IMPORTED
from tests.builders import HOUR, credit, reading, snapshot

MADRID = ZoneInfo("Europe/Madrid")
WEEK = Period.parse("2026-W10")
DUE = datetime(2026, 3, 9, 8, tzinfo=UTC)  # Monday, 09:00 in Madrid
ANA, BEN = Edition("mail", "ana@example.com"), Edition("mail", "ben@example.com")
CLOSE = timedelta(hours=23, minutes=59, seconds=50)


def spend(store: Store, day: datetime, credits_used: float = 10, *, kind: str = "live") -> None:
    """The poll that closes a day."""
    at = day.replace(hour=0, minute=0) + CLOSE
    with store.write() as work:
        read = reading(snapshot(credits_used, at), at=at)
        poll_id = work.usage.add_poll(at, GOOD, kind=kind, keys=1)
        work.usage.add_snapshots(poll_id, read, work.usage.numbers())


def whole_week(store: Store, period: Period = WEEK, *, without: Sequence[int] = ()) -> None:
    for n in range(7):
        if n not in without:
            spend(store, period.start_at + n * DAY)


def job(store: Store, *editions: Edition, weekday: int = 0, at: time = time(9), **more: Any) -> DigestJob:
    plan = Plan(editions or (ANA,), Calendar(weekday, at, MADRID), lambda _, __: "", **more)
    return DigestJob(store, plan)


def outbox(store: Store) -> list[tuple[str, str, str]]:
    """Recipient, period and id of everything that was put into the outbox, oldest first."""
    with store.read() as work:
        issues = [(w.notification.issue, w.outbox_id) for w in work.outbox.loose("mail")]
    return [(i.edition.recipient, i.digest.period.name, number) for i, number in issues if i]


def periods(store: Store) -> list[str]:
    return [period for _, period, _ in outbox(store)]


def test_a_digest_is_sent_when_it_is_due_and_not_again(store: Store) -> None:
    whole_week(store)
    made = job(store)
    counts = [made.run(at) for at in (DUE - HOUR, DUE - timedelta(seconds=1), DUE, DUE, DUE + HOUR, DUE + 3 * DAY)]
    assert counts == [0, 0, 1, 0, 0, 0]
    assert periods(store) == ["2026-W10"]


def test_each_recipient_has_a_digest_of_their_own_with_an_identity_that_stays(store: Store, open_store: Any) -> None:
    other = open_store("other.db")
    for one in (store, other):
        whole_week(one)
        made = job(one, ANA, BEN)
        made.run(DUE - HOUR)
        assert made.run(DUE) == 2
    assert outbox(store) == outbox(other)
    assert [recipient for recipient, _, _ in outbox(store)] == ["ana@example.com", "ben@example.com"]
    assert len({number for _, _, number in outbox(store)}) == 2


def test_a_calendar_begins_with_the_next_due_time_and_reaches_for_nothing_older(store: Store) -> None:
    whole_week(store)
    made = job(store)
    assert [made.run(DUE + HOUR), made.run(DUE + DAY)] == [0, 0]
    assert periods(store) == []


def test_a_machine_asleep_over_the_hour_sends_late_and_says_so(store: Store) -> None:
    whole_week(store)
    made = job(store)
    made.run(DUE - HOUR)
    assert made.run(DUE + 5 * HOUR) == 1
    with store.read() as work:
        (waiting,) = work.outbox.loose("mail")
    assert waiting.notification.issue
    assert waiting.notification.issue.digest.late_by == 5 * HOUR


def test_a_week_with_a_missing_day_waits_for_late_figures_and_is_sent_when_they_come(store: Store) -> None:
    whole_week(store, without=[3])
    made = job(store)
    made.run(DUE - HOUR)
    assert [made.run(DUE), made.run(DUE + 3 * HOUR)] == [0, 0]
    spend(store, WEEK.start_at + 3 * DAY, kind=IMPORTED)
    assert made.run(DUE + 4 * HOUR) == 1
    with store.read() as work:
        digest = digest_of(work, WEEK, owner_of=lambda _, __: "", now=DUE, late_by=timedelta(0))
    assert (digest.total, digest.missing_days) == (credit(70), ())


def test_a_week_whose_figures_never_come_is_sent_after_a_day_and_marked(store: Store) -> None:
    whole_week(store, without=[3])
    made = job(store)
    made.run(DUE - HOUR)
    assert [made.run(DUE + n * HOUR) for n in range(26)].index(1) == 24
    with store.read() as work:
        (waiting,) = work.outbox.loose("mail")
    assert waiting.notification.issue
    told = waiting.notification.issue.digest
    assert (told.at_least, told.late_by, len(told.missing_days)) == (True, DAY, 1)


def test_the_numbers_of_a_digest_in_the_outbox_do_not_move_any_more(store: Store) -> None:
    whole_week(store)
    made = job(store)
    made.run(DUE - HOUR)
    made.run(DUE)
    spend(store, WEEK.start_at, 1000, kind=IMPORTED)
    with store.read() as work:
        (waiting,) = work.outbox.loose("mail")
    assert waiting.notification.issue
    assert waiting.notification.issue.digest.total == credit(70)


def test_several_missed_weeks_are_all_sent_but_not_those_of_long_ago(store: Store) -> None:
    whole_week(store)
    made = job(store)
    made.run(DUE - HOUR)
    for n in range(1, 9):
        whole_week(store, Period.of(Span.WEEK, WEEK.first + n * 7 * DAY))
    assert made.run(DUE + 8 * 7 * DAY - HOUR) == 6  # 09:00 is an hour earlier in summer
    assert periods(store) == [f"2026-W{n}" for n in range(13, 19)]
    with store.read() as work:
        outcomes = [(one.period.name, made_of) for one, made_of in work.digests.outcomes()]
    assert outcomes[:3] == [(f"2026-W{n}", Made.SKIPPED) for n in (10, 11, 12)]


def test_a_period_before_the_watch_began_gets_no_digest(store: Store) -> None:
    made = job(store)
    made.run(DUE - HOUR)
    assert made.run(DUE) == 0
    whole_week(store, WEEK.after())
    assert made.run(DUE + 7 * DAY) == 1
    assert periods(store) == ["2026-W11"]


def test_a_week_without_anything_is_sent_or_not_as_people_want(store: Store, open_store: Callable[..., Store]) -> None:
    other = open_store("other.db")
    for one, wanted in ((store, True), (other, False)):
        for n in range(-7, 7):
            spend(one, WEEK.start_at + n * DAY, 0)
        made = job(one, send_empty=wanted)
        made.run(DUE - HOUR)
        assert made.run(DUE) == wanted
        assert periods(one) == (["2026-W10"] if wanted else [])


def test_weeks_and_months_have_calendars_of_their_own(store: Store) -> None:
    for n in range(-7, 70):
        spend(store, WEEK.start_at + n * DAY)
    made = job(store, ANA, replace(ANA, span=Span.MONTH))
    for n in range(-1, 70):
        made.run(DUE + n * DAY)
    assert [name for name in periods(store) if "W" not in name] == ["2026-03", "2026-04"]
    assert [name for name in periods(store) if "W" in name] == [f"2026-W{n}" for n in range(10, 20)]


@pytest.mark.parametrize(
    ("day", "week"), [(datetime(2026, 3, 29, tzinfo=UTC), "2026-W12"), (datetime(2026, 10, 25, tzinfo=UTC), "2026-W42")]
)
def test_an_hour_that_is_skipped_or_comes_twice_sends_one_digest(store: Store, day: datetime, week: str) -> None:
    whole_week(store, Period.parse(week))
    made = job(store, weekday=6, at=time(2, 30))
    made.run(day - DAY)
    sent = [made.run(day + n * timedelta(minutes=10)) for n in range(36)]
    assert sum(sent) == 1
    assert periods(store) == [week]


def test_a_changed_hour_counts_from_the_next_digest_on(store: Store) -> None:
    whole_week(store)
    job(store).run(DUE - HOUR)
    moved = job(store, weekday=2, at=time(7))
    wednesday = datetime(2026, 3, 11, 6, tzinfo=UTC)
    assert [moved.run(at) for at in (DUE, wednesday - HOUR, wednesday, wednesday + HOUR)] == [0, 0, 1, 0]
    assert periods(store) == ["2026-W10"]


def test_two_processes_at_once_send_one_digest(open_store: Callable[..., Store]) -> None:
    stores = [open_store() for _ in range(4)]
    whole_week(stores[0])
    job(stores[0]).run(DUE - HOUR)
    barrier, counts = Barrier(len(stores)), list[int]()

    def start(store: Store) -> None:
        made = job(store)
        barrier.wait()
        counts.append(made.run(DUE))

    threads = [Thread(target=start, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 1]
    assert periods(stores[0]) == ["2026-W10"]


def test_by_hand_nobody_gets_twice_what_the_calendar_sent_unless_asked_to(store: Store) -> None:
    whole_week(store)
    made = job(store, ANA, BEN)
    with store.read() as work:
        digest = digest_of(work, WEEK, owner_of=lambda _, __: "", now=DUE - HOUR, late_by=timedelta(0))
    assert [issue.edition for issue in made.send_now(digest, [ANA], again=False)] == [ANA]
    made.run(DUE - HOUR)
    assert made.run(DUE) == 1  # Ben's
    assert made.send_now(digest, [ANA, BEN], again=False) == []
    assert len(made.send_now(digest, [BEN], again=True)) == 1
    assert [recipient for recipient, _, _ in outbox(store)] == ["ana@example.com", "ben@example.com", "ben@example.com"]
    assert len({number for _, _, number in outbox(store)}) == 3


def test_the_figures_of_a_digest_sent_a_week_ago_are_let_go_and_it_is_not_sent_again(store: Store) -> None:
    whole_week(store)
    job(store).run(DUE - HOUR)
    job(store).run(DUE)
    with store.write() as work:
        work.outbox._connection.execute(text("UPDATE outbox SET status = 'sent', sent_at = due_at"))
    sizes = []
    for now in (DUE + DAY, DUE + 9 * DAY):
        prune(store, retain=35 * DAY, now=now)
        with store.read() as work:
            sizes.append(work.outbox._connection.execute(text("SELECT length(payload) FROM outbox")).scalars().all())
    assert sizes[0][0] > 500
    assert sizes[1] == [2]
    assert job(store).run(DUE + DAY) == 0
