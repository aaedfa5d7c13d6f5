"""The promises of a source, kept by every kind."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from flowy_watch.core.check import Check
from flowy_watch.errors import SourceError
from flowy_watch.sources import SOURCES

from .contract import RIGS, Rig
from .server import NOON


@pytest.fixture(params=sorted(SOURCES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(kind: str) -> Iterator[Rig]:
    with RIGS[kind]() as rig:
        yield rig


@pytest.fixture
def config(kind: str) -> type[BaseModel]:
    return SOURCES[kind].Config


def test_a_reading_holds_each_key_once_at_the_time_of_the_pull(rig: Rig) -> None:
    rig.list_keys(3)
    reading = rig.source.pull(NOON)
    assert sorted(s.key_id for s in reading.snapshots) == sorted(map(rig.id_of, (1, 2, 3)))
    assert {reading.taken_at, *(s.taken_at for s in reading.snapshots)} == {NOON}


def test_credits_are_whole_numbers_of_microcredits(rig: Rig) -> None:
    rig.list_keys(1)
    (snapshot,) = rig.source.pull(NOON).snapshots
    assert type(snapshot.spent) is int or snapshot.spent is None


def test_two_pulls_of_an_unchanged_world_are_equal(rig: Rig) -> None:
    rig.list_keys(2)
    assert rig.source.pull(NOON) == rig.source.pull(NOON)


def test_a_key_that_cannot_be_believed_is_left_out_and_named(rig: Rig) -> None:
    rig.spoil_one()
    reading = rig.source.pull(NOON)
    assert [s.key_id for s in reading.snapshots] == [rig.id_of(1)]
    assert [s.key_id for s in reading.skipped] == [rig.id_of(2)]


def test_a_broken_world_is_a_source_error_of_one_line_without_the_secret(rig: Rig) -> None:
    rig.break_down()
    with pytest.raises(SourceError) as caught:
        rig.source.pull(NOON)
    assert "\n" not in str(caught.value)
    assert rig.secret not in str(caught.value)


def test_a_source_recovers_with_its_world(rig: Rig) -> None:
    rig.break_down()
    with pytest.raises(SourceError):
        rig.source.pull(NOON)
    rig.list_keys(1)
    assert len(rig.source.pull(NOON).snapshots) == 1


def test_check_passes_on_a_good_world_and_advises_on_a_broken_one(rig: Rig) -> None:
    rig.list_keys(1)
    good = list(rig.source.check(NOON))
    assert good
    assert all(isinstance(line, Check) and line.ok for line in good)
    rig.break_down()
    bad = [line for line in rig.source.check(NOON) if not line.ok]
    assert bad
    assert all(line.detail and rig.secret not in line.detail for line in bad)


def test_closing_twice_does_no_harm(rig: Rig) -> None:
    rig.source.close()
    rig.source.close()


def test_no_secret_shows_in_a_source_or_its_configuration(rig: Rig, config: type[BaseModel]) -> None:
    assert rig.secret not in repr(rig.source) + repr(config(**rig.options)) + str(config(**rig.options))


def test_a_configuration_is_frozen_and_refuses_misspelt_options(rig: Rig, config: type[BaseModel]) -> None:
    made = config(**rig.options)
    name: Any = next(iter(rig.options))
    with pytest.raises(ValidationError):
        setattr(made, name, rig.options[name])
    with pytest.raises(ValidationError) as caught:
        config(**rig.options, misspelt=rig.secret)
    assert rig.secret not in str(caught.value)
