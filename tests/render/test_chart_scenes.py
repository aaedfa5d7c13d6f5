"""What is kept of the hours around an alert."""

from collections.abc import Iterable, Iterator
from math import isnan

from flowy_watch.core.usage import Reading
from flowy_watch.detectors import DETECTORS
from flowy_watch.jobs.backtest import backtest
from flowy_watch.render.chart_alert import Scene
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, reading, snapshot
from tests.jobs.rigs import detectors, rules


def hourly(days: int, pace: dict[int, float], *, cap: float = 9000, skipped: Iterable[int] = ()) -> Iterator[Reading]:
    """A key that spends 100 credits in every hour, or what `pace` says of the hours counted back from MIDNIGHT."""
    spent = 0.0
    for back in range(days * 24, 0, -1):
        at = MIDNIGHT - back * HOUR
        spent = spent if at.hour else 0.0
        if back not in skipped:
            yield reading(snapshot(spent, at, cap=cap), at=at, balance=10_000 + back)
        spent += pace.get(back, 100)
    last = MIDNIGHT - MINUTE
    yield reading(snapshot(spent, last, cap=cap), at=last)


def scenes(readings: Iterable[Reading], *kinds: str) -> tuple[Scene, ...]:
    return backtest(readings, detectors(*kinds), rules().rules_of, scenes=True).scenes


def test_a_scene_shows_what_was_spent_what_was_expected_and_what_past_weeks_showed() -> None:
    day_of_150 = dict.fromkeys(range(9 * 24, 8 * 24, -1), 150.0)
    scene = scenes(hourly(21, day_of_150 | {2: 900}), "spike")[-1]
    hours = [scene.start_at + n * HOUR for n in range(len(scene.spent))]
    calm, last = hours.index(NOON - DAY), hours.index(MIDNIGHT - 2 * HOUR)
    assert scene.opened_at == MIDNIGHT - HOUR
    assert (scene.spent[calm], scene.spent[last]) == (100, 900)
    assert (scene.low[calm], scene.high[calm]) == (100, 150)
    assert (scene.low[last], scene.high[last]) == (100, 100)
    assert 100 < scene.expected[calm] < 130
    assert scene.counter[last + 1] == 23 * 100 + 900


def test_what_was_usual_is_what_was_known_when_the_alert_opened() -> None:
    """Five weeks and more: the alert's own hours take the place of those that were the oldest."""
    scene = scenes(hourly(45, {100: 5000}), "spike")[0]
    assert scene.opened_at == MIDNIGHT - 99 * HOUR
    assert max(scene.spent) > 1000
    assert max(scene.high) == 100


def test_a_scene_begins_a_week_before_and_ends_a_day_after() -> None:
    scene = scenes(hourly(21, {60: 2000}), "spike")[0]
    hour = MIDNIGHT - 59 * HOUR
    assert (scene.opened_at, scene.start_at) == (hour, hour - 7 * DAY)
    assert len(scene.spent) == 7 * 24 + 1 + 24
    assert {len(row) for row in (scene.counter, scene.expected, scene.low, scene.high)} == {len(scene.spent)}


def test_each_alert_has_a_scene_in_the_order_of_alerts() -> None:
    tested = backtest(hourly(21, {300: 2000, 200: 5000, 3: 3000}), detectors(*DETECTORS), rules().rules_of, scenes=True)
    assert len(tested.alerts) > 3
    assert [(s.number, s.opened_at, s.finding.kind) for s in tested.scenes] == [
        (a.id, a.opened_at, a.finding.kind) for a in tested.alerts
    ]


def test_a_scene_keeps_the_finding_as_it_opened() -> None:
    [scene] = scenes(hourly(3, {}, cap=2000), "cap")[-1:]
    assert scene.finding.level == 80


def test_hours_nobody_watched_are_unknown() -> None:
    scene = scenes(hourly(3, {}, cap=2000, skipped=range(10, 15)), "cap")[-1]
    unknown = [scene.start_at + n * HOUR for n, spent in enumerate(scene.counter) if isnan(spent)]
    assert unknown == [MIDNIGHT - back * HOUR for back in range(14, 9, -1)]


def test_a_young_key_has_neither_forecast_nor_usual_range() -> None:
    scene = scenes(hourly(1, {}, cap=2000), "cap")[0]
    assert all(map(isnan, (*scene.expected, *scene.low, *scene.high)))
    assert scene.start_at == MIDNIGHT - DAY


def test_a_scene_of_the_workspace_shows_its_balance() -> None:
    readings = [reading(snapshot(0, NOON - n * HOUR), at=NOON - n * HOUR, balance=50 * n) for n in range(30, -1, -1)]
    scene = scenes(readings, "balance")[0]
    assert scene.finding.key_id is None
    assert scene.balance[:3] == [1500, 1450, 1400]
