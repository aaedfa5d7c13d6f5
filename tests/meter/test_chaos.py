"""Clients that break off and send nonsense, an upstream that does the same: nothing is miscounted or left over."""

import asyncio
import os
import random
import re
import struct
from contextlib import suppress
from datetime import timedelta
from socket import SO_LINGER, SOL_SOCKET

import pytest

from flowy_watch.ledger import Ledger
from flowy_watch.meter.config import KeyRules
from tests.meter.rig import NOON, chunked, head, metered, request, run_of, whole

CLIENTS = int(os.environ.get("METER_CLIENTS", "25"))  # a long run: METER_CLIENTS=500
A_RUN = re.compile("[^?]*/apps/[^/?]+/runs", re.IGNORECASE)
GIVING_UP = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError)


class Moods:
    """Every way to answer, and what was answered."""

    def __init__(self, rng):
        self.rng, self.told, self.runs = rng, 0, 0

    def __call__(self, asked):
        rng, mood = self.rng, self.rng.random()
        if mood < 0.1:
            return lambda reader, writer: self.close()
        self.told += 1
        starts = asked.method == "POST" and A_RUN.fullmatch(asked.path)
        status = rng.choice([200, 202, 204, 402, 404, 429, 500])
        self.runs += bool(starts) and status == 202
        if status == 204:
            return head("204 No Content")
        body = rng.randbytes(rng.choice([1, 1000, 300_000]))
        if mood < 0.3:
            return head(f"{status} X", "Transfer-Encoding: chunked") + chunked(body)
        if mood < 0.5:
            return lambda reader, writer: self.break_off(writer, whole(body, f"{status} X"))
        return whole(body, f"{status} X")

    async def close(self):
        return "close"

    async def break_off(self, writer, answer):
        writer.write(answer[: self.rng.randrange(60, 60 + len(answer))])
        await writer.drain()
        return "close"


async def misbehave(rig, rng):
    for _ in range(6):
        connection = await rig.connect()
        with suppress(*GIVING_UP):
            for _ in range(rng.randrange(1, 4)):
                await one(connection, rng)
        connection.writer.transport.abort()


async def one(connection, rng):
    method = rng.choice(["GET", "HEAD", "POST", "PUT"])
    body = rng.randbytes(rng.choice([0, 5, 400_000])) if method.startswith("P") else None
    raw, mood = request("/apps", method, body), rng.random()
    if rng.random() < 0.4:
        raw, method = run_of(), "POST"
    if mood < 0.2:
        place = rng.randrange(min(len(raw), 300))
        raw = raw[:place] + rng.randbytes(1) + raw[place + 1 :]
    elif mood < 0.3:
        raw = raw[: rng.randrange(len(raw))]
    half = rng.randrange(len(raw) + 1)
    connection.writer.write(raw[:half])
    await asyncio.sleep(0)
    connection.writer.write(raw[half:])
    if mood > 0.9:
        if mood > 0.95:
            connection.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError
    if mood < 0.3:
        connection.writer.write_eof()
    await asyncio.wait_for(connection.answer(method=method), 2)
    if mood < 0.3:
        raise ConnectionError


@pytest.mark.parametrize("seed", range(2))
def test_what_was_answered_is_counted_and_nothing_is_left_open_or_pending(tmp_path, seed):
    moods = Moods(random.Random(seed))

    async def scenario():
        async with metered(tmp_path, moods, keys={"*": KeyRules(daily_runs=10**6)}) as rig:
            await asyncio.gather(*(misbehave(rig, random.Random(f"{seed} {n}")) for n in range(CLIENTS)))
            await rig.settled()
            for _ in range(8):
                rig.pass_seconds(100)
                await rig.settled()
            pending = sum(day.pending_runs for day in rig.meter.guard.days.values())
            return len(rig.meter.clients), rig.meter.pool.size, pending

    assert asyncio.run(scenario()) == (0, 0, 0)
    with Ledger(tmp_path / "meter.db") as ledger:
        rows = ledger.five_minutes(NOON - timedelta(minutes=5), NOON)
    told = (sum(row.counts.requests for row in rows), sum(row.counts.runs for row in rows))
    assert told == (moods.told, moods.runs)
