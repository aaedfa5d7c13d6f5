"""Keys used from where, or for what, they were never used before."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.history import History
from flowy_watch.core.sighting import Sighting, Sightings, group, new_origins
from flowy_watch.detectors.new_app import NewAppConfig, NewAppDetector
from flowy_watch.detectors.new_origin import NewOriginConfig, NewOriginDetector
from tests.builders import DAY, HOUR, MINUTE, NOON, bursts, history, learned, snapshot, view, workspace

OFFICE, SERVER = "198.51.100.7", "203.0.113.20"
LONG_AGO = NOON - 60 * DAY


def seen(what: str, first: datetime = LONG_AGO, *, runs: int = 5, agent: str = "") -> Sighting:
    return Sighting(what, first, max(first, NOON - MINUTE), runs, agent)


def from_(*origins: Sighting, since: datetime = LONG_AGO) -> Sightings:
    return Sightings(since, origins=origins)


def read(*, before: timedelta = 5 * MINUTE, **more: Any) -> History:
    return history(snapshot(0, NOON - before, **more), snapshot(1, NOON, **more))


def found(sightings: Sightings, key: History | None = None, **more: Any) -> list[Finding]:
    seen_by = view(key or read(), sightings={"key_1": sightings}, **more)
    return list(NewOriginDetector(NewOriginConfig()).examine(seen_by))


def test_an_address_never_seen_before_is_told_in_words() -> None:
    new = seen(SERVER, NOON - 4 * MINUTE, runs=12, agent="python-requests/2.32")

    (one,) = found(from_(seen(OFFICE), new))

    assert one.title == "render was used from 203.0.113.20, never seen before"
    assert (one.severity, one.level, one.period, one.suspicious_only) == (Severity.WARNING, 1, SERVER, True)
    assert one.evidence == (
        "Used from 203.0.113.20 (python-requests/2.32) since 2026-03-02 11:56 UTC: 12 runs, "
        "the latest use at 2026-03-02 11:59 UTC.",
        "Before that it was used from one address: 198.51.100.7.",
        "The key has been seen for 60 days.",
    )
    assert one.began_at == NOON - 4 * MINUTE


def test_a_key_that_is_new_itself_is_only_learned() -> None:
    new = seen(SERVER, NOON - MINUTE)
    told = [found(from_(seen(OFFICE, NOON - days * DAY), new, since=NOON - days * DAY)) for days in (13, 15)]

    assert [len(each) for each in told] == [0, 1]


def test_what_was_seen_hours_ago_is_old_unless_no_poll_could_tell_it() -> None:
    yesterday = seen(SERVER, NOON - 20 * HOUR)

    assert found(from_(seen(OFFICE), yesterday)) == []
    assert len(found(from_(seen(OFFICE), yesterday), read(before=DAY))) == 1


def rotating(*networks: str, every: timedelta = DAY) -> list[Sighting]:
    return [seen(network, NOON - n * every) for n, network in enumerate(reversed(networks))]


def test_a_fleet_whose_addresses_change_within_its_network_is_quiet_until_another_network_uses_the_key() -> None:
    fleet = rotating(*(f"10.1.1.{n}" for n in range(30)))

    assert found(from_(*fleet)) == []
    (one,) = found(from_(*fleet, seen(SERVER, NOON - MINUTE)))
    assert one.period == "203.0.113.0/24"


def test_a_fleet_whose_networks_change_is_quiet_until_another_range_uses_the_key() -> None:
    fleet = rotating(*(f"10.1.{n}.0/24" for n in range(30)))

    assert found(from_(*fleet)) == []
    assert [one.period for one in found(from_(*fleet, seen(SERVER, NOON - MINUTE)))] == ["203.0.0.0/16"]


def test_a_key_used_from_everywhere_is_never_told() -> None:
    phones = rotating(*(f"{20 + n}.7.7.7" for n in range(30)))

    assert found(from_(*phones, seen(SERVER, NOON - MINUTE))) == []


def test_hashed_addresses_are_told_one_by_one() -> None:
    (one,) = found(from_(seen("#a1b2c3"), seen("#d4e5f6", NOON - MINUTE)))

    assert one.title == "render was used from #d4e5f6, never seen before"


def test_many_at_once_are_one_alert_that_stays_the_same() -> None:
    attack = [seen(f"{20 + n}.7.7.7", NOON - MINUTE) for n in range(9)]

    (one,) = found(from_(seen(OFFICE), *attack))

    assert (one.period, one.title) == (
        "several",
        "render was used from 9 addresses never seen before, 20.7.7.7 among them",
    )
    assert one.evidence[5] == "And 4 more, 45 runs in all."


def test_with_odd_spend_it_is_critical() -> None:
    key = history(snapshot(0, NOON - HOUR), baseline=learned(bursts(10), until=NOON - HOUR))
    for n in range(1, 13):
        key.add(snapshot(n * 1000, NOON - HOUR + n * 5 * MINUTE))
    assert key.verdict

    (one,) = found(from_(seen(OFFICE), seen(SERVER, NOON - 4 * MINUTE)), key)

    assert (one.severity, one.level) == (Severity.CRITICAL, 2)
    assert one.evidence[-1].endswith("It also spends more than is usual at this time.")


@pytest.mark.parametrize(("cap", "balance"), [(5, 1000.0), (None, 5.0)])
def test_where_hardly_anything_can_be_lost_it_is_a_note(cap: float | None, balance: float) -> None:
    (one,) = found(from_(seen(OFFICE), seen(SERVER, NOON - MINUTE)), read(cap=cap), workspace=workspace(balance))

    assert one.severity is Severity.INFO
    assert one.evidence[-1].endswith("No more than 5 credits a day can be lost with it.")


def test_what_clients_say_of_themselves_is_cleaned_and_cut() -> None:
    (one,) = found(from_(seen(OFFICE), seen(SERVER, NOON - MINUTE, agent="flw_sk_1234567890\r\n" + "x" * 500)))

    assert "1234567890" not in "".join(one.evidence)
    assert all(len(line) < 300 and "\n" not in line for line in one.evidence)


@pytest.mark.parametrize(
    ("address", "groups"),
    [
        ("203.0.113.20", ["203.0.113.20", "203.0.113.0/24", "203.0.0.0/16"]),
        ("203.0.113.0/24", ["203.0.113.0/24", "203.0.113.0/24", "203.0.0.0/16"]),
        ("2001:db8:1:2::3", ["2001:db8:1:2::3", "2001:db8:1::/48", "2001:db8::/32"]),
        ("#d4e5f6", ["#d4e5f6"] * 3),
        ("10.0.0.0/8", ["10.0.0.0/8"] * 3),
    ],
)
def test_addresses_are_grouped_by_site_and_by_range(address: str, groups: list[str]) -> None:
    assert [group(address, width) for width in range(3)] == groups


def test_one_address_with_two_programs_is_one_address() -> None:
    programs = from_(seen(OFFICE, agent="curl"), seen(OFFICE, NOON - MINUTE, runs=1, agent="python"))

    assert new_origins(programs, after=NOON - HOUR, learning=DAY, most=2) is None


def apps(*seen_of: Sighting) -> list[Finding]:
    sightings = {"key_1": Sightings(LONG_AGO, apps=seen_of)}
    return list(NewAppDetector(NewAppConfig()).examine(view(read(), sightings=sightings)))


def test_an_app_that_the_key_never_ran_is_told() -> None:
    (one,) = apps(seen("app_banner"), seen("app_video", NOON - MINUTE, runs=1))

    assert (one.kind, one.period) == ("new_app", "app_video")
    assert one.title == "render runs app app_video, which it never ran before"
    assert one.evidence[:2] == (
        "App app_video since 2026-03-02 11:59 UTC: 1 run, the latest use at 2026-03-02 11:59 UTC.",
        "Before that it ran one app: app_banner.",
    )


def test_a_key_that_runs_new_apps_all_the_time_is_quiet() -> None:
    assert apps(*rotating(*(f"app_{n}" for n in range(30)))) == []
