"""Instants and names as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.render.phrase import When, shorten, visible

from .notices import NOW


@pytest.mark.parametrize(
    ("zone", "after", "words"),
    [
        ("Europe/Madrid", timedelta(0), "14:05 UTC (15:05 CET)"),
        ("UTC", timedelta(0), "14:05 UTC"),
        ("Africa/Abidjan", timedelta(0), "14:05 UTC"),
        ("Asia/Tokyo", timedelta(hours=2), "16:05 UTC (24 Nov 01:05 JST)"),
        ("America/New_York", timedelta(hours=10), "24 Nov 00:05 UTC (23 Nov 19:05 EST)"),
        ("Europe/Istanbul", timedelta(0), "14:05 UTC (17:05 UTC+03)"),
        ("Asia/Kathmandu", timedelta(0), "14:05 UTC (19:50 UTC+0545)"),
        ("Europe/Madrid", timedelta(days=-1), "22 Nov 14:05 UTC (15:05 CET)"),
    ],
)
def test_an_instant_is_told_in_utc_and_local_with_dates_where_they_differ(
    zone: str, after: timedelta, words: str
) -> None:
    assert When(ZoneInfo(zone), NOW)(NOW + after) == words


def test_summer_time_has_its_own_name() -> None:
    july = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert When(ZoneInfo("Europe/Madrid"), july)(july) == "12:00 UTC (14:00 CEST)"


def test_a_cut_is_shown_and_leaves_no_half_of_a_joined_emoji() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten("abc👩\u200d👧xx", 6) == "abc👩…"


def test_what_cannot_be_seen_is_not_shown() -> None:
    assert visible(" a\u202e\x00b\u2028c\r\nd\u200be ") == "ab c de"
