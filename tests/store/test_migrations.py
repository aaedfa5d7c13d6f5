"""A database of an earlier version goes on where it was."""

from datetime import datetime

from sqlalchemy import text

from flowy_watch.core.alert import Change
from flowy_watch.core.notification import Notification
from flowy_watch.store import Store
from flowy_watch.store.codec import dump_finding
from flowy_watch.store.migrations import upgrade
from tests.builders import HOUR, MINUTE, NOON, credit, finding
from tests.jobs.rigs import Rig


def test_what_an_earlier_version_was_sending_may_have_arrived_and_stays_one_message(empty_url: str) -> None:
    store = Store(empty_url)
    with store.write() as work:
        upgrade(work.outbox._connection, "0002")
    with store.database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO alerts (fingerprint, kind, key_name, severity, status, level, told_level, title,"
                " opened_at, last_seen_at, acknowledged_by, finding)"
                " VALUES ('f', 'cap', '', 'warning', 'open', 1, 0, 't', :at,"
                " :at, '', :finding)"
            ),
            {"at": "2026-11-24 12:00:00.000000", "finding": dump_finding(finding())},
        )
        for number, (channel, status, tries) in enumerate(
            [("ops", "sent", 1), ("ops", "waiting", 1), ("ops", "waiting", 0), ("mail", "withheld", 0)], 1
        ):
            connection.execute(
                text(
                    "INSERT INTO outbox (id, alert_id, channel, change, status, created_at, due_at, tries, remote_id,"
                    " reason, payload) VALUES (:id, 1, :channel, 'opened', :status, :at, :at, :tries, '', '', '{}')"
                ),
                {
                    "id": f"n{number}",
                    "channel": channel,
                    "status": status,
                    "tries": tries,
                    "at": "2026-11-24 12:00:00.000000",
                },
            )
    store.migrate()
    with store.read() as work:
        rows = work.outbox.story(1)
    assert [(row.id, row.carrier, row.doubtful, row.sent_at is not None) for row in rows] == [
        ("n1", "", False, False),
        ("n2", "n2", True, False),
        ("n3", "", False, False),
        ("n4", "", False, True),
    ]
    with store.write() as work:
        known = work.alerts.get(1)
        assert known
        work.outbox.add([Notification("mail", Change.RESOLVED, known, NOON)])
        (notice,) = work.outbox.loose("mail")
        assert notice.heard
        assert work.outbox.composed("ops")
        work.outbox.claim(
            "ops", now=NOON, until=NOON + MINUTE
        )  # nobody can read its payload: buried, and the others go on
        assert not work.outbox.composed("ops")
    store.close()


def test_what_was_watched_before_days_were_counted_by_the_hour_is_known_after_it(empty_url: str) -> None:
    store = Store(empty_url)
    with store.write() as work:
        upgrade(work.outbox._connection, "0009")
    with store.database.write() as connection:
        polls = [NOON - n * HOUR for n in (3, 2, 1)]
        for statement, rows in (
            (
                "INSERT INTO polls (kind, taken_at, outcome, reason, refused, keys, skipped)"
                " VALUES ('live', :at, 'good', '', false, 1, 0)",
                [{"at": _written(at)} for at in polls],
            ),
            (
                "INSERT INTO keys (key_id, name, last_four, first_seen_at) VALUES ('key_1', 'render', 'a1b2', :at)",
                [{"at": _written(polls[0])}],
            ),
            (
                "INSERT INTO snapshots (poll_id, key_no, spent_microcredits, daily_cap_microcredits, status)"
                " VALUES (:poll, 1, :spent, :cap, 'active')",
                [{"poll": n, "spent": credit(10 * n), "cap": credit(100)} for n in (1, 2, 3)],
            ),
            (
                "INSERT INTO daily_snapshots (day, key_no, spent_microcredits, daily_cap_microcredits, status, polls,"
                " last_taken_at, complete) VALUES (:day, 1, :spent, :cap, 'active', 3, :at, false)",
                [{"day": NOON.date(), "spent": credit(30), "cap": credit(100), "at": _written(polls[-1])}],
            ),
            ("INSERT INTO balances (taken_at, balance_microcredits) VALUES (:at, 5000000)", [{"at": _written(NOON)}]),
            (
                "INSERT INTO history_states (key_no, as_of, state, baseline) VALUES (:key, :at, '{}', :baseline)",
                [{"key": key, "at": _written(polls[0]), "baseline": b"of another version"} for key in (0, 1)],
            ),
        ):
            connection.execute(text(statement), rows)
    store.migrate()
    rig = Rig(store)
    for at, spent in ((NOON, 40), (NOON + MINUTE, 97), (NOON + HOUR, 98)):
        assert rig.spend(at, spent).outcome == "good"
    assert rig.told() == [("cap", "opened", 95)]
    with store.read() as work:
        (day,) = work.usage.keys_today(NOON.date())
        assert (day.spent_microcredits, day.polls, day.last_four) == (credit(98), 6, "a1b2")
        (history,) = work.usage.load_watch().histories.values()
        assert (history.first_at, history.total) == (polls[0], credit(98 - 10))
    store.close()


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.000000"
