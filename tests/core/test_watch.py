"""What is known between two polls."""

from flowy_watch.core.usage import ALL_KEYS, Skipped
from flowy_watch.core.watch import Watch
from tests.builders import DAY, HOUR, MIDNIGHT, MINUTE, NOON, credit, reading, snapshot


def watched(*readings_at_noon: tuple[str, float]) -> Watch:
    """Keys with their spend, read once at noon."""
    watch = Watch()
    watch.add(reading(*(snapshot(spent, key_id=key) for key, spent in readings_at_noon), balance=1000))
    return watch


def test_ids_are_new_only_once() -> None:
    watch = Watch()
    later = NOON + 5 * MINUTE
    new = [
        watch.add(reading(snapshot(key_id="a"), snapshot(key_id="b"))),
        watch.add(reading(snapshot(0, later, key_id="b"), snapshot(0, later, key_id="c"), at=later)),
    ]

    assert new == [{"a", "b"}, {"c"}]


def test_a_key_that_comes_back_is_not_new() -> None:
    watch = watched(("a", 0))
    watch.add(reading(at=NOON + HOUR))

    assert watch.add(reading(snapshot(0, NOON + 2 * HOUR, key_id="a"), at=NOON + 2 * HOUR)) == frozenset()


def test_the_days_total_is_that_of_all_keys_also_of_those_not_listed_any_more() -> None:
    watch = watched(("a", 30), ("b", 50))
    watch.add(reading(snapshot(40, NOON + HOUR, key_id="a"), at=NOON + HOUR))

    assert watch.workspace.day_totals[NOON.date()] == credit(40 + 50)


def test_the_days_total_is_not_known_while_one_keys_spend_is_not() -> None:
    watch, later = Watch(), NOON + HOUR
    known, unknown = snapshot(30, key_id="a"), snapshot(key_id="b")._replace(spent=None)
    totals = []
    for at, listed in ((NOON, (known, unknown)), (later, (known,)), (later + HOUR, (known, snapshot(5, key_id="b")))):
        watch.add(reading(*(one._replace(taken_at=at) for one in listed), at=at))
        totals.append(watch.workspace.day_totals.get(NOON.date()))

    assert totals == [None, None, credit(35)]


def test_what_all_keys_spend_together_stands_for_those_of_which_it_is_not_known_apart() -> None:
    watch = Watch()
    watch.add(reading(snapshot(key_id="a")._replace(spent=None), snapshot(70, key_id=ALL_KEYS)))

    assert watch.workspace.day_totals[NOON.date()] == credit(70)


def test_what_was_spent_yesterday_is_not_in_todays_total() -> None:
    watch = watched(("a", 30), ("b", 50))
    watch.add(reading(snapshot(7, MIDNIGHT, key_id="a"), at=MIDNIGHT))

    assert watch.workspace.day_totals[MIDNIGHT.date()] == credit(7)


def test_spend_use_and_new_keys_are_movement_and_the_same_figures_are_not() -> None:
    watch, moved = Watch(), []
    for n, listed in enumerate(
        [
            [snapshot(5)],
            [snapshot(5)],
            [snapshot(6)],
            [snapshot(6, used=NOON + 3 * MINUTE)],
            [snapshot(6, used=NOON + 3 * MINUTE)],
            [snapshot(6, used=NOON + 3 * MINUTE), snapshot(key_id="b")],
        ]
    ):
        at = NOON + n * MINUTE
        watch.add(reading(*(one._replace(taken_at=at) for one in listed), at=at))
        moved.append(watch.workspace.moved_at == at)

    assert moved == [True, False, True, True, False, True]


def test_a_reading_is_remembered_by_its_time() -> None:
    assert (Watch().taken_at, watched().taken_at) == (None, NOON)


def test_within_a_day_every_counter_is_believed() -> None:
    same = reading(snapshot(30, NOON + HOUR, key_id="a", used=NOON), at=NOON + HOUR)

    assert watched(("a", 30)).believable(same) == (same.snapshots, ())


def test_the_first_reading_of_all_is_believed() -> None:
    first = reading(snapshot(30, MIDNIGHT, used=NOON), at=MIDNIGHT)

    assert Watch().believable(first) == (first.snapshots, ())


def test_after_midnight_a_key_with_yesterdays_counter_is_skipped_and_the_others_are_not() -> None:
    stale = snapshot(30, MIDNIGHT + MINUTE, key_id="a", used=NOON)
    fresh = snapshot(1, MIDNIGHT + MINUTE, key_id="b", used=NOON)
    unknown = snapshot(30, MIDNIGHT + MINUTE, key_id="c", used=NOON)
    watch = watched(("a", 30), ("b", 50))

    believed = watch.believable(reading(stale, fresh, unknown, at=MIDNIGHT + MINUTE))

    assert believed == ((fresh, unknown), (Skipped("a", "still shows yesterday's counter after 00:00 UTC"),))


def test_a_key_that_a_list_should_still_hold_is_missed_for_a_day() -> None:
    watch = watched(("a", 0), ("b", 0))
    missed = [watch.missing(reading(snapshot(key_id="b"), at=NOON + after)) for after in (MINUTE, DAY - MINUTE, DAY)]

    assert missed == [["a"], ["a"], []]
