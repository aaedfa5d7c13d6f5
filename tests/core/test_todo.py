"""What a digest asks for: few things, each with its place, the most urgent first."""

from flowy_watch.core.digest import Outcome
from flowy_watch.core.todo import Task, fit_cap, todos
from tests.builders import credit
from tests.core.digests import alert_figures, balance, digest, key


def asked(*keys: object, **more: object) -> list[tuple[Task, str, int]]:
    made = digest(*keys, **more)  # type: ignore[arg-type]
    return [(todo.task, todo.key.name if todo.key else "", todo.more) for todo in todos(made)]


def test_a_key_without_a_cap_that_spends_is_asked_to_be_capped_the_biggest_first() -> None:
    assert asked(key("a", 5), key("b", 9), key("idle")) == [(Task.SET_CAP, "b", 1)]


def test_the_cap_to_set_is_two_and_a_half_high_days_as_a_round_number() -> None:
    assert fit_cap(key("a", 100, 490)) == credit(1300)
    assert fit_cap(key("a", 100, usual_high=490)) == credit(1300)
    assert fit_cap(key("a", 0.1)) == credit(1)
    assert fit_cap(key("a")) == credit(1)


def test_a_cap_far_above_every_high_day_is_asked_to_be_lowered() -> None:
    assert asked(key("a", 100, cap=400, usual_high=100)) == [(Task.LOWER_CAP, "a", 0)]
    assert asked(key("a", 100, cap=399, usual_high=100)) == []


def test_a_cap_that_is_hit_once_may_be_chance_twice_is_asked_about() -> None:
    assert asked(key("a", 100, cap=100, at_cap=1)) == []
    assert asked(key("a", 100, 100, cap=100, at_cap=2)) == [(Task.AT_CAP, "a", 0)]


def test_the_longest_unused_key_is_asked_to_be_revoked_but_a_revoked_one_is_not() -> None:
    keys = (
        key("a", idle_days=30, cap=1),
        key("b", idle_days=90, cap=1),
        key("c", idle_days=90, cap=1, status="revoked"),
    )
    assert asked(*keys) == [(Task.REVOKE, "b", 1)]


def test_an_alert_nobody_answered_comes_before_housekeeping() -> None:
    alerts = (alert_figures(severity="warning", id=3), alert_figures(id=4), alert_figures(Outcome.EXPECTED, id=5))
    made = digest(key("render", 5), alerts=alerts)
    assert [(todo.task, todo.alert and todo.alert.id, todo.more) for todo in todos(made)] == [
        (Task.ANSWER, 4, 1),
        (Task.SET_CAP, None, 0),
    ]


def test_a_balance_that_lasts_under_two_weeks_comes_first() -> None:
    week = [10] * 7
    assert asked(key("a", *week, cap=30), per_day=10, balance=balance(139, fell=70))[0] == (Task.TOP_UP, "", 0)
    assert asked(key("a", *week, cap=30), per_day=10, balance=balance(140, fell=70)) == []


def test_spend_that_no_key_explains_is_asked_about_from_a_twentieth_on() -> None:
    assert asked(key("a", 95, cap=100), balance=balance(10**6, fell=100)) == []
    assert asked(key("a", 94, cap=100), balance=balance(10**6, fell=100)) == [(Task.EXPLAIN, "", 0)]


def test_there_are_never_more_than_five() -> None:
    keys = (
        key("a", 50), key("b", 90, cap=90, at_cap=3), key("c", idle_days=45, cap=9),
        key("d", 1, cap=900, usual_high=1),
    )  # fmt: skip
    made = asked(*keys, per_day=10, balance=balance(5, fell=500), alerts=(alert_figures(),))
    assert [task for task, _, _ in made] == [Task.TOP_UP, Task.ANSWER, Task.SET_CAP, Task.AT_CAP, Task.EXPLAIN]
