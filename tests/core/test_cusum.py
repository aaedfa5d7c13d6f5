"""Hours none of which is odd enough: how they add up."""

import pytest

from flowy_watch.core.cusum import LAG, Cusum
from flowy_watch.core.surprise import ODD_CUSUM, ODD_SPEND, SPENT, SPENT_CUSUM


def lived(*surprises: float, stream: int = SPENT) -> Cusum:
    made = Cusum(stream)
    for hour, surprise in enumerate(surprises):
        made.add(hour, surprise, 30, 10)
        made.learn(hour, judged=True)
    return made


CALM = [0.0] * 400
RESTLESS = [*[0.0] * 30, *[2.0] * 6] * 12


def test_hours_that_are_only_a_little_odd_are_told_when_they_follow_one_another() -> None:
    few, many = (lived(*CALM, *[1.2] * hours).judge(1000, 0, 0) for hours in (4, 12))

    assert few is None
    assert many is not None
    assert (many.surprise > 4, many.stream) == (True, SPENT_CUSUM)


def test_the_sum_says_when_it_began_and_what_was_spent_since() -> None:
    told = lived(*CALM, *[2.0] * 8).judge(408, 5, 1)

    assert told is not None
    assert told[2:] == (8, 8 * 30 + 5, 8 * 10 + 1)


def test_still_times_are_a_sum_of_their_own() -> None:
    told = lived(*CALM, *[2.0] * 8, stream=ODD_SPEND).judge(408, 0, 0)

    assert told is not None
    assert told.stream == ODD_CUSUM


def test_one_hour_however_wild_is_not_persistent() -> None:
    assert lived(*CALM, 12.0).surprise == 0


def test_a_key_that_often_climbs_is_less_surprising_than_one_that_never_does() -> None:
    assert 0 < lived(*RESTLESS, *CALM[:30], *[2.0] * 8).surprise < lived(*CALM, *[2.0] * 8).surprise - 1


def test_what_is_happening_now_is_learned_a_day_late() -> None:
    now = lived(*CALM, *[2.0] * LAG)

    assert (now.peaks, now.surprise > 5) == (0, True)


def test_hours_that_nobody_watched_wear_the_sum_off() -> None:
    made = lived(*CALM, *[2.0] * 8)
    made.pass_by(12)

    assert made.height == pytest.approx(8 * 1.7 - 12 * 0.3)
    made.pass_by(100)
    assert (made.height, made.judge(600, 0, 0)) == (0, None)


def test_hours_in_which_the_key_could_not_be_judged_teach_nothing() -> None:
    made = Cusum(SPENT)
    for hour in range(3 * LAG):
        made.learn(hour, judged=hour % 2 == 0)

    assert made.seen == pytest.approx(LAG, rel=0.1)
