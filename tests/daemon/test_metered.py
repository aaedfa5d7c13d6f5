"""Flowy, the meter before it, a client with two keys, the daemon beside it: a new address is told, and stopped."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import httpx

from flowy_watch.clock import SystemClock
from flowy_watch.core.press import Verb, action_id
from flowy_watch.ledger import Batch, Counts, Ledger, Price, PriceSource, bucket_of, fingerprint_of
from flowy_watch.ledger.batch import KeySeen, Seen
from flowy_watch.meter.config import MeterConfig, target_of
from flowy_watch.meter.meter import Meter
from flowy_watch.meter.run import listener_for
from flowy_watch.simulator import SimulatorServer, World, make_world
from tests.cli.rig import Rig, now, wait_until

from .running import Running
from .test_buttons import LISTENING

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"


@contextmanager
def meter(upstream: str, path: Path) -> Iterator[str]:
    """Its address, as a client's FLOWY_API."""
    stop, running = asyncio.Event(), asyncio.new_event_loop()
    config = MeterConfig(target_of(upstream), path, prices={"*": 4_000_000})
    with listener_for(HERE, 0, {}) as listener:

        async def serve() -> None:
            await Meter(config, SystemClock()).run(listener, stop)

        thread = Thread(target=lambda: running.run_until_complete(serve()), daemon=True)
        thread.start()
        try:
            yield f"http://{HERE}:{listener.getsockname()[1]}{httpx.URL(upstream).path}"
        finally:
            running.call_soon_threadsafe(stop.set)
            thread.join(10)
            running.close()


def run_app(api: str, world: World, secret: str, *, address: str = HERE) -> int:
    app, transport = world.own_apps()[0], httpx.HTTPTransport(local_address=address)
    inputs = {each.node_id: "a lighthouse" for each in app.inputs}
    with httpx.Client(transport=transport, headers={"authorization": f"Bearer {secret}"}) as client:
        return client.post(f"{api}/apps/{app.id}/runs", json={"inputs": inputs}).status_code


def a_month_ago(path: Path, app: str, *secrets: str) -> None:
    """The keys have been used since then, from here alone."""
    ledger, at = Ledger(path), now() - timedelta(days=30)
    for secret in secrets:
        key = fingerprint_of(secret)
        counts = {(key, bucket_of(at), app): Counts(requests=1, runs=1)}
        seen = Seen(at, at, 1, 1)
        keys = {key: KeySeen(at, secret[-4:], used_at=at)}
        ledger.add(Batch(counts, keys, {(key, app): seen}, {(key, HERE, "python-httpx"): seen}))
    ledger.close()


def watching(rig: Rig, path: Path) -> None:
    rig.configure(slack=LISTENING, every="1s", more=f'[meter]\nledger = "{path}"')
    text = rig.config.read_text()
    source = text[text.index("[source]") : text.index("[channels.ops]")]
    rig.config.write_text(text.replace(source, '[source]\nkind = "meter"\n'))


def test_a_stolen_key_is_told_by_its_new_address_and_stopped_by_one_press(rig: Rig) -> None:
    path, world = rig.folder / "meter.db", make_world(start=now())
    ours, other = (key.secret for key in world.keys[:2])
    a_month_ago(path, world.own_apps()[0].id, ours, other)
    watching(rig, path)
    ledger = Ledger(path)
    with SimulatorServer(world, SystemClock()) as flowy, meter(flowy.base_url, path) as api:
        assert [run_app(api, world, secret) for secret in (ours, other)] == [202, 202]
        wait_until(lambda: sum(key.counts.runs for key in ledger.keys(now().date())) == 2, "the runs to be counted")
        rig.good("poll")
        assert rig.alerts() == []

        assert run_app(api, world, ours, address=ELSEWHERE) == 202
        with Running(rig) as daemon:
            daemon.until_logged("buttons.connected")
            (post,) = wait_until(lambda: rig.slack.posts, "the alert")
            assert f"was used from {ELSEWHERE}, never seen before" in post.text
            assert "by price, from meter" in str(post.blocks)
            rig.slack.press(action_id(Verb.BLOCK, rig.alerts()[0]["id"]))
            wait_until(lambda: rig.slack.privately, "the answer")
            assert [run_app(api, world, secret) for secret in (ours, other)] == [401, 202]
            wait_until(lambda: "Acknowledged by ana on Slack" in rig.slack.posts[0].text, "the message to change")
            assert daemon.stopped()[0] == 0
        assert "Blocked at the meter: the key" in rig.slack.privately[0].text
        assert [block.by for block in ledger.blocks()] == ["slack:ana (U0ANA)"]
        rig.good("unblock", ours[-4:])
        assert run_app(api, world, ours) == 202
    ledger.learn_prices([Price(world.own_apps()[0].id, 12_000_000, 11_500_000, 13_000_000, PriceSource.LEARNED)])
    ledger.close()
    assert rig.good("why", "1", "--json").json["learned_prices"][0]["high"] == 13
    told = rig.good("why", "1").out
    assert "Where its figures come from: spend by price, from meter; last use exact, from meter" in told
    assert f"Price learned: {world.own_apps()[0].id} 12 credits ±1, 5 runs of the last 14 days." in told
    assert [alert["kind"] for alert in rig.alerts()] == ["new_origin"]
