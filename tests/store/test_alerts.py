"""Alerts keep their number, their story, and their one place per fingerprint."""

from dataclasses import replace

import pytest

from flowy_watch.core.alert import Alert, Change, Shown, Status, Transition
from flowy_watch.core.finding import Severity, Stakes
from flowy_watch.errors import StoreError
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MINUTE, NOON, alert, credit, opened, silence


def record(store: Store, *transitions: Transition) -> list[Alert]:
    with store.write() as work:
        return [t.alert for t in work.alerts.record(transitions)]


def get(store: Store, alert_id: int) -> Alert | None:
    with store.read() as work:
        return work.alerts.get(alert_id)


def resolved(one: Alert) -> Transition:
    done = replace(one, status=Status.RESOLVED, resolved_at=NOON + HOUR)
    return Transition(done, Change.RESOLVED, NOON + HOUR, "ada", "false alarm")


def test_opened_alerts_are_given_numbers_in_order_and_come_back_equal(store: Store) -> None:
    stakes = Stakes(credit(31), credit(4), NOON + DAY, credit(40), NOON + HOUR, credit(9), None, credit(5))
    more = {"stakes": stakes, "facts": {"share": "78 %"}, "evidence": ("a", "ü 🎬"), "severity": Severity.CRITICAL}
    made = record(store, opened(id=0, **more), opened("spike", id=0), opened("balance", id=0, key_id=None))
    assert [one.id for one in made] == [1, 2, 3]
    with store.read() as work:
        assert work.alerts.unresolved() == made
        assert work.alerts.all() == made[::-1]


def test_opened_and_known_alerts_may_be_recorded_together(store: Store) -> None:
    [known] = record(store, opened(id=0))
    worse = replace(known, level=2)
    made = record(store, Transition(worse, Change.ESCALATED, NOON), opened("spike", id=0))
    assert made == [worse, replace(made[1], id=2)]
    assert get(store, 1) == worse


def test_an_alert_that_nobody_opened_is_none(store: Store) -> None:
    assert get(store, 7) is None


def test_a_fingerprint_has_one_unresolved_alert_at_most(store: Store) -> None:
    [first] = record(store, opened(id=0))
    with pytest.raises(StoreError):
        record(store, opened(id=0))
    record(store, resolved(first))
    [second] = record(store, opened(id=0))
    with store.read() as work:
        assert [one.id for one in work.alerts.unresolved()] == [second.id]


def test_a_resolved_alert_is_kept_and_no_longer_unresolved(store: Store) -> None:
    [first] = record(store, opened(id=0))
    record(store, resolved(first))
    with store.read() as work:
        assert work.alerts.unresolved() == []
    assert get(store, 1) == replace(first, status=Status.RESOLVED, resolved_at=NOON + HOUR)


def test_an_acknowledgement_comes_back_with_its_end(store: Store) -> None:
    [one] = record(store, opened(id=0))
    taken = replace(one, status=Status.ACKNOWLEDGED, acknowledged_by="ada", acknowledged_until=NOON + HOUR)
    record(store, Transition(taken, Change.ACKNOWLEDGED, NOON))
    assert get(store, 1) == taken


def test_settling_records_what_was_told_and_nothing_else(store: Store) -> None:
    one, other = record(store, opened(level=95, id=0), opened("spike", id=0))
    with store.write() as work:
        done = replace(one, told_level=95, told_at=NOON, shown=Shown(NOON, "at 95", credit(3)), held_by="alert 9")
        work.alerts.settle([replace(done, finding=other.finding)])
        work.alerts.settle([])
    assert (get(store, one.id), get(store, other.id)) == (done, other)


def test_updating_an_alert_adds_nothing_to_its_story(store: Store) -> None:
    [one] = record(store, opened(id=0))
    with store.write() as work:
        work.alerts.update([replace(one, last_seen_at=NOON + MINUTE)])
    seen = get(store, 1)
    assert seen is not None
    assert seen.last_seen_at == NOON + MINUTE
    with store.read() as work:
        assert len(work.alerts.story(1)) == 1


def test_the_story_tells_who_did_what_and_why_oldest_first(store: Store) -> None:
    [one] = record(store, opened(id=0))
    record(store, resolved(one), opened("spike", id=0))
    with store.read() as work:
        story = [(row.change, row.at, row.by, row.why) for row in work.alerts.story(1)]
    assert story == [("opened", NOON, "", ""), ("resolved", NOON + HOUR, "ada", "false alarm")]


def test_a_transition_of_an_alert_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        record(store, Transition(alert(id=99), Change.ESCALATED, NOON))


def test_a_silence_is_in_force_until_its_end_also_when_the_clock_is_set_back(store: Store) -> None:
    with store.write() as work:
        made = work.alerts.add_silence(silence("render*", kind="cap", why="load test", by="ada"))
    with store.read() as work:
        assert work.alerts.silences(NOON - MINUTE) == [made]
        assert work.alerts.silences(NOON) == [made] == work.alerts.silences(NOON + HOUR - MINUTE)
        assert work.alerts.silences(NOON + HOUR) == []


def test_a_silence_ended_by_hand_is_over_at_once_and_ends_only_once(store: Store) -> None:
    with store.write() as work:
        made, other = work.alerts.add_silence(silence()), work.alerts.add_silence(silence("other"))
        assert made.id != other.id
        assert work.alerts.end_silence(made.id, at=NOON + MINUTE, by="ada")
        assert not work.alerts.end_silence(made.id, at=NOON + MINUTE, by="ada")
        assert not work.alerts.end_silence(99, at=NOON, by="ada")
        assert not work.alerts.end_silence(other.id, at=NOON + HOUR, by="ada")
        assert work.alerts.silences(NOON + MINUTE) == [other]
