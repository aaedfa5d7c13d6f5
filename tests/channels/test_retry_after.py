"""The header as servers write it, well and badly."""

from datetime import timedelta

import pytest

from flowy_watch.channels.retry_after import retry_after

DATE = "Mon, 23 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "pause"),
    [
        ("30", None, timedelta(seconds=30)),
        (" 0 ", None, timedelta(0)),
        ("Mon, 23 Nov 2026 10:01:30 GMT", DATE, timedelta(seconds=90)),
        ("Mon, 23 Nov 2026 09:00:00 GMT", DATE, None),
        ("Mon, 23 Nov 2026 10:01:30 GMT", None, None),
        ("99999999999", None, None),
        ("-5", None, None),
        ("soon", DATE, None),
        ("", DATE, None),
        (None, DATE, None),
    ],
)
def test_a_pause_is_read_or_left_to_us(value: str | None, date: str | None, pause: timedelta | None) -> None:
    assert retry_after(value, date) == pause
