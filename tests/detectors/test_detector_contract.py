"""What every detector promises."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowy_watch.core.hours import Hours
from flowy_watch.core.sighting import Sighting, Sightings
from flowy_watch.core.usage import MOST, KeyStatus, Snapshot
from flowy_watch.core.workspace import Health, WorkspaceHistory
from flowy_watch.detectors import DETECTORS, Detector, KeyRules, View
from tests.builders import DAY, MINUTE, NOON, credit, finding, history, ordinary, snapshot, view, workspace


@pytest.fixture(params=DETECTORS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def detector(kind: str) -> Detector:
    return with_defaults(kind)


def with_defaults(kind: str) -> Detector:
    make = DETECTORS[kind]
    return make(make.Config())  # type: ignore[attr-defined]  # every detector names its Config


def test_its_options_all_have_defaults_and_cannot_be_changed(kind: str) -> None:
    config = DETECTORS[kind].Config()  # type: ignore[attr-defined]

    assert config.__dataclass_params__.frozen


def test_it_finds_nothing_where_there_is_nothing(detector: Detector) -> None:
    assert list(detector.examine(view())) == []


def test_one_failed_poll_is_no_finding(detector: Detector) -> None:
    failed = Health(good=False, failures=1, first_failure_at=NOON, reason="timed out")

    assert list(detector.examine(view(health=failed, workspace=workspace(0, at=NOON - 5 * MINUTE)))) == []


def ordinary_day() -> Iterator[View]:
    """A Monday after three weeks of the same, read every five minutes: 1,200 by noon and 2,400 in all, of 10,000."""
    start = NOON - DAY / 2
    purse = workspace(102_400, at=start - 5 * MINUTE, per_day=(2400,) * 13)
    polls = [snapshot(0, start - 5 * MINUTE, cap=10_000, used=start - 10 * MINUTE)]
    key = history(*polls, baseline=ordinary(until=start))
    for n in range(288):
        at, spent = start + n * 5 * MINUTE, n * 2400 / 288
        key.add(snapshot(spent, at, cap=10_000, used=at - MINUTE))
        purse.add(at, credit(spent), credit(102_400 - spent), moved=True)
        usual = Sighting("10.0.0.1", start - 30 * DAY, at, n)
        sightings = {"key_1": Sightings(start - 30 * DAY, (usual,), (usual,))}
        always = KeyRules(hours=Hours.parse("Mon-Sun 00:00-24:00"))
        yield view(key, workspace=purse, rules=always, sightings=sightings)


def test_an_ordinary_day_is_quiet(detector: Detector) -> None:
    assert [found for seen in ordinary_day() for found in detector.examine(seen)] == []


AMOUNTS = st.one_of(st.sampled_from([0, 1, MOST - 1, MOST]), st.integers(0, MOST))
INSTANTS = st.one_of(st.none(), st.integers(-55 * 365, 365).map(lambda days: NOON + days * DAY))
NAMES = st.one_of(
    st.text(max_size=30), st.sampled_from(["<!channel>", "%s {x} {{ 7*7 }}", "a\r\nBcc: b@c.d", "\x00\ud800"])
)


@st.composite
def polled(draw: st.DrawFn) -> list[Snapshot]:
    at, key_id, polls = NOON, draw(NAMES), []
    for _ in range(draw(st.integers(1, 6))):
        at += timedelta(seconds=draw(st.one_of(st.just(0), st.integers(1, 200_000))))
        figures = draw(AMOUNTS), draw(INSTANTS), draw(st.one_of(st.none(), AMOUNTS)), draw(st.sampled_from(KeyStatus))
        rate = draw(st.one_of(st.none(), st.integers(0, MOST)))
        polls.append(Snapshot(key_id, draw(NAMES), at, *figures, rate, draw(INSTANTS), draw(st.text(max_size=4))))
    return polls


@st.composite
def sightings(draw: st.DrawFn) -> Sightings:
    """From hostile clients, some of them at the end of time."""
    days = st.integers(-55 * 365, 365).map(lambda days: NOON + days * DAY)
    texts = st.one_of(NAMES, st.sampled_from(["10.0.0.1", "10.0.0.0/8", "::1", "999.1.1.1"]))
    made = [
        Sighting(draw(texts), draw(days), draw(days), draw(st.integers(0, MOST)), draw(NAMES))
        for _ in range(draw(st.integers(0, 8)))
    ]
    return Sightings(draw(days), tuple(made), tuple(made[::2]))


@settings(max_examples=30)
@given(st.data())
@pytest.mark.parametrize("hostile", DETECTORS)
def test_hostile_figures_and_names_neither_stop_it_nor_change_its_mind(hostile: str, data: st.DataObject) -> None:
    polls = data.draw(polled())
    key = history(*polls, baseline=ordinary(data.draw(st.sampled_from([0, 5, 30])), until=polls[0].taken_at))
    at = key.latest.taken_at
    purse = WorkspaceHistory()
    for days, balance in ((20, MOST), (0, data.draw(st.integers(-MOST, MOST)))):
        purse.add(at - days * DAY, data.draw(AMOUNTS), balance, moved=data.draw(st.booleans()))
    seen = view(
        key,
        workspace=purse,
        new_keys=frozenset({key.latest.key_id}),
        sightings={key.latest.key_id: data.draw(sightings())},
        rules=KeyRules(hours=Hours.parse("Sun 03:00-03:01 America/New_York"), dormant_after=timedelta(0)),
        health=Health(
            good=data.draw(st.booleans()), failures=9, skewed=9, clock_offset=timedelta(days=-99), reason="\x00"
        ),
    )
    detector = with_defaults(hostile)

    first = list(detector.examine(seen))

    assert first == list(detector.examine(seen))
    assert all(found.kind == hostile and found.level >= 1 and found.title for found in first)
    assert {found.key_id for found in first} <= {None, key.latest.key_id}


def test_a_finding_about_a_key_names_it_and_carries_the_money() -> None:
    (found,) = with_defaults("cap").examine(view(history(snapshot(90, cap=100, last_four="9f8e"))))

    assert (found.key_id, found.key_name, found.last_four) == ("key_1", "render", "9f8e")
    assert found.stakes is not None
    assert (found.stakes.spent_today, found.stakes.at_risk_today) == (credit(90), credit(10))


def test_a_key_without_a_name_is_called_by_its_id() -> None:
    (found,) = with_defaults("cap").examine(view(history(snapshot(90, cap=100, name=""))))

    assert (found.key_name, found.title) == ("key_1", "key_1 is at 90 % of its daily cap (90 of 100 credits)")
    assert found.fingerprint == finding("cap", period="2026-03-02").fingerprint
