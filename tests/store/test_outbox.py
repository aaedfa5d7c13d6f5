"""The outbox: in order, one worker at a time, nothing lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from flowy_watch.core.alert import Change
from flowy_watch.core.notification import Notification
from flowy_watch.store import Claimed, Store
from tests.builders import DAY, HOUR, MINUTE, NOON, alert, opened


def put(store: Store, *channels: str, **more: Any) -> None:
    """One waiting notification per channel named, all of one alert."""
    with store.write() as work:
        if not work.alerts.get(1):
            work.alerts.record([opened(id=0)])
        given = {"created_at": NOON} | more
        work.outbox.add(Notification(name, Change.OPENED, alert(), **given) for name in channels)


def claim(store: Store, channel: str = "ops", at: datetime = NOON) -> Claimed | None:
    with store.write() as work:
        return work.outbox.claim(channel, now=at, until=at + MINUTE)


def test_a_notification_comes_back_equal_with_an_identity_of_its_own(store: Store) -> None:
    put(store, "ops", owner="ada", note="why now", also=("another",), quiet=True)
    claimed = claim(store)
    assert claimed is not None
    assert claimed.notification == Notification(
        "ops", Change.OPENED, alert(), NOON, "ada", quiet=True, note="why now", also=("another",)
    )
    assert (claimed.alert_id, claimed.tries, claimed.created_at, claimed.earlier) == (1, 1, NOON, "")


def test_notifications_are_claimed_in_the_order_they_were_put(store: Store) -> None:
    put(store, "ops", "mail", "ops", owner="first")
    put(store, "ops", owner="last")
    owners = []
    while claimed := claim(store):
        owners.append(claimed.notification.owner)
        with store.write() as work:
            work.outbox.sent(claimed.outbox_id, at=NOON, remote_id="")
    assert owners == ["first", "first", "last"]


def test_a_leased_notification_is_nobody_elses_until_the_lease_ends(store: Store) -> None:
    put(store, "ops", "ops")
    first = claim(store)
    assert first is not None
    assert claim(store) is None
    again = claim(store, at=NOON + MINUTE)
    assert again is not None
    assert (again.outbox_id, again.tries) == (first.outbox_id, 2)


def test_of_many_workers_at_once_one_gets_the_notification(store: Store, open_store: Callable[[], Store]) -> None:
    put(store, "ops")
    stores = [open_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        claimed = [one for one in pool.map(claim, stores) if one]
    assert len(claimed) == 1


def test_younger_notifications_wait_behind_one_that_is_to_be_tried_later(store: Store) -> None:
    put(store, "ops", "ops", "mail")
    first = claim(store)
    assert first is not None
    with store.write() as work:
        work.outbox.later(first.outbox_id, due_at=NOON + HOUR, reason="429")
        assert work.outbox.next_due("ops") == NOON + HOUR
    assert claim(store, at=NOON + HOUR - MINUTE) is None
    assert claim(store, "mail") is not None
    again = claim(store, at=NOON + HOUR)
    assert again is not None
    assert (again.outbox_id, again.tries) == (first.outbox_id, 2)


def test_a_dead_notification_is_kept_with_its_reason_and_lets_the_next_one_through(store: Store) -> None:
    put(store, "ops", "ops")
    first = claim(store)
    assert first is not None
    with store.write() as work:
        work.outbox.dead(first.outbox_id, reason="channel_not_found")
        assert [(row.id, row.reason) for row in work.outbox.dead_letters()] == [(first.outbox_id, "channel_not_found")]
    second = claim(store)
    assert second is not None
    assert second.outbox_id != first.outbox_id


def test_the_next_notification_knows_what_was_delivered_last_on_its_channel(store: Store) -> None:
    put(store, "ops", "mail", "ops", "ops")
    for remote_id in ("1712.1", ""):
        claimed = claim(store)
        assert claimed is not None
        with store.write() as work:
            work.outbox.sent(claimed.outbox_id, at=NOON, remote_id=remote_id)
    third, mail = claim(store), claim(store, "mail")
    assert third is not None
    assert mail is not None
    assert (third.earlier, mail.earlier) == ("1712.1", "")


def test_a_withheld_notification_is_in_the_story_and_is_never_claimed(store: Store) -> None:
    put(store, "ops", withheld="silence 1 on *")
    assert claim(store) is None
    with store.read() as work:
        assert [(row.status, row.reason) for row in work.outbox.story(1)] == [("withheld", "silence 1 on *")]
        assert work.outbox.next_due("ops") is None


def test_adding_says_how_many_wait_to_be_sent(store: Store) -> None:
    put(store)
    with store.write() as work:
        told, held = (Notification("ops", Change.OPENED, alert(), NOON, withheld=why) for why in ("", "silenced"))
        assert work.outbox.add([told, held, told]) == 2
        assert work.outbox.add([]) == 0
        assert work.outbox.counts() == {("ops", "waiting"): 2, ("ops", "withheld"): 1}


def test_pruning_forgets_old_notices_but_none_that_wait_or_died(store: Store) -> None:
    put(store, *["ops"] * 3)
    put(store, "ops", withheld="silenced")
    put(store, "ops", created_at=NOON + 2 * DAY, withheld="silenced")
    sent = claim(store)
    assert sent is not None
    with store.write() as work:
        work.outbox.sent(sent.outbox_id, at=NOON, remote_id="1")
    dead = claim(store)
    assert dead is not None
    with store.write() as work:
        work.outbox.dead(dead.outbox_id, reason="gone")
        assert work.outbox.prune(NOON + DAY) == 2
        assert work.outbox.counts() == {("ops", "waiting"): 1, ("ops", "dead"): 1, ("ops", "withheld"): 1}
