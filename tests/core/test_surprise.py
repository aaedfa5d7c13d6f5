"""One window: how far from its forecast, and how unlikely."""

import pytest

from flowy_watch.core.surprise import ODD_HOURS, ODD_SPEND, SPENT, TOLD_FROM, Seen, Verdict, Window


def window(*seen: tuple[float, float], stream: int = SPENT, hours: int = 1, weight: float = 1) -> Window:
    made = Window(stream, hours)
    for one in seen:
        made.learn(Seen(*one), weight, still=False, whole=True, least=5)
    return made


def surprise(made: Window, actual: float, expected: float = 100, *, few: bool = False, weight: float = 1) -> float:
    found = made.judge(Seen(actual, expected), weight, still=False, few=few, least=5)
    return found.surprise if found else 0


CALM = [(90.0, 100.0), (110.0, 100.0)] * 200
WILD = [*[(90.0, 100.0), (110.0, 100.0)] * 180, *[(400.0, 100.0)] * 40]


def test_a_key_given_to_flashes_is_less_surprising_than_one_that_never_flashes() -> None:
    assert TOLD_FROM < surprise(window(*WILD), 1000) < surprise(window(*CALM), 1000) - 2


def test_no_more_than_was_expected_is_never_surprising() -> None:
    assert [surprise(window(*CALM), actual) for actual in (0, 100, 114)] == [0, 0, 0]


def test_what_is_below_the_bar_is_not_judged() -> None:
    made = window(*CALM)

    assert [surprise(made, made.bar(100, 5)), surprise(made, 300) > 0] == [0, True]


@pytest.mark.parametrize("weight", [1.0, 1e-3, 1e5])
def test_only_the_proportion_of_the_weights_counts(weight: float) -> None:
    scaled = window(*WILD, weight=1)
    scaled.scale(weight)

    assert surprise(scaled, 700, weight=weight) == pytest.approx(surprise(window(*WILD), 700))


def test_one_wild_hour_counts_for_no_more_than_a_cap() -> None:
    blunted, sharp = window(*CALM, (5000, 100)), window(*CALM, (1600, 100))

    assert blunted.burst <= 1.2 * sharp.burst


def test_a_key_that_is_hardly_used_is_surprising_only_if_the_use_is_rare_or_large() -> None:
    rare = window(*[(0.0, 0.1)] * 900, *[(5.0, 0.1), (500.0, 0.1)] * 3)

    assert rare.few(1)
    assert not window(*CALM).few(1)
    both = [[surprise(rare, spent, 0.1, few=few) for few in (True, False)] for spent in range(500, 20000, 500)]
    assert all(few <= many for few, many in both)
    assert any(few < many - 0.3 for few, many in both)


def test_a_key_without_a_size_of_bursts_is_not_judged() -> None:
    assert Window(SPENT, 1).judge(Seen(500, 0), 1, still=False, few=False, least=0) is None
    window((500, 0)).learn(Seen(500, 0), 1, still=False, whole=True, least=0)


def test_hours_with_use_are_counted_and_not_their_credits() -> None:
    hours = window(*[(1.0, 1.0)] * 100, stream=ODD_HOURS, hours=8)
    found = hours.judge(Seen(8, 0.3), 1, still=True, few=False, least=1e9)

    assert found is not None
    assert (found.stream, found.hours, found.excess) == (ODD_HOURS, 8, float("inf"))
    assert hours.judge(Seen(8, 0.3), 1, still=True, few=True, least=0) is None
    assert hours.judge(Seen(0.2, 0.3), 1, still=True, few=False, least=0) is None


def test_the_excess_of_spend_is_what_was_not_expected() -> None:
    assert Verdict(5, ODD_SPEND, 4, 120, 20).excess == 100


def test_a_window_comes_back_from_its_numbers_as_it_was() -> None:
    made = window(*WILD)

    assert Window(SPENT, 1, made.numbers()).numbers() == made.numbers()
    assert len(made.numbers()) == len(Window.FIELDS)


def test_numbers_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError):
        Window(SPENT, 1, [1.0, 2.0])
