"""When a key, or the whole workspace, has had enough."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.simulator import Refused
from flowy_watch.simulator.app import APPS

BRIEF = {"brief": "a red bicycle"}


def test_a_run_over_http_shows_in_spent_today_last_used_and_balance(flowy, clock):
    clock.wait(minutes=5)
    flowy.run("voice-over")
    assert (flowy.usage("shop")["spentToday"], flowy.usage("shop")["lastUsedAt"]) == (1.5, "2026-11-24T12:05:00Z")
    assert flowy.balance() == 998.5
    assert flowy.usage("newer")["spentToday"] == 0


def test_a_request_without_a_run_moves_last_used_and_spends_nothing(flowy):
    assert flowy.usage("site")["lastUsedAt"] is None
    flowy.get("/apps", key="site")
    assert (flowy.usage("site")["lastUsedAt"], flowy.balance()) == ("2026-11-24T12:00:00Z", 1000)


def test_at_its_cap_a_key_is_refused_until_the_next_utc_day(flowy, clock):
    flowy.world.set_cap("shop", 8, clock.now())
    assert [flowy.run().status_code for _ in range(3)] == [202, 202, 402]
    clock.wait(hours=11, minutes=59, seconds=59)
    assert flowy.run().status_code == 402
    clock.wait(seconds=1)
    assert flowy.run().status_code == 202
    assert (flowy.usage("shop")["spentToday"], flowy.balance()) == (4, 988)


def test_a_run_that_would_exceed_the_cap_is_refused_while_a_cheaper_one_fits(flowy, clock):
    flowy.world.set_cap("shop", 4.25, clock.now())
    answers = [flowy.run(app).status_code for app in ("product-photo", "product-photo", "caption", "caption")]
    assert answers == [202, 402, 202, 402]
    assert flowy.usage("shop")["spentToday"] == 4.25


def test_a_raised_or_removed_cap_lets_a_key_go_on_at_once(flowy, clock):
    flowy.world.set_cap("shop", 4, clock.now())
    assert [flowy.run().status_code for _ in range(2)] == [202, 402]
    flowy.world.set_cap("shop", None, clock.now())
    assert flowy.run().status_code == 202
    assert flowy.usage("shop")["dailySpendCap"] is None


def test_a_balance_too_low_stops_every_key_whatever_its_cap(flowy, clock):
    flowy.world.set_balance(4.5, clock.now())
    assert [flowy.run(key=key).status_code for key in ("shop", "newer")] == [202, 402]
    flowy.world.top_up(10, clock.now())
    assert (flowy.run(key="newer").status_code, flowy.balance()) == (202, 6.5)


@pytest.mark.parametrize(("key", "limit"), [("shop", 60), ("newer", 60), ("site", 120)])
def test_over_its_requests_per_minute_a_key_is_told_when_to_come_back(flowy, clock, key, limit):
    clock.wait(seconds=15)
    answers = [flowy.get("/apps", key=key) for _ in range(limit + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {200}
    assert [answers[n].headers["x-ratelimit-remaining"] for n in (0, limit - 1, limit)] == [str(limit - 1), "0", "0"]
    last = answers[-1]
    assert (last.status_code, last.headers["retry-after"]) == (429, "45")
    assert (last.headers["x-ratelimit-limit"], last.headers["x-ratelimit-reset"]) == (str(limit), "1795521660")
    clock.wait(seconds=45)
    assert flowy.get("/apps", key=key).status_code == 200


def test_only_a_429_says_retry_after(flowy, clock):
    flowy.world.set_cap("shop", 0, clock.now())
    answers = [flowy.run(), flowy.run("none"), flowy.get("/apps", key="shop")]
    assert [answer.headers.get("retry-after") for answer in answers] == [None, None, None]


def test_a_rate_limit_of_ones_own_replaces_the_default(flowy, clock):
    flowy.world.set_rate_limit("shop", 2, clock.now())
    assert [flowy.get("/apps", key="shop").status_code for _ in range(3)] == [200, 200, 429]
    assert flowy.usage("shop")["rateLimitPerMinute"] == 2


def test_a_key_may_have_only_so_many_runs_at_once(flowy, clock):
    answers = [flowy.run() for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert (answers[5].headers["retry-after"], flowy.balance()) == ("17", 980)
    clock.wait(seconds=17)
    assert flowy.run().status_code == 202


starts = st.lists(
    st.tuples(
        st.sampled_from(["shop", "newer", "site"]),
        st.sampled_from([app for app in APPS if app != "app_in-the-lab"]),
        st.integers(0, 900),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(starts=starts, cap=st.integers(0, 200), balance=st.integers(0, 400))
def test_the_prices_of_all_runs_are_what_the_keys_spent_and_what_the_balance_lost(new_world, starts, cap, balance):
    world = new_world()
    now = world.now
    world.set_balance(balance, now)
    world.set_cap("newer", cap, now)
    for key, app, seconds in starts:
        now += timedelta(seconds=seconds)
        if now.date() != world.now.date():
            break
        with suppress(Refused):
            world.start_run(world.key(key).secret, app, BRIEF, now)
    spent = sum(key.spent_today for key in world.keys)
    assert sum(run.price for run in world.runs.values()) == spent == balance * 1_000_000 - world.balance
    assert world.balance >= 0
    assert world.key("newer").spent_today <= cap * 1_000_000


def test_each_key_is_told_what_is_left_to_it_alone(flowy, clock):
    def left(key: str) -> int:
        return int(flowy.get("/apps", key=key).headers["x-ratelimit-remaining"])

    assert [left("shop"), left("shop"), left("newer"), left("site"), left("shop")] == [59, 58, 59, 119, 57]
    assert int(flowy.run("none").headers["x-ratelimit-remaining"]) == 56
    clock.wait(seconds=60)
    assert [left("newer"), left("shop")] == [59, 59]
