"""When people asked not to be told."""

from datetime import datetime

import pytest

from tests.builders import HOUR, MINUTE, NOON, alert, silence


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("render", True),
        ("ren*", True),
        ("key_1", True),
        ("key_*", True),
        ("*", True),
        ("Render", False),
        ("ren", False),
    ],
)
def test_a_silence_is_on_a_pattern_of_names_or_ids(pattern: str, covered: bool) -> None:
    assert silence(pattern).covers(alert(), at=NOON) is covered


@pytest.mark.parametrize(("pattern", "covered"), [("*", True), ("render", False), ("key_*", False)])
def test_only_a_star_silences_what_belongs_to_no_key(pattern: str, covered: bool) -> None:
    assert silence(pattern).covers(alert("balance", key_id=None, key_name=""), at=NOON) is covered


@pytest.mark.parametrize(("kind", "covered"), [("", True), ("cap", True), ("spike", False)])
def test_a_silence_may_be_on_one_kind_only(kind: str, covered: bool) -> None:
    assert silence("render", kind=kind).covers(alert("cap"), at=NOON) is covered


@pytest.mark.parametrize(
    ("at", "covered"),
    [(NOON, True), (NOON + HOUR - MINUTE, True), (NOON + HOUR, False), (NOON - MINUTE, True)],
)
def test_a_silence_has_an_end_and_holds_when_the_clock_is_set_back(at: datetime, covered: bool) -> None:
    assert silence(until=NOON + HOUR).covers(alert(), at=at) is covered


def test_a_silence_that_was_lifted_covers_nothing_from_then_on_whatever_the_clock_says() -> None:
    lifted = silence(until=NOON + HOUR, ended_at=NOON + 10 * MINUTE)

    assert [lifted.active(NOON + n * MINUTE) for n in (9, 10, 11)] == [False, False, False]
