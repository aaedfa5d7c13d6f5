"""Declared hours, in somebody's own zone."""

from datetime import UTC, datetime

import pytest

from flowy_watch.core.hours import Hours


def on(day: int, clock: str) -> datetime:
    """Monday is the 2nd of March 2026."""
    return datetime.fromisoformat(f"2026-03-{day:02d}T{clock}:00+00:00")


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        (on(2, "06:59"), True),  # 07:59 in Madrid
        (on(2, "05:59"), False),  # 06:59
        (on(2, "18:59"), True),
        (on(2, "19:00"), False),  # the end is not in
        (on(6, "12:00"), True),
        (on(7, "12:00"), False),
    ],
)
def test_office_hours_are_local(at: datetime, covered: bool) -> None:
    assert Hours.parse("Mon-Fri 07:00-20:00 Europe/Madrid").cover(at) is covered


def test_hours_follow_summer_time() -> None:
    hours = Hours.parse("Mon-Sun 07:00-20:00 Europe/Madrid")

    assert not hours.cover(datetime(2026, 3, 28, 5, 30, tzinfo=UTC))  # 06:30
    assert hours.cover(datetime(2026, 3, 29, 5, 30, tzinfo=UTC))  # 07:30


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        (on(6, "22:00"), True),
        (on(7, "05:59"), True),  # Saturday morning belongs to Friday's night
        (on(7, "06:00"), False),
        (on(7, "22:00"), False),
        (on(2, "03:00"), False),  # Monday morning belongs to Sunday's night
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_it_starts_on(at: datetime, covered: bool) -> None:
    assert Hours.parse("Mon-Fri 22:00-06:00").cover(at) is covered


@pytest.mark.parametrize(
    ("text", "at", "covered"),
    [
        ("Mon 18:00-24:00", on(2, "23:59"), True),
        ("Mon 18:00-24:00", on(3, "00:00"), False),
        ("Mon 18:00-24:00", on(2, "17:59"), False),
        ("Mon 00:00-24:00", on(2, "00:00"), True),
        ("Mon 00:00-24:00", on(1, "23:59"), False),
    ],
)
def test_24_00_is_the_end_of_the_day(text: str, at: datetime, covered: bool) -> None:
    assert Hours.parse(text).cover(at) is covered


def test_days_may_run_over_the_weekend() -> None:
    hours = Hours.parse("sat-MON 00:00-24:00")

    assert [hours.cover(on(day, "12:00")) for day in range(2, 9)] == [True, False, False, False, False, True, True]


def test_the_zone_is_utc_when_none_is_named() -> None:
    hours = Hours.parse("  Mon 09:00-10:00 ")

    assert (hours.zone.key, hours.text) == ("UTC", "Mon 09:00-10:00")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must look like"),
        ("always", "must look like"),
        ("Mon 9:00-10:00", "must look like"),
        ("Mon 09:00-10:00 UTC extra", "must look like"),
        ("Mon-Fry 09:00-10:00", "names days as"),
        ("Lun 09:00-10:00", "names days as"),
        ("Mon 25:00-26:00", "no time of day"),
        ("Mon 09:00-10:60", "no time of day"),
        ("Mon 09:00-10:00 Europe/Atlantis", "no known time zone"),
        ("Mon 09:00-10:00 ../../etc/passwd", "no known time zone"),
    ],
)
def test_an_error_names_the_part_that_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Hours.parse(text)


def test_daily_hours_may_leave_out_the_days() -> None:
    hours = Hours.parse_daily("22:00-07:00 Europe/Madrid")
    assert [hours.cover(on(2, clock)) for clock in ("20:59", "21:00", "05:59", "06:00")] == [False, True, True, False]
    assert Hours.parse_daily("Sat 00:00-24:00").days == {5}
    with pytest.raises(ValueError, match="22:00-07:00 Europe/Madrid"):
        Hours.parse_daily("at night")


@pytest.mark.parametrize(
    ("text", "at", "end"),
    [
        ("22:00-07:00 Europe/Madrid", on(2, "21:30"), on(3, "06:00")),
        ("22:00-07:00 Europe/Madrid", on(3, "05:59"), on(3, "06:00")),
        ("Sat-Sun 00:00-24:00", on(7, "09:00"), on(9, "00:00")),
        ("Fri 18:00-24:00", on(6, "23:00"), on(7, "00:00")),
        ("00:00-24:00", on(2, "12:00"), on(9, "12:00")),
        ("22:00-07:00 Europe/Madrid", on(28, "23:00"), on(29, "05:00")),  # the clock is put forward in that night
    ],
)
def test_hours_know_when_they_end(text: str, at: datetime, end: datetime) -> None:
    assert Hours.parse_daily(text).until(at) == end
