"""The figures of a period, added up by the database, are what was polled; and what was not is told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.digest import Facts, KeyFigures, Outcome, build
from flowy_watch.core.notification import Notification
from flowy_watch.core.period import Period
from flowy_watch.core.stop import Stop, Toll
from flowy_watch.core.usage import DAY, Answers, KeyStatus, Reading, Snapshot
from flowy_watch.store import Store
from flowy_watch.store.outbox import SENT
from flowy_watch.store.tables import OutboxRow
from flowy_watch.store.usage import FAILED, GOOD
from tests.builders import HOUR, credit, finding, reading, snapshot

WEEK = Period.parse("2026-W10")  # from 2 March 2026
START = WEEK.start_at
CLOSE = timedelta(hours=23, minutes=59, seconds=50)


def poll(store: Store, read: Reading) -> None:
    with store.write() as work:
        poll_id = work.usage.add_poll(read.taken_at, GOOD, keys=len(read.snapshots))
        work.usage.add_snapshots(poll_id, read, work.usage.numbers())


def close(store: Store, day: int, *snapshots: Snapshot, after: timedelta = CLOSE, **more: Any) -> None:
    """The poll that ends a day of the week; `day` may lie before it."""
    at = START + day * DAY + after
    poll(store, reading(*(one._replace(taken_at=at) for one in snapshots), at=at, **more))


def facts(store: Store, period: Period = WEEK) -> Facts:
    with store.read() as work:
        return work.digests.facts(period, earlier=4)


def only(store: Store) -> KeyFigures:
    (figures,) = facts(store).keys
    return figures


def other(spent: float = 0, **more: Any) -> Snapshot:
    return snapshot(spent, key_id="key_2", name="other", **more)


def test_how_often_runs_were_refused_is_known_of_keys_that_a_source_sees(store: Store) -> None:
    for day, capped in enumerate((3, 0, 4)):
        close(store, day, snapshot(10), other(5))
        with store.write() as work:
            answers = {"key_1": Answers(refused=1, capped=capped, throttled=2)}
            work.knowledge.note_answers(WEEK.first + day * DAY, answers, work.usage.numbers())
    by_name = {key.name: key.answers for key in facts(store).keys}
    assert by_name == {"render": Answers(3, 7, 6), "other": None}


def test_the_days_of_the_keys_add_up_to_the_days_of_the_workspace(store: Store) -> None:
    for day in range(-28, 7):
        close(store, day, snapshot(day + 30), other(0.5))
    found = facts(store)

    assert [sum(key.days[n] or 0 for key in found.keys) for n in range(7)] == [day.spent for day in found.days[-7:]]
    by_name = {key.name: key for key in found.keys}
    assert by_name["render"].spent == credit(sum(range(30, 37)))
    assert by_name["render"].earlier == tuple(credit(sum(range(n, n + 7))) for n in (23, 16, 9, 2))
    assert found.seen == [True] * 4
    assert len(found.days) == 35
    assert not any(day.missing for day in found.days)


def test_amounts_beyond_what_64_bits_hold_together_are_added_exactly(store: Store) -> None:
    most = 9 * 10**18
    for day in range(-7, 7):
        close(store, day, snapshot()._replace(spent=most), other()._replace(spent=most - 1))
    found = facts(store)
    assert [day.spent for day in found.days[-7:]] == [2 * most - 1] * 7
    assert {key.earlier[0] for key in found.keys} == {7 * most, 7 * most - 7}
    assert sum(key.spent for key in found.keys) == 14 * most - 7


def test_a_day_that_no_poll_closed_is_open_and_one_that_no_poll_saw_is_unseen(store: Store) -> None:
    for day in (0, 1, 3, 4, 5, 6):
        close(store, day, snapshot(10), after=CLOSE if day else timedelta(hours=12))
    found = facts(store)
    assert [(day.missing, day.unseen) for day in found.days[-7:-3]] == [
        (True, False), (False, False), (True, True), (False, False),
    ]  # fmt: skip
    (key,) = found.keys
    assert (key.days[2], key.open_days, key.spent) == (None, 1, credit(60))


def test_a_day_without_any_key_was_seen_all_the_same(store: Store) -> None:
    for day in range(7):
        close(store, day)
    found = facts(store)
    assert [(day.unseen, day.missing) for day in found.days[-7:]] == [(False, False)] * 7
    assert found.keys == []


def test_days_at_and_near_the_cap_are_counted_apart(store: Store) -> None:
    for day, spent in enumerate((100, 100, 95, 90, 89, 0, 0)):
        close(store, day, snapshot(spent, cap=100), other(0, cap=0))
    assert {(key.name, key.at_cap, key.near_cap) for key in facts(store).keys} == {("render", 2, 2), ("other", 0, 0)}


def test_a_keys_high_day_is_the_95th_percentile_of_four_weeks(store: Store) -> None:
    for day in range(-21, 7):
        close(store, day, snapshot(day + 22, cap=1000), other(5))
    highs = {key.name: key.usual_high for key in facts(store).keys}
    assert highs == {"render": credit(27), "other": None}  # 27 of 28 days are at most 27


def test_a_changed_cap_is_told_with_what_it_was_on_the_eve(store: Store) -> None:
    close(store, -1, snapshot(1, cap=100))
    close(store, 0, snapshot(1, cap=100))
    close(store, 3, snapshot(1))
    key = only(store)
    assert (key.cap_changed, key.cap_before, key.cap) == (True, credit(100), None)


def test_a_key_revoked_in_the_week_is_told_and_one_revoked_before_is_not(store: Store) -> None:
    close(store, -1, snapshot(1), other(1, status=KeyStatus.REVOKED))
    close(store, 6, snapshot(1, status=KeyStatus.REVOKED), other(0, status=KeyStatus.REVOKED))
    assert {key.name: (key.revoked, key.active) for key in facts(store).keys} == {
        "render": (True, False),
        "other": (False, False),
    }


def test_a_key_is_new_in_the_week_it_was_made_but_not_because_the_watch_began(store: Store) -> None:
    close(store, 0, snapshot(1), other(1, created_at=START - 90 * DAY))
    close(store, 2, snapshot(1), other(1), snapshot(1, key_id="key_3", name="fresh"))
    assert {key.name: key.new for key in facts(store).keys} == {"render": False, "other": False, "fresh": True}


def test_a_key_is_idle_by_its_last_use_and_where_that_is_not_told_by_its_spend(store: Store) -> None:
    end = WEEK.end_at
    used = (end - 29 * DAY, end - 31 * DAY, end - 46 * DAY, end - 400 * DAY)
    keys = [snapshot(0, key_id=f"k{n}", name=f"k{n}", used=at) for n, at in enumerate(used)]
    for day in range(-60, 7):
        close(store, day, *keys, other(float(day < -45)), snapshot(0.5))
    found = {key.name: key.idle_days for key in facts(store).keys}
    assert found == {"k0": 0, "k1": 30, "k2": 45, "k3": 90, "other": 45, "render": 0}


def test_the_balance_is_told_by_its_falls_and_rises_apart(store: Store) -> None:
    for day, balance in ((-1, 1000), (0, 900), (1, 1850), (2, 1800)):
        close(store, day, snapshot(100), balance=balance)
    found = facts(store).balance
    assert found
    assert (found.at_end, found.fell, found.rose) == (credit(1800), credit(150), credit(950))
    assert found.by_day[-8:-3] == (credit(1000), credit(900), credit(1850), credit(1800), None)


def test_hours_without_a_good_poll_are_counted_from_when_the_watch_began(store: Store) -> None:
    for hour in range(30, 168):
        if hour not in (40, 41, 100):
            poll(store, reading(snapshot(1, at=START + hour * HOUR), at=START + hour * HOUR))
    with store.write() as work:
        work.usage.add_poll(START + 100 * HOUR, FAILED, reason="503")
    assert facts(store).blind_hours == 3


def test_blind_hours_of_polls_that_were_forgotten_are_not_known(store: Store) -> None:
    for day in range(7):
        close(store, day, snapshot(1))
    with store.write() as work:
        work.usage.prune(START + 3 * DAY)
    assert facts(store).blind_hours is None
    assert only(store).spent == credit(7)


def opened(store: Store, *changes: Change, after: timedelta = HOUR, stop: Stop | None = None, **more: Any) -> int:
    """An alert of the week's first noon, and what happened to it, an hour apart."""
    at = START + 12 * HOUR
    with store.write() as work:
        first = Alert(0, finding(**more), Status.OPEN, 1, opened_at=at, last_seen_at=at)
        (told,) = work.alerts.record([Transition(first, Change.OPENED, at)])
        work.alerts.record(
            Transition(replace(told.alert, stop=stop), change, at + n * after) for n, change in enumerate(changes, 1)
        )
    return told.alert.id


def test_alerts_are_told_with_what_people_made_of_them(store: Store) -> None:
    noon = START + 12 * HOUR
    toll = Toll(credit(900), beyond_usual=True, detected_after=None, stopped_after=2 * HOUR)
    held = Stop(noon, looks=2, quiet_since=noon + 2 * HOUR, toll=toll)
    stopped = opened(store, Change.ACKNOWLEDGED, Change.STOPPED, stop=held, period="a")
    opened(store, Change.EXPECTED, Change.RESOLVED, period="b")
    opened(store, Change.DISMISSED, period="c")
    opened(store, period="d")
    opened(store, Change.ACKNOWLEDGED, period="e")
    found = facts(store).alerts
    assert [alert.outcome for alert in found] == [
        Outcome.STOPPED, Outcome.EXPECTED, Outcome.FALSE, Outcome.OPEN, Outcome.CONFIRMED,
    ]  # fmt: skip
    assert (found[0].id, found[0].stopped_after, found[0].cost) == (stopped, 2 * HOUR, credit(900))
    assert [alert.stopped_after for alert in found[1:]] == [None] * 4


def test_a_stop_that_did_not_hold_is_no_stop(store: Store) -> None:
    noon = START + 12 * HOUR
    broken = Stop(noon, looks=2, quiet_since=noon + HOUR, used_at=noon + 3 * HOUR)
    opened(store, Change.STOP_REPORTED, Change.STOPPED, Change.STOP_FAILED, stop=broken)
    (alert,) = facts(store).alerts
    assert (alert.outcome, alert.stopped_after, alert.cost) == (Outcome.CONFIRMED, None, None)


def test_the_time_to_detect_is_from_the_first_odd_use_to_the_first_notice(store: Store) -> None:
    noon = START + 12 * HOUR
    with store.write() as work:
        first = Alert(0, finding(), Status.OPEN, 1, opened_at=noon, last_seen_at=noon, began_at=noon - HOUR)
        (told,) = work.alerts.record([Transition(first, Change.OPENED, noon)])
        work.outbox.add([Notification("ops", Change.OPENED, told.alert, noon)])
    outbox = OutboxRow.__table__  # type: ignore[attr-defined]
    with store.database.write() as connection:
        connection.execute(update(outbox).values(status=SENT, sent_at=noon + HOUR))
    assert facts(store).alerts[0].detected_after == 2 * HOUR


def test_alerts_of_other_weeks_are_left_to_them(store: Store) -> None:
    opened(store)
    assert facts(store, WEEK.after()).alerts == []
    assert facts(store, WEEK.before()).alerts == []


def test_the_sum_of_the_weeks_is_the_sum_of_the_days_is_the_database(store: Store) -> None:
    for day in range(0, 56):
        close(store, day, snapshot(day * 1.1), other(0.000001))
    weeks, period = [], WEEK
    for _ in range(8):
        weeks.append(
            build(facts(store, period), period, owner_of=lambda _, __: "", now=period.end_at, late_by=timedelta(0))
        )
        period = period.after()
    with store.read() as work:
        stored = sum(row.spent_microcredits for row in work.usage.daily())
    assert sum(week.total for week in weeks) == sum(day.spent for week in weeks for day in week.days[-7:]) == stored
