"""Polls of a workspace with several sources, one of which fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flowy_watch.app import open_source
from flowy_watch.clock import SystemClock
from flowy_watch.core.usage import Part, Reading, Trouble
from flowy_watch.errors import CredentialRefused, SettingsError
from flowy_watch.settings import parse
from flowy_watch.sources.several import Named, Several
from flowy_watch.store import Store
from tests.builders import DAY, MINUTE, NOON, reading
from tests.core.test_merge import API, METER, api, failed, listed, meter, metered

from .rigs import TELLING, Rig, ScriptedSource

STEP = 5 * MINUTE


def polled(rig: Rig, n: int, *parts: Part) -> None:
    at = NOON + n * STEP
    moved = tuple(_at(part, at) for part in parts)
    rig.source.answer = Reading(at, (), parts=moved)
    rig.job.run(at)


def _at(part: Part, at: datetime) -> Part:
    if part.reading is None:
        return part
    snapshots = (one._replace(taken_at=at) for one in part.reading.snapshots)
    return Part(part.source, part.knows, reading(*snapshots, at=at), match=part.match)


def titles(rig: Rig) -> list[str]:
    with rig.store.read() as work:
        return [alert.finding.title for alert in work.alerts.unresolved()]


def test_a_source_that_fails_is_told_by_name_and_opens_and_resolves_nothing_else(store: Store) -> None:
    rig = Rig(store, "cap", "spike", "safeguard", "blind")
    polled(rig, 0, api(listed(850)), meter(metered(800)))
    assert rig.unresolved() == ["cap"]

    for n in range(1, 15):
        polled(rig, n, failed(), meter(metered(800 + n)))
    assert rig.unresolved() == ["cap", "blind"]
    assert "Source api is blind since 2026-03-02 12:05 UTC: timed out" in titles(rig)
    with store.read() as work:
        (row,) = work.usage.keys_today(NOON.date())
        (last,) = work.usage.last_polls(1)
    assert row.spent_microcredits == 850_000_000  # what was known stands
    assert (last.outcome, last.reason) == ("partial", "api: timed out")

    polled(rig, 15, api(listed(860)), meter(metered(815)))
    assert rig.unresolved() == ["cap"]
    assert [kind for kind, change, _ in rig.told() if change == "resolved"] == ["blind"]


def test_when_all_fail_there_is_no_poll_and_each_is_named(store: Store) -> None:
    rig = Rig(store, "blind")
    polled(rig, 0, api(listed()), meter(metered()))
    for n in range(1, 5):
        polled(rig, n, failed(), failed("proxy"))

    assert sorted(title.split(" is blind")[0] for title in titles(rig)) == ["Source api", "Source proxy"]
    polled(rig, 5, api(listed()), failed("proxy"))
    assert [title.split(" is blind")[0] for title in titles(rig)] == ["Source proxy"]


def test_keys_of_a_source_that_is_asked_no_longer_are_not_missed(store: Store) -> None:
    rig = Rig(store, "blind")
    others = [metered(key_id=f"{number:016x}", last_four=f"{number:04d}") for number in range(5)]
    polled(rig, 0, api(listed()), meter(metered(), *others))

    rig.tell_by(TELLING, sources=frozenset({"api"}))
    for n in range(1, 5):
        rig.spend(NOON + n * STEP, 100 + n)
    assert rig.unresolved() == []

    rig.tell_by(TELLING, sources=frozenset({"api", "proxy"}))
    for n in range(5, 9):
        polled(rig, n, api(listed()), meter(metered()))
    assert rig.unresolved() == ["blind"]


def test_after_a_restart_the_keys_are_still_matched(store: Store) -> None:
    rig = Rig(store, "safeguard")
    polled(rig, 0, api(listed()), meter(metered()))
    rig = Rig(store, "safeguard")
    polled(rig, 1, failed(), meter(metered()))
    polled(rig, 2, api(listed()), meter(metered()))

    with store.read() as work:
        assert [row.key_id for row in work.usage.keys_today(NOON.date())] == ["key_1"]
    assert rig.unresolved() == []


class Refusing(ScriptedSource):
    def pull(self, now: datetime) -> Reading:
        raise CredentialRefused("the credential was refused")


@contextmanager
def several(*sources: Named, same_as: Any = lambda *_: ()) -> Iterator[Several]:
    made = Several(sources, same_as)
    try:
        yield made
    finally:
        made.close()


def saying(answer: Reading) -> ScriptedSource:
    source = ScriptedSource()
    source.answer = answer
    return source


def test_each_source_is_asked_and_what_fails_is_a_part_of_the_answer() -> None:
    good = saying(reading(listed()))
    with several(Named("api", good, API), Named("proxy", Refusing(), METER)) as both:
        one, other = both.pull(NOON).parts

    assert (one.source, one.reading) == ("api", good.answer)
    assert other.trouble == Trouble("proxy", "the credential was refused", refused=True)


def test_check_names_keys_that_cannot_be_matched() -> None:
    twins, proxy = saying(reading(listed(), listed(key_id="key_2"))), saying(reading(metered(name="render-b")))
    with several(Named("api", twins, API), Named("proxy", proxy, METER)) as both:
        (line,) = both.check(NOON)
    with several(Named("api", twins, API), Named("proxy", proxy, METER), same_as=_named) as both:
        (settled,) = both.check(NOON)

    assert not line.ok
    assert line.detail == (
        "render-b of proxy: 2 keys have the same last four; kept apart. Say which is which with same_as in [keys]"
    )
    assert settled.ok


def _named(key_id: str, _: str) -> tuple[str, ...]:
    return ("render-b",) if key_id == "key_2" else ()


def test_the_most_trusted_kind_comes_first_unless_said_otherwise(tmp_path: Path) -> None:
    text = f"""
[source]
kind = "meter"
ledger = "{tmp_path}/meter.db"
[sources.usage]
kind = "api"
base_url = "http://127.0.0.1:9/"
token = "source-secret-1234"
[sources.second]
kind = "file"
path = "usage.csv"
match = "name"
[keys."prod-*"]
same_as = ["9f8e"]
"""
    found = parse(text, environ={})
    turned = parse(text + '[workspace]\ntrust = ["second"]\n', environ={})

    assert [name for name, _ in found.by_trust] == ["usage", "second", "meter"]
    assert [name for name, _ in turned.by_trust] == ["second", "usage", "meter"]
    assert found.sources["second"].match == "name"
    assert found.rules_of("k", "prod-render").same_as == ("9f8e",)
    assert "source-secret-1234" in found.secrets()
    source = open_source(found, SystemClock())
    assert isinstance(source, Several)
    source.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[sources.meter]\nkind = "meter"', r"sources\.meter must be called otherwise"),
        ('[sources.x]\nkind = "meter"', r"sources\.x\.kind is a second meter: .*one meter"),
        ('[sources."a b"]\nkind = "meter"', r'sources\."a b" must be a name'),
        ("[sources.x]\nledger = 'y'", r"sources\.x\.kind is missing"),
        ('[sources.x]\nkind = "meter"\nmatch = "luck"', r"sources\.x\.match must be"),
        ('[sources.x]\nkind = "meter"\nmach = "name"', r"sources\.x\.mach is no option"),
        ('[workspace]\ntrust = ["luck"]', r"workspace\.trust\[0\] must be one of the configured sources: meter"),
    ],
)
def test_what_is_wrong_with_a_further_source_is_said(more: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse(f'[source]\nkind = "meter"\n{more}\n', environ={})


def test_a_day_that_ends_unknown_keeps_what_was_known_and_is_open(store: Store) -> None:
    rig = Rig(store)
    polled(rig, 0, api(listed(850)), meter(metered(800)))
    last = NOON + DAY / 2 - MINUTE / 6
    rig.source.answer = Reading(last, (), parts=(failed(), _at(meter(metered(820)), last)))
    rig.job.run(last)

    with store.read() as work:
        (day,) = work.usage.daily()
    assert (day.spent_microcredits, day.complete) == (850_000_000, False)
