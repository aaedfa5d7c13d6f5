"""The probe against a Flowy that counts: what it sees, and that nobody feels it."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowy_watch.core.usage import ALL_KEYS, KeyStatus, Reading, Snapshot
from flowy_watch.errors import SourceError
from flowy_watch.simulator import SimulatorServer
from flowy_watch.simulator.faults import Fault, FaultKind
from flowy_watch.sources.probe import ProbeSource
from tests.builders import credit
from tests.simulator.conftest import Flowy, HandClock, quiet_world

from .server import FakeTime, Reply, Request, Server

KEYS = ("shop", "newer", "site")
FIVE = {"minutes": 5}


class Rig:
    """A Flowy of three keys, and a probe that knows them all."""

    def __init__(self, flowy: Flowy, folder: Path) -> None:
        self.flowy, self.clock, self.world = flowy, flowy.clock, flowy.world
        self.memory = folder / "probe.json"
        self.options: dict[str, Any] = {}
        self.source: ProbeSource | None = None
        self.source = self.restarted()

    def restarted(self, **options: Any) -> ProbeSource:
        if self.source:
            self.source.close()
        self.options |= options
        keys = {name: {"token": self.world.key(name).secret} for name in KEYS}
        config = ProbeSource.Config(base_url=self.flowy.server.base_url, keys=keys, memory=self.memory, **self.options)
        self.source = ProbeSource(config, self.clock)
        return self.source

    def poll(self) -> dict[str, Snapshot]:
        return {s.name: s for s in self.reading().snapshots}

    def reading(self) -> Reading:
        return self.source.pull(self.clock.now())

    def used(self) -> list[str]:
        """Whom this poll saw being used."""
        return [s.name for s in self.reading().snapshots if s.last_used_at == self.clock.now()]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    clock = HandClock()
    with SimulatorServer(quiet_world(), clock) as server, httpx.Client(base_url=server.base_url, timeout=30) as http:
        rig = Rig(Flowy(server, clock, http), tmp_path)
        yield rig
        rig.source.close()


def test_a_good_key_is_active_and_what_is_not_documented_is_not_known(rig: Rig) -> None:
    found = rig.poll()
    assert list(found) == list(KEYS)
    shop = found["shop"]
    assert (shop.status, shop.spent, shop.daily_cap, shop.last_used_at) == (KeyStatus.ACTIVE, None, None, None)
    assert (shop.rate_limit, found["site"].rate_limit) == (None, None)
    assert shop.last_four == rig.world.key("shop").secret[-4:]
    rig.world.set_rate_limit("shop", 300, rig.clock.now())
    rig.clock.wait(**FIVE)
    assert rig.poll()["shop"].rate_limit == 300


@pytest.mark.parametrize("status", ["revoked", "expired"])
def test_a_key_that_is_revoked_or_expired_is_told_within_one_poll(rig: Rig, status: str) -> None:
    rig.poll()
    rig.world.set_status("newer", type(rig.world.key("newer").status)(status), rig.clock.now())
    rig.clock.wait(**FIVE)
    assert {name: s.status for name, s in rig.poll().items()} == {
        "shop": KeyStatus.ACTIVE,
        "newer": KeyStatus.REVOKED,
        "site": KeyStatus.ACTIVE,
    }


def test_use_by_somebody_else_is_noticed_within_two_polls(rig: Rig) -> None:
    rig.poll()
    for _ in range(10):  # nobody but us
        rig.clock.wait(**FIVE)
        assert rig.used() == []
    for _ in range(5):  # once a minute
        rig.clock.wait(minutes=1)
        rig.flowy.get("/apps", key="shop")
    assert rig.used() == ["shop"]  # at once: two polls are promised
    before = rig.clock.now()
    rig.clock.wait(**FIVE)
    assert rig.poll()["shop"].last_used_at == before


@pytest.mark.parametrize("every", [1, 7, 20, 60, 300])
def test_our_own_requests_are_never_taken_for_those_of_others(rig: Rig, every: int) -> None:
    for n in range(12):
        assert rig.used() == []
        if n == 6:
            rig.source.close()
            rig.restarted()  # as a timer would, each time
        rig.clock.wait(seconds=every)


@pytest.mark.parametrize(("limit", "every"), [(1, 1), (2, 10), (4, 30), (20, 1), (60, 1), (60, 300)])
def test_our_own_requests_never_cause_a_429(rig: Rig, limit: int, every: int) -> None:
    """Whoever stays a request below the limit, and one minute in four at it, is never refused for our sake."""
    rig.world.set_rate_limit("shop", limit, rig.clock.now())
    answers: Counter[int] = Counter()
    asked: Counter[int] = Counter()
    for second in range(0, 20 * 60 if every > 1 else 200, every):
        before = rig.world.key("shop").quota(int(rig.clock.now().timestamp())).remaining
        rig.reading()
        after = rig.world.key("shop").quota(int(rig.clock.now().timestamp())).remaining
        asked[second // 60] += before - after
        if second % 60 == 0 and limit > 5:
            answers.update(rig.flowy.get("/apps", key="shop").status_code for _ in range(limit - 3))
        rig.clock.wait(seconds=every)
    assert set(answers) <= {200}
    assert rig.world.key("shop").refused_today == 0
    assert max(asked.values()) <= max(1, min(3, limit // 20))
    if limit < 5:
        assert sum(asked.values()) <= 4  # in twenty minutes


def test_a_key_at_its_limit_is_in_use_and_is_left_alone_until_flowy_says_so(rig: Rig) -> None:
    rig.world.set_rate_limit("shop", 10, rig.clock.now())
    for _ in range(10):
        rig.flowy.get("/apps", key="shop")
    assert rig.used() == ["shop"]
    refused = rig.world.key("shop").refused_today
    rig.clock.wait(seconds=50)
    assert rig.poll()["shop"].status is KeyStatus.ACTIVE
    assert rig.world.key("shop").refused_today == refused
    rig.clock.wait(seconds=20)
    rig.flowy.get("/apps", key="shop")
    assert rig.used() == ["shop"]


def test_the_runs_of_all_keys_are_priced_and_kept_over_a_restart_and_midnight(rig: Rig) -> None:
    rig.restarted(prices={"product-photo": 4.0, "app_voice-over": 1.5})
    assert rig.poll()["all keys together"].spent == 0
    for app in ("product-photo", "product-photo", "voice-over", "caption"):
        assert rig.flowy.run(app, key="newer").status_code == 202
    rig.clock.wait(**FIVE)
    reading = rig.reading()
    assert reading.snapshots[-1].spent == credit(9.5)
    assert reading.provenance[ALL_KEYS].remark == "at least, from probe"  # captions have no price
    assert reading.provenance[reading.snapshots[0].key_id].remark == "spend is not known"
    rig.source.close()
    rig.restarted()
    rig.flowy.run("voice-over", key="newer")
    rig.clock.wait(**FIVE)
    assert rig.poll()["all keys together"].spent == credit(11)
    rig.clock.wait(hours=11, minutes=49)
    rig.poll()
    rig.flowy.run("product-photo", key="newer")
    rig.clock.wait(minutes=2)
    assert rig.poll()["all keys together"].spent == credit(4)


def test_the_memory_holds_no_key_and_is_for_one_user_only(rig: Rig) -> None:
    rig.poll()
    text = rig.memory.read_text()
    assert [name for name in KEYS if rig.world.key(name).secret in text] == []
    assert rig.memory.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": {"a": 1}, "runs": null}', '{"keys": []}', "\x00" * 99])
def test_a_memory_that_cannot_be_read_is_begun_anew(rig: Rig, content: str) -> None:
    rig.poll()
    rig.memory.write_text(content)
    rig.source.close()
    rig.restarted()
    assert list(rig.poll()) == list(KEYS)


def test_a_memory_that_cannot_be_written_stops_nothing_and_is_told(rig: Rig) -> None:
    rig.source.close()
    rig.memory = rig.memory.parent / "missing" / "probe.json"
    rig.restarted()
    assert list(rig.poll()) == list(KEYS)
    rig.clock.wait(**FIVE)
    bad = [line for line in rig.source.check(rig.clock.now()) if not line.ok]
    assert [line.name for line in bad] == ["memory kept"]
    assert "cannot write" in bad[0].detail


def test_check_tells_of_each_key_and_of_apps_without_a_price(rig: Rig) -> None:
    rig.restarted(prices={"product-photo": 4.0})
    rig.world.revoke("newer", rig.clock.now())
    lines = {line.name: line for line in rig.source.check(rig.clock.now())}
    assert [name for name, line in lines.items() if not line.ok] == ["key newer", "every app has a price"]
    assert lines["key shop"].detail == "60 requests a minute"
    assert "product-video, voice-over" in lines["every app has a price"].detail


@pytest.mark.parametrize("fault", [Fault(FaultKind.STATUS, times=1), Fault(FaultKind.GARBAGE, times=1)])
def test_a_key_without_an_answer_is_unknown_in_this_poll_and_the_others_go_on(rig: Rig, fault: Fault) -> None:
    rig.poll()
    rig.clock.wait(**FIVE)
    rig.flowy.server.faults.public = fault
    reading = rig.reading()
    assert [s.name for s in reading.snapshots] == ["newer", "site"]
    assert len(reading.skipped) == 1


def test_without_any_answer_nothing_is_known(rig: Rig) -> None:
    rig.flowy.server.faults.public = Fault(FaultKind.STATUS)
    with pytest.raises(SourceError, match="no key had an answer"):
        rig.reading()


# ── a Flowy that is not as documented ────────────────────────────────────────────────────────────────────────────────

Answers = Callable[[Request], Reply]


def quota(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": f"{limit}", "X-RateLimit-Remaining": f"{remaining}", "X-RateLimit-Reset": f"{reset}"}


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[tuple[Server, FakeTime, ProbeSource]]:
    time = FakeTime()
    server = Server(time)
    options = {"base_url": server.url, "keys": {"one": {"token": "flw_sk_0123456789abcdef"}}}
    source = ProbeSource(ProbeSource.Config(**options, memory=tmp_path / "probe.json"), time)
    yield server, time, source
    source.close()
    server.close()


APPS = {"data": [{"id": "app_1", "slug": "photo", "runCount": 5}, {"id": 7}, None, {"id": "x", "runCount": -1}]}


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-RateLimit-Limit": "60"}, quota(60, 61, 0), quota(0, 0, 0), quota(60, -1, 9), quota(10**13, 5, 5)],
)
def test_headers_that_are_missing_or_make_no_sense_say_nothing_about_use(
    lone: tuple[Server, FakeTime, ProbeSource], headers: dict[str, str]
) -> None:
    server, time, source = lone
    server.scripts["/apps"] = Reply(APPS, headers=headers)
    for _ in range(3):
        (key,) = source.pull(time.now()).snapshots
        assert (key.status, key.last_used_at, key.rate_limit) == (KeyStatus.ACTIVE, None, None)
        time.move(timedelta(minutes=5))


def test_a_window_that_slides_and_a_clock_that_is_off_accuse_nobody(
    lone: tuple[Server, FakeTime, ProbeSource],
) -> None:
    server, time, source = lone
    asked: list[float] = []

    def sliding(_: Request) -> Reply:
        asked.append(time.passed)
        lately = sum(at > time.passed - 60 for at in asked)
        reset = int(time.now().timestamp()) + 4 * 3600 + 60  # Flowy's clock is four hours ahead
        return Reply(APPS, headers=quota(60, 60 - lately, reset))

    server.scripts["/apps"] = sliding
    for _ in range(20):
        (key,) = source.pull(time.now()).snapshots
        assert key.last_used_at is None
        time.move(timedelta(seconds=21))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>please sign in</html>", 401),
        Reply({"error": "no"}, 403),
        Reply({"error": "no"}, 404),
        Reply(b"", 302, headers={"Location": "http://127.0.0.1:9/"}),
        Reply({"data": "none"}),
        Reply([1]),
    ],
)
def test_an_answer_that_is_not_flowys_says_nothing_about_the_key(
    lone: tuple[Server, FakeTime, ProbeSource], reply: Reply
) -> None:
    server, time, source = lone
    server.scripts["/apps"] = reply
    with pytest.raises(SourceError) as caught:
        source.pull(time.now())
    assert "0123456789abcdef" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_401_between_good_answers_is_a_slip_and_two_are_the_truth(
    lone: tuple[Server, FakeTime, ProbeSource],
) -> None:
    server, time, source = lone
    refused, good = Reply({"error": "Missing, malformed, revoked or expired API key"}, 401), Reply(APPS)
    server.scripts["/apps"] = [refused, good]
    assert source.pull(time.now()).snapshots[0].status is KeyStatus.ACTIVE
    time.move(timedelta(minutes=5))
    server.scripts["/apps"] = [refused, refused]
    assert source.pull(time.now()).snapshots[0].status is KeyStatus.REVOKED


def test_a_pull_ends_with_its_deadline_and_those_left_out_come_first_in_the_next(tmp_path: Path) -> None:
    time = FakeTime()
    server = Server(time)

    def slow(_: Request) -> Reply:
        time.move(timedelta(seconds=10))
        return Reply(APPS)

    server.scripts["/apps"] = slow
    keys = {f"key-{n}": {"token": f"flw_sk_{n:016}"} for n in range(5)}
    config = ProbeSource.Config(
        base_url=server.url, keys=keys, memory=tmp_path / "m.json", deadline=timedelta(seconds=25)
    )
    source = ProbeSource(config, time, monotonic=time.monotonic)
    first = source.pull(time.now())
    assert [s.name for s in first.snapshots] == ["key-0", "key-1", "key-2"]
    assert {s.reason for s in first.skipped} == {"source.deadline was over before its turn came"}
    time.move(timedelta(minutes=5))
    second = source.pull(time.now())
    assert [s.name for s in second.snapshots] == ["key-0", "key-3", "key-4"]
    source.close()
    server.close()


def test_a_key_that_hangs_holds_up_nobody_for_longer_than_its_timeout(rig: Rig) -> None:
    rig.restarted(timeout=timedelta(seconds=1))
    rig.poll()
    rig.clock.wait(**FIVE)
    rig.flowy.server.faults.public = Fault(FaultKind.HANG, times=1)
    reading = rig.reading()
    assert [s.name for s in reading.snapshots] == ["newer", "site"]
    assert [one.reason.endswith("answer in 1 s") for one in reading.skipped] == [True]
