"""What the ledger says is what the upstream answered, to the last request."""

import asyncio
import gzip
import os
import random
from collections import Counter
from datetime import timedelta

import orjson
import pytest

from flowy_watch.core.usage import CREDIT
from flowy_watch.ledger import Counts, Ledger, Price, PriceSource, UseStatus
from flowy_watch.meter.config import KeyRules, Origins
from tests.meter.rig import NOON, SECRET, counted, head, metered, request, run_of, whole

EACH = int(os.environ.get("METER_REQUESTS", "4"))  # requests of each of 200 clients; a long run: METER_REQUESTS=100
KEYS = [f"flw_sk_{number:020d}key{number}" for number in range(4)]


def answers_of(statuses, *, seed=1):
    """Answers drawn from `statuses`, and what was answered by the key's last four, status and whether a run began."""
    rng, told, runs = random.Random(seed), Counter(), iter(range(10**9))

    def script(asked):
        status = rng.choice(statuses)
        starts = asked.path.endswith("/runs") and asked.method == "POST"
        if status == 202 and not starts:
            status = 200
        told[asked.values("authorization")[0][-4:], status, starts] += 1
        if status == 202:
            return whole(b'{"data":{"runId":"r%d","status":"queued"}}' % next(runs), "202 Accepted")
        return whole(b'{"error":"x"}', f"{status} Whatever")

    return script, told


def test_200_clients_at_once_are_counted_exactly_with_refusals_and_failures_among_them(tmp_path):
    script, told = answers_of([202, 202, 202, 400, 402, 429, 500, 503])

    async def client(rig, number):
        rng, connection = random.Random(number), await rig.connect()
        for _ in range(EACH):
            secret = rng.choice(KEYS)
            raw = (
                run_of(rng.choice(["poster", "reel"]), secret=secret) if rng.random() < 0.7 else request(secret=secret)
            )
            await connection.ask(raw)

    async def scenario():
        async with metered(tmp_path, script, prices={"poster": 2 * CREDIT, "reel": 2 * CREDIT}) as rig:
            await asyncio.gather(*(client(rig, number) for number in range(200)))
            return len(rig.upstream.log)

    assert asyncio.run(scenario()) == 200 * EACH

    def count(four, *statuses):
        return sum(n for (key, status, _), n in told.items() if key == four and (not statuses or status in statuses))

    for four, counts in counted(tmp_path).items():
        runs = count(four, 202)
        assert counts == Counts(
            requests=count(four), runs=runs, answers_402=count(four, 402), answers_429=count(four, 429),
            answers_5xx=count(four, 500, 503), spent=runs * 2 * CREDIT, spent_low=runs * 2 * CREDIT,
            spent_high=runs * 2 * CREDIT,
        )  # fmt: skip
    assert len(counted(tmp_path)) == 4


def test_a_key_that_is_refused_after_it_was_good_is_seen_as_refused(tmp_path):
    statuses = iter(["200 OK", "401 Unauthorized"])

    async def scenario():
        async with metered(tmp_path, lambda asked: whole(b"{}", next(statuses))) as rig:
            await rig.ask(request())
            rig.clock.at += timedelta(seconds=1)
            await rig.ask(request())

    asyncio.run(scenario())
    with Ledger(tmp_path / "meter.db") as ledger:
        [key] = ledger.keys(NOON.date())
    assert (key.status, key.counts) == (UseStatus.REFUSED, Counts(requests=2, answers_401=1))


def test_the_end_of_a_run_is_told_by_the_answers_that_look_at_it(tmp_path):
    states = iter(["queued", "running", "completed", "completed"])

    def script(asked):
        if asked.method == "POST":
            packed = gzip.compress(b'{"data": {"runId": "r1", "status": "queued"}}')
            return whole(packed, "202 Accepted", "Content-Encoding: gzip")
        body = orjson.dumps({"data": {"runId": "r1", "status": next(states)}})
        return head("200 OK", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def scenario():
        async with metered(tmp_path, script) as rig:
            for raw in (run_of(), *[request("/runs/r1")] * 4):
                await rig.ask(raw)

    asyncio.run(scenario())
    assert counted(tmp_path)["WXYZ"] == Counts(requests=5, runs=1, completed=1, unpriced=1)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"not json", b'{"data": 1}', b'{"data": {"runId": 7}}', b'{"data":"' + b"x" * 200_000 + b'"}']
)
def test_an_answer_that_cannot_be_looked_into_passes_all_the_same_and_its_run_is_counted(tmp_path, body):
    async def scenario():
        async with metered(tmp_path, whole(body, "202 Accepted", "Content-Encoding: identity")) as rig:
            return (await rig.ask(run_of())).body

    assert asyncio.run(scenario()) == body
    with Ledger(tmp_path / "meter.db") as ledger:
        assert ledger.runs_between(NOON, NOON + timedelta(seconds=1)) == {"poster": 1}
    assert counted(tmp_path)["WXYZ"].runs == 1


@pytest.mark.parametrize(
    "path",
    ["/apps/poster/runs", "/apps/poster/runs?x=1", "/apps/poster/runs/", "/apps//poster/runs", "/x/../apps/poster/runs",
     "/%61pps/poster/%72uns"],
)  # fmt: skip
def test_a_run_is_seen_however_its_path_is_spelt(tmp_path, path):
    async def scenario():
        async with metered(tmp_path, whole(b"{}", "202 Accepted")) as rig:
            await rig.ask(request(path, "POST", b"{}"))
            return rig.upstream.log[0].path

    assert asyncio.run(scenario()) == f"/api/v1{path}"
    with Ledger(tmp_path / "meter.db") as ledger:
        assert [app.app_id for app in ledger.apps()] == ["poster"]


def test_a_learned_price_counts_from_the_next_run_on_with_its_uncertainty(tmp_path):
    async def scenario():
        async with metered(tmp_path, whole(b"{}", "202 Accepted")) as rig:
            await rig.ask(run_of())
            with Ledger(tmp_path / "meter.db") as ledger:
                ledger.learn_prices([Price("poster", 5, 4, 6, PriceSource.LEARNED)])
            rig.pass_seconds(0.02)
            await rig.ask(run_of())

    asyncio.run(scenario())
    counts = Counts(requests=2, runs=2, unpriced=1, spent=5, spent_low=4, spent_high=6)
    assert counted(tmp_path)["WXYZ"] == counts


@pytest.mark.parametrize("origins", Origins)
def test_origins_are_kept_as_plain_as_was_chosen(tmp_path, origins):
    async def scenario():
        async with metered(tmp_path, origins=origins, origins_key=b"k" * 16) as rig:
            await rig.ask(request("/apps", "GET", None, "User-Agent: flowy-sdk/1.2 (linux)"))

    asyncio.run(scenario())
    with Ledger(tmp_path / "meter.db") as ledger:
        [origin] = ledger.origins()
    told = (origin.address, origin.user_agent)
    if origins is Origins.HASHED:
        assert [len(part) for part in told] == [12, 12]
    else:
        assert told == ("127.0.0.1", "flowy-sdk" if origins is Origins.TRUNCATED else "flowy-sdk/1.2 (linux)")


def test_what_comes_without_a_key_is_no_key_and_no_secret_is_in_the_file(tmp_path):
    async def scenario():
        async with metered(tmp_path, keys={"WXYZ": KeyRules(name="prod")}) as rig:
            for raw in (request(secret=None), request(secret="short"), request()):
                await rig.ask(raw)

    asyncio.run(scenario())
    with Ledger(tmp_path / "meter.db") as ledger:
        assert [(key.name, key.last_four) for key in ledger.keys(NOON.date())] == [("prod", "WXYZ")]
        rows = ledger.five_minutes(NOON - timedelta(minutes=5), NOON)
    assert {row.fingerprint: row.counts.requests for row in rows}["none"] == 2
    assert not any(SECRET.encode() in file.read_bytes() for file in tmp_path.iterdir())


def test_counts_are_kept_while_the_ledger_cannot_be_written_and_written_when_it_can(tmp_path):
    folder = tmp_path / "later"

    async def scenario():
        async with metered(tmp_path, whole(b"{}", "202 Accepted"), ledger=folder / "meter.db") as rig:
            answers = []
            for moment in range(3):
                if moment == 2:
                    folder.mkdir()
                answers.append((await rig.ask(run_of())).status)
                rig.meter.flush()
            return answers

    assert asyncio.run(scenario()) == [202, 202, 202]
    assert counted(folder)["WXYZ"].runs == 3


def test_a_batch_that_cannot_be_written_at_all_does_not_hold_up_those_after_it(tmp_path):
    async def scenario():
        async with metered(tmp_path, whole(b"{}", "202 Accepted")) as rig:
            await rig.ask(run_of())
            broken = rig.meter.tally.take()
            broken.keys["x"] = None
            rig.meter.writer.add(broken)
            await rig.ask(run_of())

    asyncio.run(scenario())
    assert counted(tmp_path)["WXYZ"].runs == 1


def test_a_day_ends_at_midnight_utc_in_the_counts(tmp_path):
    midnight = NOON.replace(hour=0, minute=0, second=0) + timedelta(days=1)

    async def scenario():
        async with metered(tmp_path) as rig:
            for at in (midnight - timedelta(milliseconds=1), midnight):
                rig.clock.at = at
                await rig.ask(request())

    asyncio.run(scenario())
    days = [counted(tmp_path, day)["WXYZ"].requests for day in (NOON.date(), midnight.date())]
    assert days == [1, 1]
