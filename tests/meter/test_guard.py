"""The guardrails: off unless asked for, exact under load, effective at once, and in Flowy's own shape."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from flowy_watch.core.usage import CREDIT
from flowy_watch.ledger import Counts, Ledger, fingerprint_of
from flowy_watch.meter.config import KeyRules
from tests.meter.rig import NOON, SECRET, StillClock, counted, metered, request, run_of, until, whole

ACCEPTED = whole(b'{"data": {}}', "202 Accepted")
KEY = fingerprint_of(SECRET)
PRICES = {"poster": 2 * CREDIT, "*": CREDIT}


def rules(**limits):
    return {"keys": {"WXYZ": KeyRules(**limits)}, "prices": PRICES}


async def ask_at_once(rig, count, raw=None):
    return sorted((await asyncio.gather(*(rig.ask(raw or run_of()) for _ in range(count)))), key=lambda a: a.status)


@pytest.mark.parametrize(
    ("limits", "accepted"), [({"daily_cap": 7 * CREDIT}, 3), ({"daily_runs": 5}, 5), ({"daily_cap": 0}, 0)]
)
def test_a_cap_holds_under_100_parallel_runs(tmp_path, limits, accepted):
    async def scenario():
        async with metered(tmp_path, ACCEPTED, **rules(**limits)) as rig:
            answers = await ask_at_once(rig, 100)
            return [answer.status for answer in answers], answers[-1].body, len(rig.upstream.log)

    statuses, body, forwarded = asyncio.run(scenario())
    assert statuses == [202] * accepted + [402] * (100 - accepted)
    assert forwarded == accepted
    error = "Daily cap of this API key reached; next runs from 2026-11-25 00:00 UTC (flowy-watch meter)"
    assert orjson.loads(body) == {"error": error}
    stopped = counted(tmp_path).get("WXYZ", Counts(stopped_402=100)).stopped_402
    assert stopped == 100 - accepted


def test_runs_that_the_upstream_refuses_take_nothing_from_the_cap(tmp_path):
    statuses = iter(["500 No", "429 No", "202 Accepted", "202 Accepted", "202 Accepted"])

    async def scenario():
        async with metered(tmp_path, lambda asked: whole(b"{}", next(statuses)), **rules(daily_runs=2)) as rig:
            return [(await rig.ask(run_of())).status for _ in range(5)]

    assert asyncio.run(scenario()) == [500, 429, 202, 202, 402]


def test_a_cap_counts_the_runs_in_flight_and_only_runs_and_only_of_its_key(tmp_path):
    go = asyncio.Event()

    def script(asked):
        async def write(reader, writer):
            if asked.path.endswith("runs"):
                await go.wait()
            writer.write(ACCEPTED)

        return write

    async def scenario():
        async with metered(tmp_path, script, **rules(daily_runs=1)) as rig:
            first = asyncio.create_task(rig.ask(run_of()))
            await until(lambda: rig.upstream.log)
            second, look = await rig.ask(run_of()), await rig.ask(request())
            go.set()
            other = await rig.ask(run_of(secret="flw_sk_another_key_0000"))
            return [(await first).status, second.status, look.status, other.status]

    assert asyncio.run(scenario()) == [202, 402, 202, 202]


def test_a_cap_survives_a_restart_and_ends_with_the_utc_day(tmp_path):
    async def scenario(at, runs):
        async with metered(tmp_path, ACCEPTED, clock=StillClock(at), **rules(daily_cap=6 * CREDIT)) as rig:
            return [(await rig.ask(run_of())).status for _ in range(runs)]

    assert asyncio.run(scenario(NOON, 2)) == [202, 202]
    assert asyncio.run(scenario(NOON + timedelta(hours=1), 2)) == [202, 402]
    assert asyncio.run(scenario(NOON + timedelta(hours=12), 1)) == [202]


def test_requests_per_minute_are_limited_as_flowy_says_it(tmp_path):
    async def scenario():
        async with metered(tmp_path, **rules(requests_per_minute=3)) as rig:
            answers = await ask_at_once(rig, 5, request())
            rig.clock.at += timedelta(seconds=30)
            return answers, (await rig.ask(request())).status

    answers, next_minute = asyncio.run(scenario())
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert next_minute == 200
    told = {name: answers[-1].values(name) for name in ("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining")}
    assert told == {"retry-after": ["30"], "x-ratelimit-limit": ["3"], "x-ratelimit-remaining": ["0"]}
    assert answers[-1].values("x-ratelimit-reset") == [str(int(NOON.timestamp()) + 30)]


def test_a_block_from_another_process_stops_the_next_request_of_that_key_alone(tmp_path):
    async def scenario():
        async with metered(tmp_path) as rig:
            connection = await rig.connect()
            statuses = [(await connection.ask(request())).status]
            with Ledger(tmp_path / "meter.db") as other:
                other.block(KEY, by="ana", why="leaked", now=NOON)
            rig.pass_seconds(0.010)
            answer = await connection.ask(request())
            statuses += [answer.status, (await rig.ask(request(secret="flw_sk_another_key_0000"))).status]
            with Ledger(tmp_path / "meter.db") as other:
                other.unblock(KEY)
            rig.pass_seconds(0.010)
            return answer.body, [*statuses, (await connection.ask(request())).status]

    body, statuses = asyncio.run(scenario())
    assert statuses == [200, 401, 200, 200]
    assert orjson.loads(body) == {"error": "This API key is blocked (flowy-watch meter)"}
    assert counted(tmp_path)["WXYZ"] == Counts(requests=2, stopped_401=1)


def test_blocks_hold_while_the_ledger_cannot_be_read(tmp_path):
    async def scenario():
        with Ledger(tmp_path / "meter.db") as other:
            other.block(KEY, by="ana", why="", now=NOON)
        async with metered(tmp_path) as rig:
            statuses = [(await rig.ask(request())).status]
            for file in tmp_path.iterdir():
                file.rename(file.with_name(f"away-{file.name}"))
            (tmp_path / "meter.db").mkdir()
            rig.pass_seconds(0.010)
            statuses.append((await rig.ask(request())).status)
            (tmp_path / "meter.db").rmdir()
            return statuses

    assert asyncio.run(scenario()) == [401, 401]


def test_a_refused_upload_is_answered_on_a_connection_that_lives_on_when_it_is_short(tmp_path):
    async def scenario():
        with Ledger(tmp_path / "meter.db") as other:
            other.block(KEY, by="ana", why="", now=NOON)
        async with metered(tmp_path) as rig:
            connection = await rig.connect()
            short = await connection.ask(run_of())
            long = await connection.ask(request("/f", "PUT", b"x" * 3_000_000))
            return short.values("connection"), long.status, long.values("connection"), await connection.closed()

    assert asyncio.run(scenario()) == ([], 401, ["close"], True)
