"""A revoke is checked, by use: two polls without confirm it, any use breaks it, and a quiet day closes the alert."""

from datetime import datetime

import pytest

from flowy_watch import actions
from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.bundle import Form
from flowy_watch.core.stop import Stop
from flowy_watch.core.usage import CREDIT, KeyStatus
from flowy_watch.errors import NotFound
from flowy_watch.store import Page, Store
from tests.builders import DAY, HOUR, MINUTE, NOON, snapshot

from .rigs import TELLING, Rig

POLL = 5 * MINUTE
REVOKED = {"status": KeyStatus.REVOKED}


@pytest.fixture
def breached(store: Store) -> Rig:
    """A key at 97 % of its cap, last used at noon."""
    rig = Rig(store, "cap", "last_used")
    rig.spend(NOON, 40, used=NOON)
    rig.spend(NOON + POLL, 97, used=NOON + MINUTE)
    assert rig.told() == [("cap", "opened", 95)]
    return rig


def test_a_revoke_that_holds_is_told_with_the_second_poll_that_sees_it(breached: Rig) -> None:
    breached.spend(NOON + 2 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    assert breached.told() == [("cap", "opened", 95)]
    breached.spend(NOON + 3 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    assert breached.told() == [("cap", "opened", 95), ("cap", "stopped", 95)]
    assert breached.unresolved() == ["cap"]


def test_it_says_since_when_the_key_is_quiet(breached: Rig, store: Store) -> None:
    for n in (2, 3):
        breached.spend(NOON + n * POLL, 97, used=NOON + MINUTE, **REVOKED)
    with store.read() as work:
        (alert,) = work.alerts.all()
        whys = [row.why for row in work.alerts.story(alert.id)]
        notes = [row.payload["note"] for row in work.outbox.story(alert.id)]
    assert whys[-1] == notes[-1]
    assert whys[-1].startswith(
        "Flowy shows it revoked at 2026-03-02 12:10 UTC, and it is quiet since 2026-03-02 12:01 UTC; "
    )


def test_runs_that_are_charged_after_the_revoke_do_not_hide_that_it_holds(breached: Rig) -> None:
    breached.spend(NOON + 2 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    breached.spend(NOON + 3 * POLL, 99, used=NOON + MINUTE, **REVOKED)
    assert breached.told()[-1] == ("cap", "stopped", 95)


def test_use_after_the_revoke_is_critical_and_not_a_stop(breached: Rig) -> None:
    breached.spend(NOON + 2 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    breached.spend(NOON + 3 * POLL, 98, used=NOON + 2 * POLL + MINUTE, **REVOKED)
    assert ("last_used", "opened", 2) in breached.told()
    assert "stopped" not in {change for _, change, _ in breached.told()}


def test_a_poll_that_cannot_see_the_key_confirms_nothing(breached: Rig) -> None:
    breached.spend(NOON + 2 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    breached.fail(NOON + 3 * POLL)
    assert [change for _, change, _ in breached.told()] == ["opened"]


def test_a_revoke_of_a_key_nobody_was_told_of_is_no_news(store: Store) -> None:
    rig = Rig(store, "cap", "spike", "last_used")
    for n in range(4):
        rig.spend(NOON + n * POLL, 40, used=NOON, **(REVOKED if n else {}))
    assert rig.told() == []


def report(rig: Rig, at: datetime = NOON + POLL + MINUTE, alert_id: int = 1, by: str = "ana") -> list[Alert]:
    return actions.report_stop(rig.store, alert_id, by=by, why="", telling=TELLING, now=at)


def alert_of(rig: Rig, alert_id: int = 1) -> Alert:
    with rig.store.read() as work:
        found = work.alerts.get(alert_id)
    assert found
    return found


def stop_of(rig: Rig) -> Stop:
    stop = alert_of(rig).stop
    assert stop
    return stop


def changes(rig: Rig) -> list[str]:
    return [change for _, change, _ in rig.told()]


def test_a_report_takes_on_every_open_alert_of_the_key_and_no_other(breached: Rig) -> None:
    quiet, other = snapshot(97, cap=100, used=NOON + MINUTE), snapshot(99, cap=100, key_id="key_2", name="other")
    breached.poll(NOON + 2 * POLL, quiet, other)
    (taken,) = report(breached, NOON + 2 * POLL + MINUTE)
    assert (taken.id, taken.status, taken.acknowledged_by) == (1, Status.ACKNOWLEDGED, "ana")
    assert (alert_of(breached, 2).status, alert_of(breached, 2).stop) == (Status.OPEN, None)


def test_a_reported_revoke_is_confirmed_by_the_second_poll_after_it(breached: Rig) -> None:
    report(breached)
    breached.spend(NOON + 2 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    assert "stopped" not in changes(breached)
    breached.spend(NOON + 3 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    assert changes(breached)[-1] == "stopped"
    assert stop_of(breached).words == (
        "ana reported it revoked at 2026-03-02 12:06 UTC, and it is quiet since 2026-03-02 12:01 UTC"
    )


def test_what_is_charged_after_a_report_is_no_use_and_no_news(breached: Rig) -> None:
    report(breached)
    for n, spent in ((2, 98), (3, 100), (4, 100)):
        breached.spend(NOON + n * POLL, spent, used=NOON + MINUTE)
    assert [change for change in changes(breached) if change != "stop_reported"] == ["opened", "stopped"]
    assert alert_of(breached).level == 100


def test_a_quiet_key_that_is_still_listed_as_active_is_not_called_safe(breached: Rig) -> None:
    report(breached)
    for n in (2, 3):
        breached.spend(NOON + n * POLL, 97, used=NOON + MINUTE)
    assert stop_of(breached).words.endswith("; but Flowy still lists it as active")
    breached.spend(NOON + 4 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    assert not stop_of(breached).still_listed


@pytest.mark.parametrize("polls_before", [0, 1, 5])
def test_a_use_after_the_report_is_told_once_as_critical_also_after_it_was_confirmed(
    breached: Rig, polls_before: int
) -> None:
    report(breached)
    for n in range(2, 2 + polls_before):
        breached.spend(NOON + n * POLL, 97, used=NOON + MINUTE)
    before, n = changes(breached), 2 + polls_before
    for more in range(3):
        at = NOON + (n + more) * POLL
        breached.spend(at, 98 + more / 2, used=at - MINUTE)
    assert changes(breached)[len(before) :] == ["stop_failed"]
    alert = alert_of(breached)
    assert (alert.status, alert.finding.severity.word, alert.acknowledged_by) == (Status.OPEN, "critical", "")
    assert "the wrong key, or the revoke did not hold" in stop_of(breached).words


def test_a_second_report_after_a_failed_one_begins_anew(breached: Rig) -> None:
    report(breached)
    breached.spend(NOON + 2 * POLL, 98, used=NOON + 2 * POLL - MINUTE)
    report(breached, NOON + 2 * POLL + MINUTE, by="ben")
    for n in (3, 4):
        breached.spend(NOON + n * POLL, 98, used=NOON + 2 * POLL - MINUTE, **REVOKED)
    assert changes(breached)[-1] == "stopped"
    assert (stop_of(breached).by, stop_of(breached).used_at) == ("ben", None)


def test_polls_that_fail_or_do_not_list_the_key_neither_confirm_nor_deny(breached: Rig) -> None:
    report(breached)
    breached.fail(NOON + 2 * POLL)
    for n in (3, 4, 5):
        breached.poll(NOON + n * POLL, snapshot(1, key_id="key_2", name="other"))
    breached.spend(NOON + 6 * POLL, 97, used=NOON + MINUTE, **REVOKED)
    assert (stop_of(breached).looks, changes(breached)) == (1, ["opened"])


def test_where_only_spend_tells_of_use_what_still_ran_is_excused_for_a_while(store: Store) -> None:
    rig = Rig(store, "cap")
    rig.spend(NOON, 40)
    rig.spend(NOON + POLL, 96)
    report(rig)
    rig.spend(NOON + 2 * POLL, 97)  # charged five minutes later: neither quiet nor used
    assert (stop_of(rig).looks, stop_of(rig).used_at) == (0, None)
    for n in (3, 4):
        rig.spend(NOON + n * POLL, 97)
    assert changes(rig)[-1] == "stopped"
    rig.spend(NOON + 6 * POLL, 98)
    assert changes(rig)[-1] == "stop_failed"


def test_a_source_whose_clock_is_ahead_is_read_by_ours(breached: Rig) -> None:
    report(breached)  # 12:06 here; the key's last use at 12:04 is 12:09 by the source
    quiet = snapshot(98, cap=100, used=NOON + 9 * MINUTE)
    for n in (2, 3):
        breached.poll(NOON + n * POLL, quiet, clock_offset=5 * MINUTE)
    assert (changes(breached)[-1], stop_of(breached).quiet_since) == ("stopped", NOON + 4 * MINUTE)


def test_after_a_quiet_day_the_alert_closes_with_its_loss_and_its_times(store: Store) -> None:
    rig = Rig(store, "cap")
    for day, spent in ((3, 20), (2, 30), (1, 40)):  # a usual day is 30 credits
        rig.spend(NOON - day * DAY, spent, used=NOON - day * DAY)
    rig.spend(NOON, 40, used=NOON)
    rig.spend(NOON + POLL, 90, used=NOON + POLL)
    with store.write() as work:
        (notice,) = work.outbox.loose("ops")
        work.outbox.compose([Page(Form.ALONE, (notice,))])
        claimed = work.outbox.claim("ops", now=NOON, until=NOON + HOUR)
        assert claimed
        work.outbox.sent(claimed, at=NOON + POLL + MINUTE, remote_id="1")
    report(rig, NOON + 2 * POLL + MINUTE)
    last_use = NOON + 2 * POLL
    for minutes in (15, 20, 24 * 60 + 10):
        today = 97 if minutes < 24 * 60 else 0
        rig.spend(NOON + minutes * MINUTE, today, used=last_use, **REVOKED)
        assert alert_of(rig).status is Status.ACKNOWLEDGED
    rig.spend(NOON + DAY + 3 * POLL, 0, used=last_use, **REVOKED)
    alert, toll = alert_of(rig), stop_of(rig).toll
    assert (alert.status, changes(rig)[-1]) == (Status.RESOLVED, "resolved")
    assert toll
    assert (toll.loss, toll.beyond_usual) == (67 * CREDIT, True)
    assert (toll.detected_after, toll.stopped_after) == (MINUTE, POLL)
    with store.read() as work:
        assert work.alerts.story(1)[-1].why.endswith(
            "67 credits above its usual days; told 60 s after the first odd use; last used 5 min after it opened"
        )


def test_a_failed_stop_outlives_the_cap_day_and_closes_once_nobody_uses_the_key(breached: Rig) -> None:
    report(breached)
    used = NOON + 2 * POLL - MINUTE
    breached.spend(NOON + 2 * POLL, 98, used=used)
    for hours in (6, 14, 23):
        breached.spend(NOON + hours * HOUR, 98 if hours < 12 else 0, used=used)
        assert breached.unresolved() == ["cap"]
    breached.spend(NOON + DAY + 2 * POLL, 0, used=used)
    assert breached.unresolved() == []


def test_only_the_alert_of_a_key_can_be_reported_as_revoked(store: Store) -> None:
    rig = Rig(store, "blind")
    for n in range(3):
        rig.fail(NOON + n * POLL)
    with pytest.raises(NotFound, match="is about no key"):
        report(rig)
    with pytest.raises(NotFound, match="there is no alert 7"):
        report(rig, alert_id=7)
