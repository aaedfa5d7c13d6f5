"""Amounts are exact, names are harmless, days are UTC days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.usage import CREDIT, MOST, clean_name, credits_to_micro, day_of, day_start, next_reset
from tests.builders import MIDNIGHT, NOON


@given(st.integers(0, MOST // CREDIT))
def test_whole_credits_are_exact(amount: int) -> None:
    assert credits_to_micro(amount) == amount * 1_000_000


@given(st.integers(0, 10**12))
def test_a_fraction_comes_back_to_the_micro_credit_it_was_written_from(micro: int) -> None:
    assert credits_to_micro(micro / 1_000_000) == micro


@pytest.mark.parametrize(
    ("amount", "micro"),
    [(0.1, 100_000), (0.000001, 1), (0.0000004, 0), (4800.25, 4_800_250_000), (0, 0), (-0.0, 0)],
)
def test_fractions_go_to_the_nearest_micro_credit(amount: float, micro: int) -> None:
    assert credits_to_micro(amount) == micro


def test_ten_tenths_are_one_credit() -> None:
    assert sum(credits_to_micro(0.1) for _ in range(10)) == CREDIT


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), float("-inf"), -1, -0.01, 1e300, 10**400, 9e12 + 1])
def test_what_is_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="not an amount of credits"):
        credits_to_micro(amount)


@pytest.mark.parametrize(
    ("value", "words"), [(True, "true/false"), ("12", "text"), (None, "null"), ([1], "a list"), ({}, "an object")]
)
def test_what_is_no_number_is_refused_by_its_type_and_never_shown(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=f"^is {words}, not a number$"):
        credits_to_micro(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("render farm", "render farm"),
        ("  render\r\nBcc: all@example.com\t", "render Bcc: all@example.com"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("ren\u200bder\ufeff\x00\x1b[31m", "render[31m"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("👩\u200d🔬 lab", "👩\u200d🔬 lab"),
        ("<!channel> <b>", "<!channel> <b>"),
        ("", ""),
        ("\u200b\u200e", ""),
    ],
)
def test_a_name_keeps_what_can_be_seen_on_one_line(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean


def test_a_key_pasted_into_a_name_is_hidden_also_when_broken_by_invisible_characters() -> None:
    assert clean_name("mine flw_sk_\u200blive_9f8e7d6c") == "mine [hidden]"


def test_a_long_name_is_cut_and_says_so() -> None:
    name = clean_name("x" * 5000)

    assert (len(name), name[-2:]) == (200, "x…")


@given(st.text())
def test_a_clean_name_is_short_has_one_line_and_no_edges(raw: str) -> None:
    name = clean_name(raw)

    assert len(name) <= 200
    assert len(name.splitlines()) <= 1
    assert name == name.strip()
    assert name.encode().decode() == name  # no lone surrogate is left to break a writer


def test_the_cap_day_is_the_utc_day_wherever_people_are() -> None:
    auckland = datetime(2026, 3, 3, 1, tzinfo=ZoneInfo("Pacific/Auckland"))

    assert day_of(auckland) == date(2026, 3, 2)


def test_a_day_starts_at_midnight_utc() -> None:
    assert day_start(date(2026, 3, 2)) == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "reset"),
    [
        (NOON, MIDNIGHT),
        (MIDNIGHT - timedelta(microseconds=1), MIDNIGHT),
        (MIDNIGHT, MIDNIGHT + timedelta(days=1)),
    ],
)
def test_the_next_reset_is_the_midnight_strictly_after(at: datetime, reset: datetime) -> None:
    assert next_reset(at) == reset
