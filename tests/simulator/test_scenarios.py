"""What each bad day does to the workspace."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flowy_watch.simulator import SCENARIOS, Faults, SimulatorServer, World, make_world

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)  # a Tuesday
KINDS = {"cap", "spike", "ramp", "last_used", "balance", "unattributed", "safeguard", "blind"}


def played(name: str, *, hours: float, faults: Faults | None = None) -> World:
    world = make_world(start=MIDNIGHT)
    SCENARIOS[name].play(world, faults or Faults(), start=MIDNIGHT)
    world.advance(MIDNIGHT + timedelta(hours=hours))
    return world


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_names_its_keys_and_what_a_watcher_owes(name):
    scenario = SCENARIOS[name]
    names = {key.name for key in make_world(start=MIDNIGHT).keys} | {"", "test-key-do-not-use"}
    assert {key for key, _ in scenario.allowed()} <= names
    assert {kind for _, kind in scenario.allowed()} <= KINDS
    assert all(incident.expects for incident in scenario.incidents)
    assert all(incident.offset < scenario.lasts for incident in scenario.incidents)


def test_an_ordinary_day_owes_nothing():
    assert SCENARIOS["ordinary"].allowed() == frozenset()


def test_a_leaked_key_spends_at_night_what_its_cap_allows():
    world = played("leaked_key", hours=6.9)
    key = world.key("design-team")
    assert key.spent_today > 0.95 * key.daily_cap
    assert key.refused_today > 12
    assert played("ordinary", hours=7).key("design-team").spent_today == 0


def test_a_revoked_key_ends_the_leak():
    world = played("leaked_key", hours=2.5)
    spent = world.revoke("design-team", world.now).spent_today
    world.advance(MIDNIGHT + timedelta(hours=20))
    assert spent == world.key("design-team").spent_today > 0


def test_a_runaway_loop_climbs_steadily_to_its_cap_and_is_refused_from_then_on():
    world = played("runaway_loop", hours=11)
    key, climb = world.key("prod-api"), []
    for minutes in range(15, 181, 15):
        before = key.spent_today
        world.advance(MIDNIGHT + timedelta(hours=11, minutes=minutes))
        climb.append((key.spent_today - before) / 1_000_000)
    assert min(climb[:8]) > 90
    assert climb[-1] < 1
    assert key.spent_today > 0.99 * key.daily_cap
    assert key.refused_today > 50


@pytest.mark.parametrize(
    ("name", "key", "most"), [("dormant_wake", "legacy-import", 5), ("dormant_touch", "partner-sandbox", 0)]
)
def test_a_dormant_key_wakes_for_little_or_nothing(name, key, most):
    world = played(name, hours=8)
    assert world.key(key).last_used_at > MIDNIGHT + timedelta(hours=4)
    assert world.key(key).spent_today <= most * 1_000_000


def test_the_cap_is_removed_and_a_key_without_one_appears():
    world = played("mixed", hours=12)
    assert world.key("prod-render").daily_cap is None
    assert world.key("test-key-do-not-use").daily_cap is None


def test_the_balance_runs_dry_within_the_day_and_stops_every_run():
    world = played("balance_dry", hours=24 - 1 / 3600)
    assert world.balance < 35_000_000
    assert world.key("prod-render").refused_today > 0


def test_the_usage_calls_fail_for_the_length_of_the_outage(clock):
    scenario, faults, world = SCENARIOS["outage"], Faults(), make_world(start=MIDNIGHT)
    scenario.play(world, faults, start=MIDNIGHT)
    seen = []
    with SimulatorServer(world, clock, faults=faults) as server, httpx.Client(base_url=server.base_url) as http:
        for minute in (869, 870, 900, 914, 915):
            clock.at = MIDNIGHT + timedelta(minutes=minute)
            seen.append(http.get("/keys", headers={"Authorization": f"Bearer {server.owner_token}"}).status_code)
    assert seen == [200, 500, 500, 500, 200]
