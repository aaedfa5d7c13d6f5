"""Keys that move when nobody should be using them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.hours import Hours
from flowy_watch.core.usage import KeyStatus
from flowy_watch.detectors import KeyRules
from flowy_watch.detectors.last_used import LastUsedConfig, LastUsedDetector
from tests.builders import DAY, HOUR, MINUTE, NOON, history, snapshot, view

REVOKED = KeyStatus.REVOKED


def found(key: History, **rules: object) -> list[Finding]:
    return list(LastUsedDetector(LastUsedConfig()).examine(view(key, rules=KeyRules(**rules))))


@pytest.mark.parametrize("still", [MINUTE, 13 * DAY, 14 * DAY, 20 * DAY, 40 * DAY])
@pytest.mark.parametrize("dormant_after", [None, 14 * DAY])
def test_rules_that_need_not_be_looked_up_would_not_have_changed_anything(
    still: timedelta, dormant_after: timedelta | None
) -> None:
    key, detector = woken(still), LastUsedDetector(LastUsedConfig())
    seen = view(key, rules=KeyRules(dormant_after=dormant_after))
    quickly = replace(seen, rests_until=dormant_after or timedelta.max)

    assert list(detector.examine(quickly)) == list(detector.examine(seen))


def woken(after: timedelta, spent: float = 0) -> History:
    """Used at noon, and before that never for `after`; read five minutes later."""
    return history(snapshot(used=NOON - after), snapshot(spent, NOON + 5 * MINUTE, used=NOON))


def test_a_dormant_key_that_moves_is_told_also_at_zero_spend() -> None:
    (one,) = found(woken(40 * DAY))

    assert one.title == "render was used after lying still for 40 days (no spend yet)"
    assert (one.severity, one.period, one.suspicious_only) == (Severity.WARNING, "dormant", True)
    assert one.began_at == NOON
    assert one.evidence[0].startswith("Used at 2026-03-02 12:00 UTC; before that not for 40 days.")


def test_a_dormant_key_that_spends_looks_stolen_rather_than_odd() -> None:
    (one,) = found(woken(40 * DAY, spent=7))

    assert (one.title, one.suspicious_only) == (
        "render was used after lying still for 40 days (7 credits today)",
        False,
    )


def used_after(*rests: timedelta) -> History:
    """Used at noon, then after each of these rests; read five minutes after each use."""
    at, key = NOON, history(snapshot(used=NOON))
    for rest in rests:
        at += rest
        key.add(snapshot(0, at + 5 * MINUTE, used=at))
    return key


def test_a_key_is_dormant_after_four_weeks_or_as_declared() -> None:
    assert [len(found(woken(still))) for still in (28 * DAY - MINUTE, 28 * DAY)] == [0, 1]
    assert [len(found(woken(still), dormant_after=DAY)) for still in (DAY - MINUTE, DAY)] == [0, 1]


@pytest.mark.parametrize("every", [HOUR, 7 * DAY, 27 * DAY])
def test_a_key_that_is_used_by_a_calendar_is_never_dormant(every: timedelta) -> None:
    told = [found(used_after(*[every] * times)) for times in range(1, 20)]

    assert told == [[]] * 19


def test_a_key_used_once_a_month_is_told_the_first_time_and_then_known() -> None:
    assert [len(found(used_after(*[30 * DAY] * times))) for times in (1, 2, 5)] == [1, 0, 0]


def test_a_key_is_dormant_after_twice_the_longest_rest_it_was_seen_to_take() -> None:
    assert [len(found(used_after(15 * DAY, rest))) for rest in (30 * DAY - MINUTE, 30 * DAY)] == [0, 1]
    assert [len(found(used_after(15 * DAY, HOUR, rest))) for rest in (30 * DAY - MINUTE, 30 * DAY)] == [0, 1]
    assert [len(found(used_after(5 * DAY, rest))) for rest in (28 * DAY - MINUTE, 28 * DAY)] == [0, 1]


def test_a_key_that_rests_often_and_unevenly_may_rest_once_more() -> None:
    often = [3 * DAY, 12 * DAY, DAY, 9 * DAY]  # 25 days in four rests: one in a hundred is longer than 39 days
    assert [len(found(used_after(*often, rest))) for rest in (39 * DAY, 40 * DAY)] == [0, 1]


def test_what_is_declared_wins_over_what_was_learned() -> None:
    monthly = used_after(30 * DAY, 30 * DAY)

    assert [len(found(monthly, dormant_after=after)) for after in (30 * DAY, 31 * DAY)] == [1, 0]


def test_it_says_after_how_long_a_key_counts_as_dormant() -> None:
    (one,) = found(used_after(15 * DAY, 40 * DAY))

    assert one.evidence[0].endswith("It counts as dormant after 30 days.")


def test_a_key_that_lies_still_is_quiet() -> None:
    assert found(history(snapshot(used=NOON - 40 * DAY), snapshot(0, NOON + HOUR, used=NOON - 40 * DAY))) == []


def test_the_first_listing_of_a_key_is_no_use() -> None:
    assert found(history(snapshot(used=NOON)), hours=Hours.parse("Sun 00:00-01:00")) == []


@pytest.mark.parametrize(("used", "told"), [(NOON, 0), (NOON + 7 * HOUR, 1), (NOON + 5 * DAY, 1), (NOON - 7 * HOUR, 1)])
def test_use_outside_declared_hours_or_weekdays_is_told(used: datetime, told: int) -> None:
    key = history(snapshot(used=used - HOUR), snapshot(5, used + MINUTE, used=used))

    assert len(found(key, hours=Hours.parse("Mon-Fri 07:00-20:00 Europe/Madrid"))) == told


def test_use_outside_hours_is_told_in_the_keys_own_zone() -> None:
    key = history(snapshot(used=NOON), snapshot(5, NOON + 7 * HOUR, used=NOON + 7 * HOUR))

    (one,) = found(key, hours=Hours.parse("Mon-Fri 07:00-20:00 Europe/Madrid"))

    assert one.title == "render was used outside its hours (Mon 20:00)"
    assert one.evidence == (
        "Used at 2026-03-02 19:00 UTC (Mon 20:00 CET); its hours are Mon-Fri 07:00-20:00 Europe/Madrid.",
    )
    assert (one.severity, one.period) == (Severity.WARNING, "hours")


def test_use_is_judged_by_when_it_was_and_not_by_when_it_was_seen() -> None:
    seen_late = history(snapshot(used=NOON - HOUR), snapshot(5, NOON + 9 * HOUR, used=NOON))

    assert found(seen_late, hours=Hours.parse("Mon 09:00-17:00")) == []


def test_a_dormant_key_that_wakes_at_night_is_two_findings() -> None:
    periods = [one.period for one in found(woken(40 * DAY), hours=Hours.parse("Sun 00:00-01:00"))]

    assert periods == ["dormant", "hours"]


def revoked(seen_after: timedelta, *, spent: float = 0, used: datetime | None = None) -> History:
    """Seen revoked at noon, read again `seen_after`."""
    before = None if used is None else NOON - HOUR
    return history(
        snapshot(used=before, at=NOON - 5 * MINUTE),
        snapshot(used=before, status=REVOKED),
        snapshot(spent, NOON + seen_after, used=used, status=REVOKED),
    )


def test_use_after_a_revoke_is_critical() -> None:
    (one,) = found(revoked(5 * MINUTE, used=NOON + MINUTE))

    assert (one.severity, one.level, one.period) == (Severity.CRITICAL, 2, "revoked")
    assert one.title == "render was used after it was revoked"
    assert one.evidence[0] == "Seen revoked at 2026-03-02 12:00 UTC, used at 2026-03-02 12:01 UTC."


def test_a_revoked_key_that_is_not_used_is_quiet() -> None:
    assert found(revoked(DAY, used=NOON - HOUR)) == []


def test_runs_in_flight_at_the_revoke_may_still_be_charged_for_a_quarter_of_an_hour() -> None:
    charged = [len(found(revoked(after, spent=5))) for after in (14 * MINUTE, 15 * MINUTE)]

    assert charged == [0, 1]


def test_the_poll_that_first_sees_the_revoke_shows_use_from_before_it() -> None:
    key = history(snapshot(used=NOON - HOUR), snapshot(5, NOON + 5 * MINUTE, used=NOON + MINUTE, status=REVOKED))

    assert found(key) == []


def test_a_revoked_key_is_not_asked_for_its_hours() -> None:
    key = revoked(5 * MINUTE, used=NOON + MINUTE)

    assert [one.period for one in found(key, hours=Hours.parse("Sun 00:00-01:00"), dormant_after=MINUTE)] == ["revoked"]
