"""What is normal for a key, and how soon it can be said. Ordinary is about 100 credits an hour."""

from collections.abc import Callable
from itertools import pairwise
from math import inf, isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.core.baseline import SLOTS, Baseline, Usual, hour_number
from flowy_watch.core.surprise import ODD_HOURS, ODD_SPEND, SPENT, TOLD_FROM, Seen, Verdict
from tests.builders import DAY, HOUR, MIDNIGHT, NOON, bursts, history, learned, ordinary, snapshot

Spends = Callable[[int], float]

NOW = hour_number(NOON)
TONIGHT = hour_number(MIDNIGHT)  # the first hour of a Tuesday
SATURDAY = hour_number(MIDNIGHT + 4 * DAY)
TOLD = 3.0
"""What a workspace of ten keys is told from."""
usually = bursts()


def nightly(hour: int) -> float:
    return 5 * usually(hour) if hour % 24 == 3 else 0.0


def office(hour: int) -> float:
    weekday = (hour // 24 + 3) % 7  # 1970-01-01 was a Thursday
    return usually(hour) if weekday < 5 and 8 <= hour % 24 < 18 else 0.0


def seldom(hour: int) -> float:
    return bursts(50)(hour) if hour % 60 == 7 else 0.0


def after(spends: Spends, until: int = TONIGHT, days: float = 28) -> Baseline:
    """The baseline as hour `until` begins."""
    return learned(spends, days, until=NOON + (until - NOW) * HOUR)


def surprise(baseline: Baseline, spent: float, hour: int = TONIGHT) -> float:
    """Of this much in one hour, most of it in its first half."""
    verdict, _ = baseline.judge(hour, 0.5, spent / 2, spent)
    return verdict.surprise if verdict else 0.0


def lived(baseline: Baseline, spends: Spends, start: int = TONIGHT, hours: int = 24) -> list[float]:
    """The surprise of each hour at its end, while the baseline learns them."""
    found = []
    for hour in range(start, start + hours):
        spent = spends(hour)
        verdict, _ = baseline.judge(hour, 1.0, spent, spent) if spent else (None, None)
        found.append(verdict.surprise if verdict else 0.0)
        baseline.learn(hour, spent)
    return found


# --- how much history it takes ---


def test_nothing_is_judged_before_three_days_were_watched() -> None:
    young, old = ordinary(71 / 24), ordinary(3)

    assert (young.known, young.judges, young.judge(NOW, 1.0, 9999, 9999)) == (False, False, (None, None))
    assert (old.known, old.judges, surprise(old, 9999, NOW) > TOLD) == (True, True, True)


def test_a_key_that_was_never_used_has_nothing_to_stray_from() -> None:
    never = ordinary(21, per_hour=0)

    assert (never.known, never.judges, never.mean) == (True, False, 0)
    assert never.judge(NOW, 1.0, 9999, 9999) == (None, None)


def test_three_days_have_wider_bands_than_four_weeks() -> None:
    def smallest_told(days: float) -> int:
        baseline = after(usually, days=days)
        return next(spent for spent in range(100, 5000, 20) if surprise(baseline, spent) >= 4)

    assert smallest_told(3) >= 1.2 * smallest_told(28)


def test_the_mean_is_that_of_four_weeks() -> None:
    assert ordinary(21, per_hour=100).mean == pytest.approx(100)
    assert after(lambda hour: 300.0 if hour >= TONIGHT - 28 * 24 else 100.0, days=35).mean == pytest.approx(
        300, rel=0.2
    )


# --- a key that spends all the time ---


@pytest.mark.parametrize(("minutes", "polls"), [(30, 1), (15, 2), (5, 5)])
def test_ten_times_the_usual_of_a_steady_key_is_told_within_half_an_hour(minutes: int, polls: int) -> None:
    step, start = minutes * HOUR / 60, NOON - HOUR
    key = history(snapshot(1000, start), snapshot(1100, NOON), baseline=learned(usually, until=start))
    told = []
    for n in range(1, polls + 1):
        key.add(snapshot(1100 + 1000 * n * minutes / 60, NOON + n * step))
        told.append(key.verdict is not None and key.verdict.surprise >= TOLD)

    assert told[-1]


def test_a_verdict_says_what_was_spent_and_what_was_expected() -> None:
    verdict, drift = ordinary(28).judge(NOW, 0.5, 500, 1000)

    assert verdict is not None
    assert verdict == Verdict(verdict.surprise, SPENT, 1, 1000, pytest.approx(100))
    assert verdict.excess == pytest.approx(900)
    assert drift is None


@pytest.mark.parametrize("seed", range(5))
def test_a_third_more_than_usual_is_not_told(seed: int) -> None:
    baseline = after(bursts(seed=seed))

    assert surprise(baseline, 130) == 0
    assert [one for one in lived(baseline, lambda hour: 130.0, hours=24) if one >= TOLD] == []


def test_an_ordinary_fortnight_is_hardly_ever_surprising() -> None:
    told = sum(
        one >= TOLD for seed in range(5) for one in lived(after(bursts(seed=seed)), bursts(seed=seed), hours=336)
    )

    assert told <= 3  # of 1,680 hours


def test_more_spend_is_more_surprising_up_to_where_no_model_is_to_be_believed() -> None:
    baseline = after(usually)
    found = [surprise(baseline, spent) for spent in (200, 400, 800, 1600, 3200, 1e6, 1e12)]

    assert found == sorted(found)
    assert found[0] < TOLD_FROM < found[3] < found[-1] <= 12


def test_what_seems_little_in_an_hour_is_told_in_a_day() -> None:
    assert max(lived(after(usually), lambda hour: 250.0)) > 4.5


# --- a key with hours of its own ---


def test_a_nightly_batch_at_its_hour_is_quiet() -> None:
    assert max(lived(after(nightly), nightly, hours=7 * 24)) == 0


@pytest.mark.parametrize("at", [9, 14, 20])
def test_a_nightly_batch_at_another_hour_is_told(at: int) -> None:
    assert max(lived(after(nightly), lambda hour: 500.0 if hour % 24 == at else 0.0)) >= TOLD


def test_a_burst_that_every_monday_has_is_quiet_on_mondays_and_told_on_tuesdays() -> None:
    def monday(hour: int) -> float:
        return 1500.0 if (NOW - hour) % 168 == 0 else usually(hour)

    quiet, loud = surprise(after(monday, NOW), 1500, NOW), surprise(after(monday, NOW + 24), 1500, NOW + 24)

    assert quiet < TOLD < loud - 1


def test_an_office_key_is_quiet_all_week_and_told_on_a_saturday() -> None:
    assert max(lived(after(office), office, hours=7 * 24)) < TOLD
    assert max(lived(after(office, SATURDAY), lambda hour: office(hour - 48), start=SATURDAY)) > 5


def test_spend_at_a_still_time_is_held_against_still_times_alone() -> None:
    verdict, _ = after(office, SATURDAY + 10).judge(SATURDAY + 10, 0.5, 60, 60)

    assert verdict is not None
    assert verdict.stream == ODD_SPEND


def test_a_little_use_in_many_still_hours_is_told_by_their_number() -> None:
    baseline, streams = after(office, SATURDAY), []
    for hour in range(SATURDAY, SATURDAY + 24):
        verdict, _ = baseline.judge(hour, 1.0, 0.4, 0.4)
        streams.append(verdict and (verdict.stream, verdict.excess))
        baseline.learn(hour, 0.4)

    assert streams[0] is None
    assert (ODD_HOURS, inf) in streams


@pytest.mark.parametrize("spends", [office, seldom])
def test_one_more_ordinary_use_of_a_key_that_is_seldom_used_is_quiet(spends: Spends) -> None:
    used = sorted(spends(hour) for hour in range(TONIGHT - 672, TONIGHT) if spends(hour))
    hour = next(hour for hour in range(TONIGHT, TONIGHT + 168) if spends(hour))

    assert surprise(after(spends, hour), used[len(used) // 2], hour) < TOLD


def test_a_key_that_is_seldom_used_is_told_when_it_spends_a_hundred_times_as_much() -> None:
    assert surprise(after(seldom), 40) < TOLD < surprise(after(seldom), 5000)


def sessions(hour: int) -> float:
    """Now and then by day, on working days, so that few hours of the week were ever used."""
    return usually(hour) if 8 <= hour % 24 < 18 and (hour // 24 + 3) % 7 < 5 and hour * 7919 % 101 < 25 else 0.0


def test_a_key_of_sessions_is_more_surprising_at_night_than_in_an_unused_hour_of_its_days() -> None:
    baseline = after(sessions)
    unused = next(hour for hour in range(TONIGHT + 10, TONIGHT + 17) if not baseline.usual(hour, 1).high)

    assert surprise(after(sessions, unused), 100, unused) < TOLD < surprise(baseline, 100) - 0.5
    assert baseline.odd_time(TONIGHT) > 1 > 0.1 > after(sessions, unused).odd_time(unused)


def test_other_signs_count_only_where_spend_is_surprising_and_not_beside_days() -> None:
    def judged(spent: float, signs: float) -> float:
        verdict, _ = ordinary(28).judge(NOW, 1.0, spent, spent, signs)
        return verdict.surprise if verdict else 0.0

    assert judged(500, 1) == pytest.approx(judged(500, 0) + 1)
    assert judged(110, 9) == 0


def alone(known: Baseline, verdict: Verdict) -> float:
    """What the window of a verdict finds by itself."""
    window = next(w for w in known.windows if (w.stream, w.hours) == (verdict.stream, verdict.hours))
    few, least = known.windows[0].few(known._weight), known._least(window)
    seen = Seen(verdict.actual, verdict.expected)
    return window.surprise(seen, known._weight, still=known._still, few=few, least=least)


def test_four_odd_hours_count_for_more_than_one_since_a_day_has_fewer_of_them() -> None:
    known = after(lambda hour: 250.0 if TONIGHT - 3 <= hour < TONIGHT else usually(hour))
    verdict, _ = known.judge(TONIGHT, 1.0, 250, 250)

    assert verdict is not None
    assert verdict.hours == 4
    assert verdict.surprise == pytest.approx(alone(known, verdict) + 0.5)


def test_a_key_that_is_hardly_used_must_stray_further() -> None:
    morning = TONIGHT + 7  # it was used in such hours before
    known = after(seldom, morning)
    verdict, _ = known.judge(morning, 1.0, 5000, 5000)

    assert verdict is not None
    assert (verdict.hours, known.odd_time(morning)) == (4, 0)
    assert verdict.surprise == pytest.approx(alone(known, verdict) + 0.5 - 0.6)


# --- what happened lately ---


@pytest.mark.parametrize(("hours", "times"), [(1, 10), (1, 50), (4, 10)])
@pytest.mark.parametrize("ago", [26, 50, 120])
def test_an_incident_does_not_blunt_the_watch_of_the_days_after(hours: int, times: int, ago: int) -> None:
    baseline = after(lambda hour: 100.0 * times if ago <= TONIGHT - hour < ago + hours else usually(hour))

    assert surprise(baseline, 1000) >= TOLD
    assert surprise(baseline, 3000) >= 5


def test_the_hour_is_held_against_the_level_of_the_last_days() -> None:
    def expected(level: float) -> float:
        changed = after(lambda hour: (level if hour >= TONIGHT - 48 else 1.0) * usually(hour))
        verdict, _ = changed.judge(TONIGHT, 1.0, 3000, 3000)
        assert verdict is not None
        return verdict.expected / verdict.hours

    low, usual_level, high, most = (expected(level) for level in (0.5, 1.0, 2.0, 9.0))

    assert low < 0.9 * usual_level < 1.1 * usual_level < high
    assert most < 3 * usual_level


def test_a_baseline_of_an_earlier_format_is_refused_and_so_learned_again() -> None:
    packed = after(usually).pack()
    rings = 4 * (SLOTS + 7 * 96)
    numbers = rings + 4 * 2 * 24

    earlier = packed[:rings] + packed[numbers:]  # without the heights of the two sums
    for other in (earlier, packed[:numbers] + bytes(8) + packed[numbers + 8 :], packed[:-8], b""):
        with pytest.raises(ValueError, match="not a"):
            Baseline.unpack(other)


def test_the_first_hour_after_a_gap_is_not_taken_for_a_day() -> None:
    def longest(known: Baseline, spent: float) -> int:
        verdict, drift = known.judge(TONIGHT, 1.0, spent, spent)
        assert drift is None
        return verdict.hours if verdict else 0

    watched, gap = after(usually), after(usually, until=TONIGHT - 30)

    assert longest(watched, 250) == longest(gap, 250) == 0
    assert longest(gap, 1000) == 1


def test_it_knows_since_when_more_is_spent_than_forecast() -> None:
    baseline = after(lambda hour: 400.0 if TONIGHT - hour <= 5 else 50.0 if TONIGHT - hour == 6 else usually(hour))

    assert [baseline.began(TONIGHT, most) for most in (24, 3, 1)] == [TONIGHT - 5, TONIGHT - 3, TONIGHT - 1]


def test_one_wild_hour_is_hardly_expected_again() -> None:
    verdict, _ = after(lambda hour: 5000.0 if TONIGHT - hour == 168 else 100.0).judge(TONIGHT, 1.0, 3000, 3000)

    assert verdict is not None
    assert verdict.expected < 150


def test_what_is_happening_now_does_not_teach_that_it_is_usual() -> None:
    found = lived(after(usually), lambda hour: 1500.0)

    assert min(found) > 5


def test_a_lasting_change_is_told_and_becomes_usual_within_two_weeks() -> None:
    launched = lived(after(usually), lambda hour: 5 * usually(hour), hours=21 * 24)

    assert launched[0] > TOLD
    assert max(launched[:24]) > 5
    assert [one for one in launched[14 * 24 :] if one >= TOLD] == []


def test_a_change_that_lasts_is_forgotten_again_when_it_ends() -> None:
    baseline = after(lambda hour: 5 * usually(hour) if TONIGHT - hour > 21 * 24 else usually(hour), days=35)

    assert surprise(baseline, 2000) >= TOLD


# --- gaps ---


def test_an_hour_that_nobody_watched_stays_unknown() -> None:
    baseline = Baseline()
    baseline.learn(1000, 5)
    baseline.learn(1003, 7)

    assert [baseline.hours[h % SLOTS] for h in (1000, 1003)] == [5, 7]
    assert isnan(baseline.hours[1001 % SLOTS])
    assert isnan(baseline.hours[1002 % SLOTS])


def test_five_weeks_of_silence_leave_nothing_of_what_was_before() -> None:
    baseline = ordinary(21)
    baseline.learn(NOW + SLOTS, 5)

    assert [v for v in baseline.hours if not isnan(v)] == [5]


def test_an_hour_is_learned_once_and_never_again() -> None:
    baseline = Baseline()
    for hour, spent in ((1000, 5), (1001, 6), (1000, 99), (1001, 99)):
        baseline.learn(hour, spent)

    assert [baseline.hours[h % SLOTS] for h in (1000, 1001)] == [5, 6]


def test_a_week_that_nobody_watched_is_neither_told_nor_taken_for_a_quiet_one() -> None:
    baseline = after(usually, TONIGHT - 168)
    found = lived(baseline, usually, hours=48)

    assert max(found) < TOLD
    assert surprise(baseline, 130, TONIGHT + 48) == 0
    assert surprise(baseline, 1000, TONIGHT + 48) > TOLD


SECONDS = TONIGHT * 3600.0


def test_spend_over_a_gap_is_judged_by_what_was_expected_in_it() -> None:
    found = [ordinary(21, until=MIDNIGHT).judge_gap(SECONDS, SECONDS + 5.5 * 3600, s) for s in (550, 700, 5500)]

    assert found[:2] == [None, None]
    assert found[2] is not None
    assert found[2].surprise > TOLD
    assert (found[2].stream, found[2].actual, found[2].expected) == (SPENT, 5500, pytest.approx(550))


@pytest.mark.parametrize("days", [0, 2])
def test_a_gap_of_a_new_key_is_not_judged(days: float) -> None:
    assert ordinary(days, until=MIDNIGHT).judge_gap(SECONDS, SECONDS + 18_000, 1e6) is None


def test_a_gap_longer_than_every_window_is_not_judged() -> None:
    assert ordinary(21, until=MIDNIGHT).judge_gap(SECONDS, SECONDS + 72 * 3600, 1e6) is None


@pytest.mark.parametrize("missed", [0, 3])
def test_after_a_gap_the_hour_is_judged_as_if_the_key_had_been_watched(missed: int) -> None:
    baseline = after(usually)
    baseline.judge_gap(SECONDS, SECONDS + missed * 3600 + 600, 1)

    assert surprise(baseline, 130, TONIGHT + missed) == 0
    assert surprise(baseline, 2000, TONIGHT + missed) > TOLD


def test_after_a_gap_a_job_that_spends_at_the_full_hour_is_not_odd() -> None:
    def after_gap(times: float) -> float:
        baseline = after(lambda hour: 0.0 if hour % 2 else 20 + usually(hour), until=TONIGHT - 5)
        verdict, _ = baseline.judge(TONIGHT, 0.25, 120 * times, 120 * times)
        return verdict.surprise if verdict else 0.0

    assert after_gap(1) == 0
    assert after_gap(10) > TOLD


# --- what people are shown ---


def test_what_is_usual_is_told_by_weekday_as_soon_as_two_weeks_are_known() -> None:
    assert ordinary(4.5).usual(NOW, 1) == Usual(100, 100, "around 12:00 UTC", 4)
    assert ordinary(21).usual(NOW, 1) == Usual(100, 100, "on Mondays around 12:00 UTC", 2)
    assert ordinary(30).usual(NOW, 24) == Usual(2400, 2400, "on Mondays around 12:00 UTC", 4)


def test_what_is_usual_runs_from_the_least_to_the_most_seen() -> None:
    baseline = after(lambda hour: float((NOW - hour) // 168), NOW, days=35)

    low, high, _, times = baseline.usual(NOW, 1)

    assert (low, high, times) == (1, 4, 4)


def test_a_span_with_an_unknown_hour_is_not_shown_as_usual() -> None:
    baseline = Baseline()
    for hour in range(NOW - 5 * 24, NOW):
        if hour != NOW - 26:
            baseline.learn(hour, 100)

    assert (baseline.usual(NOW, 1).times, baseline.usual(NOW, 4).times) == (4, 3)


def test_nothing_is_usual_for_a_key_that_was_not_watched() -> None:
    assert Baseline().usual(NOW, 1) == Usual(0, 0, "around 12:00 UTC", 0)


# --- storage ---


def moves(step: tuple[int, float], baseline: Baseline, hour: int) -> tuple[object, ...]:
    hours_on, spent = step
    gap = baseline.judge_gap((hour + 1) * 3600.0, (hour + hours_on) * 3600.0 + 60, spent) if hours_on > 2 else None
    judged = baseline.judge(hour + hours_on, 0.25, spent / 4, spent)
    baseline.learn(hour + hours_on, spent)
    return gap, judged, baseline.known, baseline.mean, baseline.usual(hour + hours_on, 4)


@settings(max_examples=40)
@given(
    st.sampled_from([lambda hour: 0.0, usually, office, nightly, seldom]),
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1e9, width=32)), min_size=2, max_size=40),
    st.data(),
)
def test_a_baseline_comes_back_from_storage_and_goes_on_as_it_would_have(
    spends: Spends, steps: list[tuple[int, float]], data: st.DataObject
) -> None:
    stored_at = data.draw(st.integers(0, len(steps) - 1))
    original, hour = after(spends, days=7), TONIGHT - 1
    copy = original
    for n, step in enumerate(steps):
        if n == stored_at:
            copy = Baseline.unpack(original.pack())
        found = moves(step, original, hour)
        if copy is not original:
            assert moves(step, copy, hour) == found
        hour += step[0]

    assert copy.pack() == original.pack()


def test_years_of_learning_lose_nothing_in_storage_or_scale() -> None:
    baseline = after(usually, TONIGHT, days=405)  # long enough for the weights to have been scaled back

    assert surprise(baseline, 130) == 0
    assert surprise(baseline, 1000) > TOLD
    assert Baseline.unpack(baseline.pack()).pack() == baseline.pack()


@pytest.mark.parametrize(
    "packed", [b"", b"\0" * 16, b"\0" * 6000, Baseline().pack() + b"\0" * 8, ordinary(5).pack()[:-8]]
)
def test_bytes_that_are_no_baseline_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="not a baseline of this version"):
        Baseline.unpack(packed)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1e13), st.floats(0, 1)), max_size=60))
def test_no_figures_stop_it(steps: list[tuple[int, float, float]]) -> None:
    baseline, hour = after(office, days=4), TONIGHT
    for hours_on, spent, part in steps:
        hour += hours_on
        verdict, drift = baseline.judge(hour, part, spent * part, spent)
        assert all(TOLD_FROM <= one.surprise <= 12 for one in (verdict, drift) if one)
        baseline.learn(hour, spent)


def test_the_same_weeks_in_other_credits_are_judged_the_same() -> None:
    small, large = after(office, SATURDAY), after(lambda hour: 1024 * office(hour), SATURDAY)
    found = [(surprise(small, s, SATURDAY + 9), surprise(large, 1024 * s, SATURDAY + 9)) for s in (5, 50, 500, 5000)]

    assert all(a == pytest.approx(b) for a, b in found)
    assert all(a < b for (a, _), (b, _) in pairwise(found))
