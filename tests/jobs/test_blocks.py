"""A key stopped at the meter: by a command, by a press, and let through again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowy_watch import actions
from flowy_watch.core.alert import Alert, Status
from flowy_watch.core.press import Press, Verb
from flowy_watch.core.provenance import Figure, From, Provenance, Sure
from flowy_watch.core.usage import Answers
from flowy_watch.errors import NotFound
from flowy_watch.ledger import Batch, Counts, Ledger, bucket_of, fingerprint_of
from flowy_watch.ledger.batch import KeySeen
from flowy_watch.presses import pressed
from flowy_watch.show import story_lines
from tests.builders import MINUTE, NOON, snapshot

from .rigs import TELLING, Rig
from .test_presses import ANA, MADRID

SECRET = "flw_sk_0123456789abcdef9f8e"
PRINT = fingerprint_of(SECRET)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "meter.db")
    passed(made, PRINT, "9f8e")
    yield made
    made.close()


def passed(ledger: Ledger, fingerprint: str, last_four: str, name: str = "") -> None:
    """A request of that key went through the meter."""
    counts = {(fingerprint, bucket_of(NOON), "poster"): Counts(requests=1)}
    ledger.add(Batch(counts, {fingerprint: KeySeen(NOON, last_four, name, used_at=NOON)}))


def watched(rig: Rig) -> Alert:
    """The key has an open alert, and passes through the meter."""
    provenance = Provenance({Figure.SPENT: From("meter", Sure.BY_PRICE)}, {"meter": PRINT}, PRINT)
    rig.poll(
        NOON,
        snapshot(85, cap=100, last_four="9f8e"),
        provenance={"key_1": provenance},
        answers={"key_1": Answers(capped=3)},
    )
    with rig.store.read() as work:
        (alert,) = work.alerts.unresolved()
    return alert


def block(rig: Rig, ledger: Ledger, key: str = "render", by: str = "ana") -> actions.Blocked:
    return actions.block(rig.store, ledger, key, by=by, why="leaked", telling=TELLING, now=NOON)


def unblock(rig: Rig, ledger: Ledger, key: str = "render") -> actions.Blocked:
    return actions.unblock(rig.store, ledger, key, by="bo", why="false alarm", now=NOON + MINUTE)


@pytest.mark.parametrize("key", ["render", "key_1", PRINT, "9f8e", SECRET])
def test_a_key_is_blocked_by_whatever_it_is_called(rig: Rig, ledger: Ledger, key: str) -> None:
    watched(rig)

    done = block(rig, ledger, key)

    assert [(b.fingerprint, b.by, b.why) for b in ledger.blocks()] == [(PRINT, "ana", "leaked")]
    assert (done.new, done.words) == (True, f"the key …9f8e, {PRINT}")


def test_a_block_takes_on_the_alerts_of_the_key_and_stands_in_their_story(rig: Rig, ledger: Ledger) -> None:
    alert = watched(rig)

    done = block(rig, ledger)
    unblock(rig, ledger)

    assert [(one.id, one.status) for one in done.taken] == [(alert.id, Status.ACKNOWLEDGED)]
    with rig.store.read() as work:
        told = [
            line["line"]
            for line in story_lines(work, alert)
            if line["what"] in ("blocked", "unblocked", "acknowledged")
        ]
        log = [(row.act, row.by) for row in work.alerts.acts()]
    assert f"blocked: the key …9f8e, {PRINT} at the meter (by ana): leaked" in told
    assert any("(by ana): blocked at the meter: leaked" in line for line in told)
    assert f"unblocked: the key …9f8e, {PRINT} at the meter (by bo): false alarm" in told
    assert {("blocked", "ana"), ("unblocked", "bo")} <= set(log)


def test_the_first_block_holds(rig: Rig, ledger: Ledger) -> None:
    watched(rig)
    block(rig, ledger)

    done = block(rig, ledger, by="bo")

    assert (done.new, done.block.by) == (False, "ana")


def test_a_press_on_a_newer_alert_of_a_blocked_key_takes_that_on_too(rig: Rig, ledger: Ledger) -> None:
    block(rig, ledger, PRINT)
    alert = watched(rig)

    again = block(rig, ledger, by="bo")

    assert (again.new, again.block.by, [taken.id for taken in again.taken]) == (False, "ana", [alert.id])


def test_what_is_not_blocked_cannot_be_unblocked(rig: Rig, ledger: Ledger) -> None:
    watched(rig)
    with pytest.raises(NotFound, match="is not blocked"):
        unblock(rig, ledger)


def test_two_keys_of_one_name_are_never_confused(rig: Rig, ledger: Ledger) -> None:
    for fingerprint, four in (("a" * 16, "1111"), ("b" * 16, "2222")):
        passed(ledger, fingerprint, four, "twin")

    with pytest.raises(NotFound, match=f"2 keys go by that: twin .…1111, {'a' * 16}.*; name one by its fingerprint"):
        block(rig, ledger, "twin")
    assert ledger.blocks() == ()


def test_a_key_that_the_meter_never_saw_is_not_guessed(rig: Rig, ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no such key has passed through the meter"):
        block(rig, ledger, "nobody")


def test_a_fingerprint_can_be_blocked_before_it_is_ever_seen(rig: Rig, ledger: Ledger) -> None:
    assert block(rig, ledger, "c" * 16).new


def test_a_ledger_that_is_not_there_is_not_made(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no ledger at .*: the meter has not run yet"):
        block(rig, Ledger(tmp_path / "other.db"))
    assert not (tmp_path / "other.db").exists()


def test_a_press_blocks_and_says_what_that_does_not_stop(rig: Rig, ledger: Ledger) -> None:
    alert = watched(rig)
    wanted = Press(Verb.BLOCK, alert.id, ANA)

    said = pressed(rig.store, wanted, telling=TELLING, timezone=MADRID, open_ledger=lambda: ledger, now=NOON)

    assert said.startswith(
        f"Blocked at the meter: the key …9f8e, {PRINT}. What does not pass through the meter goes on"
    )
    assert [one.by for one in ledger.blocks()] == [ANA]


def test_where_figures_come_from_and_refusals_are_kept(rig: Rig) -> None:
    alert = watched(rig)

    with rig.store.read() as work:
        provenance = work.knowledge.provenance("key_1")
        (answers,) = work.knowledge.answers([NOON.date()])
    assert provenance
    assert (provenance.remark, provenance.fingerprint) == ("by price, from meter", PRINT)
    assert (answers.key_id, answers.refused, answers.capped) == ("key_1", 0, 3)
    assert (alert.finding.meter_key, alert.finding.stakes and alert.finding.stakes.remark) == (
        PRINT,
        "by price, from meter",
    )
