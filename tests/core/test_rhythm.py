"""An even pace, and what it says of a key."""

from random import Random

import pytest

from flowy_watch.core.rhythm import Rhythm

QUARTER = 900.0


def after(*ticks: float, seconds: float = QUARTER) -> Rhythm:
    made = Rhythm()
    for spent in ticks:
        made.add(spent, seconds)
    return made


def people(times: int) -> list[float]:
    dice = Random(1)
    return [dice.lognormvariate(3, 0.7) for _ in range(times)]


def test_a_run_of_equal_readings_is_evidence_and_grows_with_each() -> None:
    grown = [after(*people(200), *[65] * times).evidence for times in range(1, 6)]

    assert grown[:2] == [0, 0]
    assert 0.5 < grown[2] < grown[3] - 0.3 < grown[4] - 0.6


def test_people_hardly_ever_keep_a_pace() -> None:
    made, found = Rhythm(), []
    for spent in people(2000):
        made.add(spent, QUARTER)
        found.append(made.evidence)

    assert sum(evidence > 0 for evidence in found) < 20
    assert max(found) < 2


def test_a_key_that_always_keeps_its_pace_shows_nothing_by_it() -> None:
    machine = [paid for n in range(200) for paid in (40, 40, 40, 40, n % 7 * 10)]

    assert after(*machine, *[40] * 5).evidence < 0.3 * after(*people(200), *[40] * 5).evidence


def test_the_pace_counts_and_not_the_length_of_the_tick() -> None:
    made = after(*people(200))
    for seconds in (880, 900, 1000, 890):
        made.add(seconds / 10, seconds)

    assert (made.run, made.evidence > 1) == (3, True)


@pytest.mark.parametrize("ticks", [[65, 65, 0], [65, 65, 80]])
def test_a_rest_or_another_pace_ends_the_run(ticks: list[float]) -> None:
    made = after(*people(200), 65, *ticks)

    assert (made.run, made.evidence) == (0, 0)


def test_readings_an_hour_apart_say_nothing_about_a_pace() -> None:
    assert after(*[65] * 9, seconds=3600).run == 0


def test_a_run_that_lasts_does_not_become_normal() -> None:
    assert after(*people(200), *[65] * 100).repeats < after(*people(200)).repeats + 5


def test_it_comes_back_as_it_was() -> None:
    made = after(*people(50), 65, 65, 65)

    assert Rhythm(*made.dump()) == made  # type: ignore[arg-type]
