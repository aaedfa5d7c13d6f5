"""A database of an earlier version goes on where it was."""

from sqlalchemy import text

from flowy_watch.core.alert import Change
from flowy_watch.core.notification import Notification
from flowy_watch.store import Store
from flowy_watch.store.codec import dump_finding
from flowy_watch.store.migrations import upgrade
from tests.builders import MINUTE, NOON, finding


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
        work.outbox.claim("ops", until=NOON + MINUTE)  # nobody can read its payload: buried, and the others go on
        assert not work.outbox.composed("ops")
    store.close()
