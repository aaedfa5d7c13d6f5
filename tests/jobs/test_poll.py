"""One poll, from reading to outbox."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from flowy_watch.actions import acknowledge, resolve, silence, unsilence
from flowy_watch.core.usage import KeyStatus
from flowy_watch.errors import CredentialRefused, Interrupted, NotFound, StoreError
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, snapshot

from .rigs import TELLING, Rig

POLL = 5 * MINUTE
CAPS = [("cap", "opened", 80), ("cap", "escalated", 95), ("cap", "escalated", 100)]
MORNING = MIDNIGHT - DAY


def ramp(rig: Rig, start: datetime = MORNING) -> None:

    for n in range(101):
        rig.spend(start + n * POLL, n)


def test_a_ramp_to_the_cap_is_told_once_per_level(rig: Rig) -> None:
    ramp(rig)
    assert rig.told() == CAPS


def test_a_jump_over_several_levels_is_told_once_as_the_highest(rig: Rig) -> None:
    rig.spend(NOON, 40)
    rig.spend(NOON + POLL, 97)
    rig.spend(NOON + 2 * POLL, 98)
    assert rig.told() == [("cap", "opened", 95)]


def test_a_poll_that_the_end_of_its_process_cut_short_says_nothing_of_the_source(rig: Rig) -> None:
    rig.job.leaving.set()
    rig.spend(NOON, 40)  # what came in whole is recorded all the same
    with pytest.raises(Interrupted):
        rig.fail(NOON + POLL)
    with rig.store.read() as work:
        assert [poll.outcome for poll in work.usage.last_polls(9)] == ["good"]


def test_a_breach_is_told_again_on_each_of_the_next_two_days(rig: Rig) -> None:
    for day in range(3):
        ramp(rig, MORNING + day * DAY)
    assert rig.told() == CAPS * 3


def test_a_breach_of_yesterday_ends_after_midnight_without_a_word(rig: Rig) -> None:
    rig.spend(MIDNIGHT - POLL, 85)
    rig.spend(MIDNIGHT, 0)
    assert (rig.unresolved(), rig.told()) == ([], [("cap", "opened", 80)])
    assert rig.withheld() == [("resolved", "it ended by the calendar, which is no news")]


def test_yesterdays_counter_shown_after_midnight_opens_nothing(rig: Rig) -> None:
    rig.spend(MIDNIGHT - POLL, 79, used=MIDNIGHT - 2 * POLL)
    for n in range(3):
        polled = rig.spend(MIDNIGHT + n * POLL, 79, cap=90, used=MIDNIGHT - 2 * POLL)
        assert (polled.outcome, polled.keys) == ("failed", 0)
    assert rig.spend(MIDNIGHT + 3 * POLL, 0).outcome == "good"
    assert [kind for kind, _, _ in rig.told()] == ["blind", "blind"]


def test_an_hour_of_a_failing_source_is_one_blind_notice_and_one_recovery(rig: Rig) -> None:
    rig.spend(NOON, 10)
    for n in range(1, 13):
        assert rig.fail(NOON + n * POLL).outcome == "failed"
    rig.spend(NOON + 13 * POLL, 20)
    rig.spend(NOON + 14 * POLL, 21)
    assert rig.told() == [("blind", "opened", 1), ("blind", "resolved", 1)]
    assert rig.unresolved() == []


def test_a_failing_source_neither_opens_nor_resolves_a_spend_alert(rig: Rig) -> None:
    rig.spend(NOON, 85)
    for n in range(1, 300):
        rig.fail(NOON + n * POLL)
    assert rig.unresolved() == ["cap", "blind"]
    assert rig.told() == [("cap", "opened", 80), ("blind", "opened", 1)]


def test_a_refused_credential_is_told_by_the_first_poll(rig: Rig) -> None:
    rig.fail(NOON, CredentialRefused("flowy answers 401"))
    assert rig.told() == [("blind", "opened", 1)]


def test_an_empty_list_from_a_workspace_with_keys_is_a_failure_that_resolves_nothing(rig: Rig) -> None:
    rig.spend(NOON, 85)
    polled = rig.poll(NOON + POLL)
    assert (polled.outcome, polled.reason) == ("failed", "the source lists no keys; it listed 1")
    assert rig.unresolved() == ["cap"]


def test_an_empty_list_from_a_workspace_without_keys_is_good(rig: Rig) -> None:
    assert [rig.poll(NOON + n * POLL).outcome for n in range(5)] == ["good"] * 5
    assert rig.told() == []


def test_half_a_list_is_used_and_is_not_good(rig: Rig) -> None:
    keys = [snapshot(10, cap=100, key_id=f"key_{n}", name=f"n{n}") for n in range(10)]
    rig.poll(NOON, *keys)
    polled = rig.poll(NOON + POLL, *[one._replace(spent=one.spent * 9) for one in keys[:5]])
    assert (polled.outcome, polled.reason) == ("partial", "5 of 10 keys are missing")
    assert len(rig.told()) == 5


def test_a_key_missing_from_half_a_list_keeps_its_alert(rig: Rig) -> None:
    keys = [snapshot(90, cap=100, key_id=f"key_{n}", name=f"n{n}") for n in range(4)]
    rig.poll(MIDNIGHT - POLL, *keys)
    rig.poll(MIDNIGHT, *[one._replace(spent=0) for one in keys[:2]])
    assert rig.unresolved() == ["cap", "cap"]


def test_one_deleted_key_among_many_is_no_failure(rig: Rig) -> None:
    keys = [snapshot(1, key_id=f"key_{n}") for n in range(10)]
    rig.poll(NOON, *keys)
    assert rig.poll(NOON + POLL, *keys[1:]).outcome == "good"


def test_revoked_keys_may_leave_the_list(rig: Rig) -> None:
    keys = [snapshot(1, key_id=f"key_{n}") for n in range(10)]
    rig.poll(NOON, *keys)
    revoked = [one._replace(status=KeyStatus.REVOKED) for one in keys[:5]]
    rig.poll(NOON + POLL, *revoked, *keys[5:])
    assert rig.poll(NOON + 2 * POLL, *keys[5:]).outcome == "good"


@pytest.mark.parametrize("back", [timedelta(0), MINUTE, 2 * DAY])
def test_a_poll_that_is_not_after_the_last_one_is_refused(rig: Rig, back: timedelta) -> None:
    rig.spend(NOON, 10)
    polled = rig.spend(NOON - back, 99)
    assert (polled.outcome, polled.keys) == ("failed", 0)
    assert "clock is behind the last poll (2026-03-02 12:00:00 UTC); set it (NTP)" in polled.reason
    assert rig.told() == []
    assert rig.spend(NOON + MINUTE, 11).outcome == "good"


def test_new_keys_are_told_only_after_the_first_listing(store: Store) -> None:
    rig = Rig(store, "safeguard")
    old, new = snapshot(1, cap=5), snapshot(0, cap=5, key_id="key_2", name="new")
    rig.fail(NOON - POLL)
    rig.poll(NOON, old)
    assert rig.told() == []
    rig.poll(NOON + POLL, old, new)
    rig.poll(NOON + 2 * POLL, old, new)
    assert rig.told() == [("safeguard", "opened", 1)]


def test_a_key_renamed_at_the_source_is_told_by_its_new_name_and_its_alert_lives_on(rig: Rig) -> None:
    rig.spend(NOON, 85)
    rig.spend(NOON + POLL, 96, name="renderer")
    assert rig.told() == CAPS[:2]
    with rig.store.read() as work:
        assert [one.finding.key_name for one in work.alerts.all()] == ["renderer"]


def test_what_a_silence_held_back_is_told_once_when_it_ends(rig: Rig) -> None:
    silence(rig.store, "render", until=NOON + HOUR, kind="", by="ada", why="", now=NOON)
    for n in range(12):
        rig.spend(NOON + n * POLL, 85)
    assert rig.told() == []
    assert rig.withheld() == [("opened", "silence 1 on render by ada until 2026-03-02 13:00 UTC")]
    for n in range(12, 24):
        rig.spend(NOON + n * POLL, 85)
    assert rig.told() == [("cap", "repeated", 80)]


def test_a_silence_ended_by_hand_tells_at_the_next_poll(rig: Rig) -> None:
    made = silence(rig.store, "*", until=NOON + DAY, kind="cap", by="ada", why="", now=NOON)
    rig.spend(NOON, 85)
    unsilence(rig.store, made.id, by="ada", now=NOON + MINUTE)
    rig.spend(NOON + POLL, 85)
    assert rig.told() == [("cap", "repeated", 80)]
    with pytest.raises(NotFound):
        unsilence(rig.store, made.id, by="ada", now=NOON + POLL)


def test_what_was_told_before_a_silence_and_is_still_open_after_it_is_told_once_more(rig: Rig) -> None:
    rig.spend(NOON, 85)
    silence(rig.store, "*", until=NOON + HOUR, kind="", by="", why="", now=NOON + MINUTE)
    for n in range(1, 30):
        rig.spend(NOON + n * POLL, 86)
    assert rig.told() == [CAPS[0], ("cap", "repeated", 80)]
    assert rig.notes()[-1] == "silence 1 on * has ended and it is still open"


def test_a_silence_that_began_and_ended_between_two_polls_is_followed_by_a_word_too(rig: Rig) -> None:
    rig.spend(NOON, 85)
    silence(rig.store, "*", until=NOON + 3 * MINUTE, kind="", by="", why="", now=NOON + MINUTE)
    for n in range(1, 4):
        rig.spend(NOON + n * POLL, 86)
    assert rig.told() == [CAPS[0], ("cap", "repeated", 80)]


def test_an_acknowledged_alert_is_quiet_until_it_gets_worse(rig: Rig) -> None:
    rig.spend(NOON, 85)
    acknowledge(rig.store, 1, by="ada", why="mine", until=None, telling=TELLING, now=NOON)
    rig.spend(NOON + POLL, 90)
    assert rig.told() == CAPS[:1]
    rig.spend(NOON + 2 * POLL, 95)
    assert rig.told() == CAPS[:2]


def test_an_acknowledgement_with_an_end_is_told_again_once_when_it_is_over(rig: Rig) -> None:
    rig.spend(NOON, 85)
    acknowledge(rig.store, 1, by="ada", why="", until=NOON + HOUR, telling=TELLING, now=NOON)
    for n in range(1, 12):
        rig.spend(NOON + n * POLL, 85)
    assert rig.told() == CAPS[:1]
    for n in range(12, 24):
        rig.spend(NOON + n * POLL, 85)
    assert rig.told() == [CAPS[0], ("cap", "repeated", 80)]


def test_an_alert_resolved_by_hand_opens_anew_when_it_is_found_again(rig: Rig) -> None:
    rig.spend(NOON, 85)
    resolve(rig.store, 1, by="ada", why="", telling=TELLING, now=NOON)
    rig.spend(NOON + POLL, 85)
    assert rig.told() == [CAPS[0], ("cap", "resolved", 80), CAPS[0]]
    with pytest.raises(NotFound, match="alert 1 is already resolved"):
        resolve(rig.store, 1, by="ada", why="", telling=TELLING, now=NOON)
    with pytest.raises(NotFound, match="there is no alert 99"):
        acknowledge(rig.store, 99, by="ada", why="", until=None, telling=TELLING, now=NOON)


def test_news_of_one_key_in_one_poll_is_one_message_that_names_the_rest(store: Store) -> None:
    rig = Rig(store, "cap", "safeguard")
    rig.spend(NOON, 10, cap=100)
    rig.spend(NOON + POLL, 170, cap=200)
    assert rig.told() == [("cap", "opened", 80)]
    assert rig.withheld() == [("opened", "told with alert 1, which is about the same key")]


def test_a_poll_whose_transaction_fails_leaves_nothing_and_the_next_one_is_right(rig: Rig) -> None:
    rig.spend(NOON, 40)
    with rig.store.database.write() as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO gone"))
    with pytest.raises(StoreError):
        rig.spend(NOON + POLL, 85)
    with rig.store.read() as work:
        assert (work.usage.count()["polls"], work.alerts.all()) == (1, [])
    with rig.store.database.write() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO outbox"))
    rig.spend(NOON + POLL, 85)
    assert rig.told() == CAPS[:1]


def test_new_keys_of_a_failed_transaction_are_stored_by_the_next_one(rig: Rig) -> None:
    rig.poll(NOON, snapshot(1))
    too_much = snapshot(1, key_id="key_2")._replace(spent=2**70)
    with pytest.raises((StoreError, OverflowError)):
        rig.poll(NOON + POLL, snapshot(1), too_much)
    assert rig.poll(NOON + POLL, snapshot(1), snapshot(2, key_id="key_2")).outcome == "good"
    with rig.store.read() as work:
        assert work.usage.count()["keys"] == 2


def test_two_jobs_on_one_database_see_each_others_polls(open_store: Callable[..., Store]) -> None:
    one, two = Rig(open_store()), Rig(open_store())
    for n in range(101):
        (one, two)[n % 2].spend(MORNING + n * POLL, n)
    assert one.told() == CAPS == two.told()
    assert one.spend(MORNING, 0).outcome == "failed"


def test_a_restart_between_any_two_polls_changes_nothing(open_store: Callable[..., Store]) -> None:
    steady, restarted = Rig(open_store("a.db"), "cap", "spike"), open_store("b.db")
    for n in range(101):
        steady.spend(MORNING + n * POLL, n)
        Rig(restarted, "cap", "spike").spend(MORNING + n * POLL, n)
    assert Rig(restarted).told() == steady.told() != []


def test_a_key_that_shows_yesterdays_counter_for_several_polls_opens_nothing_beside_one_that_does_not(rig: Rig) -> None:
    used = MIDNIGHT - 2 * POLL
    rig.poll(MIDNIGHT - POLL, snapshot(79, cap=100, used=used), snapshot(1, key_id="key_2"))
    for n in range(3):
        rig.poll(MIDNIGHT + n * POLL, snapshot(79, cap=90, used=used), snapshot(0, key_id="key_2"))
    assert rig.told() == []


def test_a_silenced_use_of_a_dormant_key_is_told_when_the_silence_ends(store: Store) -> None:
    rig = Rig(store, "last_used")
    silence(store, "*", until=NOON + HOUR, kind="", by="", why="", now=NOON - DAY)
    rig.poll(NOON - POLL, snapshot(0, used=NOON - 60 * DAY))
    for n in range(24):
        rig.poll(NOON + n * POLL, snapshot(0, used=NOON))
    assert rig.told() == [("last_used", "repeated", 1)]


def test_a_dormant_keys_use_is_told_again_when_its_acknowledgement_ends(store: Store) -> None:
    rig = Rig(store, "last_used")
    rig.poll(NOON - POLL, snapshot(0, used=NOON - 60 * DAY))
    rig.poll(NOON, snapshot(0, used=NOON))
    acknowledge(store, 1, by="ada", why="", until=NOON + HOUR / 2, telling=TELLING, now=NOON)
    for n in range(1, 40):
        rig.poll(NOON + n * POLL, snapshot(0, used=NOON))
    assert rig.told() == [("last_used", "opened", 1), ("last_used", "repeated", 1)]
