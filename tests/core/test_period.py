"""Weeks, months, and the one instant at which each is due."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.period import Calendar, Period, Span, last_finished

MADRID = ZoneInfo("Europe/Madrid")
DATES = st.dates(date(1970, 2, 1), date(2200, 1, 1))


def test_a_week_is_seven_utc_days_from_monday_half_open() -> None:
    week = Period.parse("2026-W47")
    assert (week.start_at, week.end_at) == (datetime(2026, 11, 16, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
    assert [f"{day:%a}" for day in week.days()] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_the_week_of_new_year_belongs_to_the_year_of_its_thursday() -> None:
    assert Period.week_of(date(2027, 1, 1)).name == "2026-W53"
    assert Period.week_of(date(2025, 12, 31)).name == "2026-W01"


def test_a_month_is_its_days() -> None:
    february = Period.parse("2028-02")
    assert (february.length, february.before().name, february.after().name) == (29, "2028-01", "2028-03")


@pytest.mark.parametrize(
    "name", ["2026-W54", "2026-W00", "2026-13", "2026-00", "W47", "2026-11-16", "0000-01", "0001-01", "9999-W52", ""]
)
def test_what_no_calendar_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Period.parse(name)


@given(DATES, st.sampled_from(Span))
def test_periods_follow_each_other_without_a_gap_and_know_their_own_name(day: date, span: Span) -> None:
    period = Period.of(span, day)
    assert period.first <= day < period.end
    assert period.after().first == period.end
    assert period.after().before() == period == Period.parse(period.name)


def test_the_last_finished_week_ends_at_the_latest_now() -> None:
    assert last_finished(Span.WEEK, datetime(2026, 11, 23, tzinfo=UTC)).name == "2026-W47"
    assert last_finished(Span.WEEK, datetime(2026, 11, 22, 23, 59, tzinfo=UTC)).name == "2026-W46"
    assert last_finished(Span.MONTH, datetime(2026, 11, 1, tzinfo=UTC)).name == "2026-10"


def test_a_digest_is_due_at_the_readers_hour() -> None:
    calendar = Calendar(0, time(9), MADRID)
    assert calendar.due_at(Period.parse("2026-W47")) == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert calendar.due_at(Period.parse("2026-W30")) == datetime(2026, 7, 27, 7, tzinfo=UTC)
    assert calendar.due_at(Period.parse("2026-10")) == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert Calendar(4, time(9), MADRID).due_at(Period.parse("2026-W47")) == datetime(2026, 11, 27, 8, tzinfo=UTC)


def test_a_digest_is_never_due_before_its_period_is_over() -> None:
    tokyo = Calendar(0, time(8), ZoneInfo("Asia/Tokyo"))  # there it is Monday before the UTC day ends
    assert tokyo.due_at(Period.parse("2026-W47")) == datetime(2026, 11, 23, tzinfo=UTC)


def test_an_hour_that_the_clock_skips_or_repeats_is_one_instant() -> None:
    at_half_past_two = Calendar(6, time(2, 30), MADRID)  # clocks change on Sundays
    skipped, repeated = Period.parse("2026-W12"), Period.parse("2026-W42")
    assert at_half_past_two.due_at(skipped) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert at_half_past_two.due_at(repeated) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.sampled_from(Span))  # noqa: DTZ001  # hypothesis adds it
def test_a_calendar_begins_with_the_next_digest_that_is_due(now: datetime, span: Span) -> None:
    calendar = Calendar(2, time(9, 30), MADRID)
    first = calendar.first_due(span, now)
    assert calendar.due_at(first.before()) < now <= calendar.due_at(first)
    assert calendar.due_at(first) - now <= timedelta(days=32)
