"""Told to stop, the meter lets what is under way come to its end, and no more than that."""

import asyncio

import pytest

from flowy_watch.meter.config import Limits
from tests.meter.rig import counted, metered, request, run_of, until, whole


def waiting_for(go):
    def script(asked):
        async def write(reader, writer):
            if asked.path.endswith("runs"):
                await go.wait()
            writer.write(whole(b"{}", "202 Accepted"))

        return write

    return script


def test_what_is_under_way_is_answered_and_counted_and_no_new_connection_is_taken(tmp_path):
    go = asyncio.Event()

    async def scenario():
        async with metered(tmp_path, waiting_for(go)) as rig:
            idle, busy, silent = await rig.connect(), await rig.connect(), await rig.connect()
            await idle.ask(request())
            busy.writer.write(run_of())
            await until(lambda: len(rig.upstream.log) == 2 and len(rig.meter.clients) == 3)
            rig.stop.set()
            await until(lambda: rig.meter.draining)
            last = await idle.ask(request())
            rig.pass_seconds(2)
            idle_closed = last.values("connection") == ["close"] and await idle.closed() and await silent.closed()
            with pytest.raises(ConnectionError):
                await rig.connect()
            go.set()
            answer = await busy.answer()
            return idle_closed, answer.status, answer.values("connection"), await busy.closed()

    assert asyncio.run(scenario()) == (True, 202, ["close"], True)
    assert counted(tmp_path)["WXYZ"].runs == 1


def test_what_does_not_come_to_its_end_is_cut_off_in_time(tmp_path):
    async def scenario():
        async with metered(tmp_path, waiting_for(asyncio.Event()), limits=Limits(drain_seconds=0.01)) as rig:
            busy = await rig.connect()
            busy.writer.write(run_of())
            await until(lambda: rig.upstream.log)
            rig.stop.set()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await busy.answer()

    asyncio.run(scenario())
