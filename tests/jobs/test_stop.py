"""A revoke is checked: two polls without use end what was told about the key, and say so."""

import pytest

from flowy_watch.core.usage import KeyStatus
from flowy_watch.store import Store
from tests.builders import MINUTE, NOON

from .rigs import Rig

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
    assert breached.unresolved() == []


def test_it_says_since_when_the_key_is_quiet(breached: Rig, store: Store) -> None:
    for n in (2, 3):
        breached.spend(NOON + n * POLL, 97, used=NOON + MINUTE, **REVOKED)
    with store.read() as work:
        (alert,) = work.alerts.all()
        whys = [row.why for row in work.alerts.story(alert.id)]
        notes = [row.payload["note"] for row in work.outbox.story(alert.id)]
    assert whys[-1] == notes[-1] == "revoked, and quiet since 2026-03-02 12:01 UTC"


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
