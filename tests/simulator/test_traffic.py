"""What the workspace does by itself."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.simulator import SCENARIOS, Faults, World, make_world

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)  # a Tuesday
SLEEPING = {"legacy-import", "partner-sandbox", "old-webhook"}


def state(world: World) -> list[object]:
    counters = [(key.id, key.spent_today, key.last_used_at, key.refused_today, key.status) for key in world.keys]
    return [*counters, world.balance, dict(world.run_counts)]


@settings(max_examples=25)
@given(
    scenario=st.sampled_from(sorted(SCENARIOS)),
    steps=st.lists(st.timedeltas(timedelta(0), timedelta(hours=9)), max_size=40),
)
def test_the_same_instant_is_the_same_state_however_it_was_reached(scenario, steps):
    leaping, stepping = make_world(start=MIDNIGHT), make_world(start=MIDNIGHT)
    for world in (leaping, stepping):
        SCENARIOS[scenario].play(world, Faults(), start=MIDNIGHT)
    for step in steps:
        stepping.advance(stepping.now + step)
        stepping.advance(stepping.now - step)  # the past changes nothing
    leaping.advance(stepping.now)
    assert state(leaping) == state(stepping)


def test_a_seed_decides_everything():
    first, again, other = (make_world(20, seed=seed, start=MIDNIGHT + timedelta(hours=9)) for seed in (1, 1, 2))
    assert state(first) == state(again) != state(other)
    assert [key.secret for key in first.keys] == [key.secret for key in again.keys]
    assert not {key.secret for key in first.keys} & {key.secret for key in other.keys}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("keys", [None, 24])
def test_on_a_normal_day_no_key_passes_six_tenths_of_its_cap(keys, seed):
    world = make_world(keys, seed=seed, start=MIDNIGHT)
    for day in range(1, 29):
        world.advance(MIDNIGHT + timedelta(days=day, seconds=-1))
        assert not [key.name for key in world.keys if key.spent_today > 0.6 * key.daily_cap]
        assert not [key.name for key in world.keys if key.refused_today]


def test_a_normal_hour_is_like_the_same_hour_of_other_days():
    world, spent = make_world(start=MIDNIGHT), []
    render = world.key("prod-render")
    for day in range(28):
        world.advance(MIDNIGHT + timedelta(days=day, hours=10))
        before = render.spent_today
        world.advance(MIDNIGHT + timedelta(days=day, hours=11))
        spent.append(render.spent_today - before)
    assert max(spent) < 2 * min(spent)


def test_the_balance_lasts_for_weeks_at_any_time():
    world = make_world(start=MIDNIGHT)
    for hour in range(0, 24 * 60, 6):
        world.advance(MIDNIGHT + timedelta(hours=hour))
        assert world.balance > 14 * world.usual_daily_spend


def test_keys_keep_their_hours():
    world = make_world(start=MIDNIGHT)
    world.advance(MIDNIGHT + timedelta(days=4, hours=23))  # Saturday night
    used = {key.name: key.last_used_at for key in world.keys}
    friday, saturday = (MIDNIGHT + timedelta(days=days) for days in (3, 4))
    assert friday.replace(hour=16) < used["design-team"] < friday.replace(hour=17)
    assert saturday.replace(hour=3) < used["nightly-batch"] < saturday.replace(hour=4)
    assert used["prod-render"] > saturday.replace(hour=22)
    assert all(used[name] < MIDNIGHT - timedelta(days=90) for name in SLEEPING)


def test_what_was_spent_today_before_the_start_is_there():
    early, late = make_world(start=MIDNIGHT), make_world(start=MIDNIGHT + timedelta(hours=15, minutes=7))
    early.advance(late.now)
    assert state(early) == state(late)
    assert late.key("prod-api").spent_today > 0


def test_at_midnight_utc_every_counter_starts_again_and_nothing_else():
    world = make_world(start=MIDNIGHT + timedelta(hours=23, minutes=59, seconds=59))
    balance = world.balance
    assert world.key("prod-render").spent_today > 0
    world.advance(MIDNIGHT + timedelta(days=1))
    assert {key.spent_today for key in world.keys} == {0}
    assert world.balance == balance


def test_background_traffic_obeys_revocation_and_caps():
    world = make_world(start=MIDNIGHT)
    world.revoke("prod-render", MIDNIGHT)
    world.set_cap("prod-api", 20, MIDNIGHT)
    world.advance(MIDNIGHT + timedelta(hours=20))
    render, api = world.key("prod-render"), world.key("prod-api")
    assert (render.spent_today, render.last_used_at < MIDNIGHT) == (0, True)
    assert 15_000_000 < api.spent_today <= 20_000_000
    assert api.refused_today > 0


def test_others_use_of_a_key_shows_in_what_remains_of_its_minute():
    world = make_world(start=MIDNIGHT)
    secret, seen = world.key("nightly-batch").secret, set()
    for minute in range(60, 120):
        now = MIDNIGHT + timedelta(minutes=minute, seconds=59)
        seen.add(world.quota(secret, now).remaining)
    assert seen >= {59, 60}
