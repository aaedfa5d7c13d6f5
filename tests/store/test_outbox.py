"""The outbox: in order, one worker at a time, nothing lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sqlalchemy import text

from flowy_watch.core.alert import Change
from flowy_watch.core.bundle import Form
from flowy_watch.core.notification import Manner, Notification, Told
from flowy_watch.store import Claimed, Page, Store, Work
from flowy_watch.store.codec import dump_notification, load_notification
from tests.builders import DAY, HOUR, MINUTE, NOON, alert, opened


def put(store: Store, *channels: str, alert_id: int = 0, **more: Any) -> None:
    """One waiting notification per channel named, each of an alert of its own unless one is named."""
    with store.write() as work:
        for name in channels:
            known = work.alerts.get(alert_id) if alert_id else None
            period = f"{len(work.alerts.all())}"
            told = known or work.alerts.record([opened(id=0, period=period)])[0].alert
            work.outbox.add([Notification(name, Change.OPENED, told, **({"created_at": NOON} | more))])


def compose(work: Work, channel: str, *, together: bool = False) -> None:
    waiting = work.outbox.loose(channel)
    if together:
        work.outbox.compose([Page(Form.ROUNDUP, tuple(waiting), "many")])
    elif waiting:
        work.outbox.compose([Page(Form.ALONE, (waiting[0],))])


def claim(store: Store, channel: str = "ops", at: datetime = NOON, *, together: bool = False) -> Claimed | None:
    with store.write() as work:
        due_at = work.outbox.next_due(channel)
        if due_at is None or due_at > at:
            return None
        if not work.outbox.composed(channel):
            compose(work, channel, together=together)
        return work.outbox.claim(channel, now=at, until=at + MINUTE)


def sent(store: Store, claimed: Claimed | None, remote_id: str = "") -> Claimed:
    assert claimed is not None
    with store.write() as work:
        work.outbox.sent(claimed, at=NOON, remote_id=remote_id)
    return claimed


def test_a_notification_comes_back_equal_with_an_identity_of_its_own(store: Store) -> None:
    put(store, "ops", owner="ada", note="why now", also=("another",), also_ids=(7,), manner=Manner.IN_PLACE)
    claimed = claim(store)
    assert claimed is not None
    assert claimed.notification == Notification(
        "ops",
        Change.OPENED,
        alert(period="0"),
        NOON,
        "ada",
        manner=Manner.IN_PLACE,
        note="why now",
        also=("another",),
        also_ids=(7,),
    )
    assert (claimed.tries, claimed.doubtful, claimed.created_at, claimed.earlier) == (1, False, NOON, "")
    assert (claimed.form, claimed.headline, [notice.outbox_id for notice in claimed.notices]) == (
        Form.ALONE,
        "",
        [claimed.outbox_id],
    )


def test_notifications_are_claimed_in_the_order_they_were_put(store: Store) -> None:
    put(store, "ops", "mail", "ops", owner="first")
    put(store, "ops", owner="last")
    owners = []
    while claimed := claim(store):
        owners.append(sent(store, claimed).notification.owner)
    assert owners == ["first", "first", "last"]


def test_a_leased_notification_is_nobody_elses_until_the_lease_ends(store: Store) -> None:
    put(store, "ops", "ops")
    first = claim(store)
    assert first is not None
    assert claim(store) is None
    again = claim(store, at=NOON + MINUTE)
    assert again is not None
    assert (again.outbox_id, again.tries, again.doubtful) == (first.outbox_id, 2, True)


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
        work.outbox.loosen("ops", due_at=NOON + HOUR, reason="429")
        assert work.outbox.next_due("ops") == NOON + HOUR
    put(store, "ops")
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
        work.outbox.dead([first.outbox_id], at=NOON, reason="channel_not_found")
        assert [(row.id, row.reason) for row in work.outbox.dead_letters()] == [(first.outbox_id, "channel_not_found")]
    second = claim(store)
    assert second is not None
    assert second.outbox_id != first.outbox_id


def test_the_next_notification_knows_what_was_delivered_last_on_its_channel(store: Store) -> None:
    put(store, "ops", "mail", alert_id=1)
    put(store, "ops", "ops", alert_id=1)
    for remote_id in ("1712.1", ""):
        sent(store, claim(store), remote_id)
    third, mail = claim(store), claim(store, "mail")
    assert third is not None
    assert mail is not None
    assert (third.earlier, third.notices[0].heard) == ("1712.1", True)
    assert (mail.earlier, mail.notices[0].heard) == ("", False)


def test_a_message_about_many_is_claimed_whole_and_keeps_its_carrier_and_its_first_line(store: Store) -> None:
    put(store, "ops", "ops", "ops")
    first = claim(store, together=True)
    put(store, "ops")
    again = claim(store, at=NOON + MINUTE)
    assert first is not None
    assert again is not None
    assert (again.outbox_id, again.headline, again.notifications) == (first.outbox_id, "many", first.notifications)
    assert len(again.notices) == 3
    assert len(sent(store, again, "1712.1").notices) == 3
    with store.read() as work:
        stories = [row for number in (1, 2, 3, 4) for row in work.outbox.story(number)]
    assert [(row.status, row.remote_id, row.reason) for row in stories] == [
        *[("sent", "", "grouped into a roundup of 3 alerts")] * 3,
        ("waiting", "", ""),
    ]


def test_pages_are_sent_in_their_order_before_all_that_came_later(store: Store) -> None:
    put(store, "ops", "ops", "ops", "ops")
    with store.write() as work:
        first, second, third, fourth = work.outbox.loose("ops")
        work.outbox.compose([Page(Form.ROUNDUP, (fourth, second)), Page(Form.ROUNDUP, (first, third))])
    put(store, "ops")
    carried = []
    while claimed := claim(store):
        carried.append([notice.outbox_id for notice in sent(store, claimed).notices])
    assert carried[:2] == [[fourth.outbox_id, second.outbox_id], [first.outbox_id, third.outbox_id]]
    assert len(carried) == 3


def test_what_was_not_taken_is_loose_again_with_the_pause_and_the_reason(store: Store) -> None:
    put(store, "ops", "ops")
    assert claim(store, together=True)
    with store.write() as work:
        work.outbox.loosen("ops", due_at=NOON + HOUR, reason="503")
        assert not work.outbox.composed("ops")
        assert [(row.reason, row.tries, row.doubtful) for row in work.outbox.story(1)] == [("503", 1, False)]
    again = claim(store, at=NOON + HOUR)
    assert again is not None
    assert (len(again.notices), again.tries, again.doubtful) == (1, 2, False)


def test_what_another_version_wrote_and_nobody_can_read_is_buried_and_holds_up_nothing(store: Store) -> None:
    put(store, "ops", "ops", "ops")
    assert claim(store, together=True)
    with store.database.write() as connection:
        connection.execute(text("UPDATE outbox SET payload = '{}' WHERE seq = 1"))
    assert claim(store, at=NOON + MINUTE) is None
    again = claim(store, at=NOON + MINUTE, together=True)
    assert again is not None
    assert len(again.notices) == 2
    with store.read() as work:
        assert [row.reason for row in work.outbox.dead_letters()] == [
            "written by another version, which this one cannot read"
        ]


def test_one_process_at_a_time_may_send_on_a_channel(store: Store, open_store: Callable[[], Store]) -> None:
    other = open_store()
    with store.sending("ops") as mine, other.sending("ops") as theirs, other.sending("mail") as another:
        assert (mine, theirs, another) == (True, False, True)
    with other.sending("ops") as theirs:
        assert theirs


def test_a_failing_channel_is_one_on_which_a_notice_died_since_it_last_worked(store: Store) -> None:
    put(store, "ops", "ops", "ops")
    with store.write() as work:
        assert not work.outbox.fails("ops")
        ids = [row.id for number in (1, 2) for row in work.outbox.story(number)]
        work.outbox.dead(ids, at=NOON - HOUR, reason="gone")
        assert (work.outbox.fails("ops"), work.outbox.undelivered("ops"), work.outbox.fails("mail")) == (True, 2, False)
    sent(store, claim(store))
    with store.read() as work:
        assert (work.outbox.fails("ops"), work.outbox.undelivered("ops")) == (False, 0)


def test_a_withheld_notification_is_in_the_story_and_is_never_claimed(store: Store) -> None:
    put(store, "ops", withheld="silence 1 on *")
    assert claim(store) is None
    with store.read() as work:
        assert [(row.status, row.reason) for row in work.outbox.story(1)] == [("withheld", "silence 1 on *")]
        assert work.outbox.next_due("ops") is None


def test_adding_says_how_many_wait_to_be_sent(store: Store) -> None:
    put(store, "mail")
    with store.write() as work:
        told, held = (Notification("ops", Change.OPENED, alert(), NOON, withheld=why) for why in ("", "silenced"))
        assert work.outbox.add([told, held, told]) == 2
        assert work.outbox.add([]) == 0
        assert work.outbox.counts() == {("mail", "waiting"): 1, ("ops", "waiting"): 2, ("ops", "withheld"): 1}


def test_pruning_forgets_old_notices_but_none_that_wait_or_died(store: Store) -> None:
    put(store, *["ops"] * 3)
    put(store, "ops", withheld="silenced")
    put(store, "ops", created_at=NOON + 2 * DAY, withheld="silenced")
    sent(store, claim(store), "1")
    dead = claim(store)
    assert dead is not None
    with store.write() as work:
        work.outbox.dead([dead.outbox_id], at=NOON, reason="gone")
        assert work.outbox.prune(NOON + DAY) == 2
        assert work.outbox.counts() == {("ops", "waiting"): 1, ("ops", "dead"): 1, ("ops", "withheld"): 1}


def test_the_quietness_that_older_versions_wrote_is_read_as_a_manner() -> None:
    known = dump_notification(Notification("ops", Change.RESOLVED, alert(), NOON))
    assert known.pop("manner") == "post"
    for quiet, manner in ((True, Manner.IN_PLACE), (False, Manner.POST)):
        assert load_notification(known | {"quiet": quiet}).manner is manner


def test_who_was_told_of_an_alert_is_known_from_what_waits_and_what_was_sent(store: Store) -> None:
    put(store, "ops", "mail")
    sent(store, claim(store, "mail"))
    with store.write() as work:
        known = work.alerts.get(1)
        assert known is not None
        work.outbox.add([Notification("hook", Change.OPENED, known, NOON, withheld="silenced")])
        work.outbox.add([Notification("ops", Change.ACKNOWLEDGED, known, NOON + HOUR)])
        waits, told = Told(NOON, reached=True, stands=True), Told(NOON, reached=True, stands=False)
        assert work.outbox.past([1, 2, 3]) == {1: {"ops": waits}, 2: {"mail": told}}
        work.outbox.dead([row.id for row in work.outbox.story(1) if row.channel == "ops"], at=NOON, reason="gone")
        assert work.outbox.past([1]) == {1: {"ops": Told(NOON, reached=False, stands=False)}}
