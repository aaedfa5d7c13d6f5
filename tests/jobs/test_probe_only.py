"""Nothing but the documented API: what is told of keys that only the probe sees."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flowy_watch.core.usage import ALL_KEYS
from flowy_watch.detectors import DETECTORS
from flowy_watch.detectors.safeguard import SafeguardConfig, SafeguardDetector
from flowy_watch.errors import SettingsError
from flowy_watch.jobs.poll import PollJob
from flowy_watch.ledger import fingerprint_of
from flowy_watch.settings import parse
from flowy_watch.simulator import SimulatorServer
from flowy_watch.sources import SOURCES
from flowy_watch.store import Store
from tests.simulator.conftest import Flowy, HandClock, quiet_world

from .rigs import detectors, rules


class Probed:
    def __init__(self, store: Store, flowy: Flowy, folder: Path) -> None:
        self.store, self.flowy, self.clock = store, flowy, flowy.clock
        token = folder / "shop.key"
        token.write_text(flowy.world.key("shop").secret + "\n")
        self.settings = parse(
            f"""
[source]
kind = "probe"
base_url = "{flowy.server.base_url}"
memory = "{folder / "probe.json"}"
prices = {{ "*" = 4 }}
[source.keys.prod-shop]
token_file = "{token}"
[source.keys.newer]
token = "{flowy.world.key("newer").secret}"
""",
            environ={},
        )
        self.source = SOURCES[self.settings.source.kind](self.settings.source.config, self.clock)
        watched = [SafeguardDetector(SafeguardConfig(revoked=True)), *detectors(*(DETECTORS.keys() - {"safeguard"}))]
        self.job = PollJob(self.source, store, watched, rules())

    def poll(self, **wait: float) -> list[str]:
        """What was opened."""
        self.clock.wait(**wait)
        return [one.alert.finding.title for one in self.job.run(self.clock.now()).transitions]


@pytest.fixture
def probed(store: Store, tmp_path: Path) -> Iterator[Probed]:
    clock = HandClock()
    with SimulatorServer(quiet_world(), clock) as server, httpx.Client(base_url=server.base_url, timeout=30) as http:
        probed = Probed(store, Flowy(server, clock, http), tmp_path)
        yield probed
        probed.source.close()


def test_a_revoked_key_is_told_by_the_next_poll(probed: Probed) -> None:
    assert probed.poll() == []
    probed.flowy.world.revoke("newer", probed.clock.now())
    assert probed.poll(minutes=5) == ["newer is refused by Flowy: it was revoked, or it expired"]
    with probed.store.read() as work:
        assert {row.name: row.status for row in work.usage.keys_today(probed.clock.now().date())} == {
            "prod-shop": "active",
            "newer": "revoked",
            "all keys together": "active",
        }


def test_a_key_that_wakes_after_weeks_is_told_by_the_next_poll(probed: Probed) -> None:
    probed.poll()
    for _ in range(60):
        assert probed.poll(hours=12) == []
    probed.flowy.get("/apps", key="shop")
    (told,) = probed.poll(seconds=30)
    assert told == "prod-shop was used after lying still for 30 days (spend not known from this source)"


def test_what_all_keys_spend_together_is_watched_like_a_key(probed: Probed) -> None:
    probed.poll()
    told: list[str] = []
    world, secret = probed.flowy.world, probed.flowy.world.key("newer").secret
    for hour in range(24 * 5):
        burst = 40 if hour == 24 * 5 - 1 else 2
        for _ in range(burst):
            probed.clock.wait(seconds=60)
            world.start_run(secret, "app_caption", {"brief": "a red bicycle"}, probed.clock.now())
        told = probed.poll(minutes=60 - burst)
    assert len(told) == 1
    assert told[0].startswith("all keys together spent 1")
    with probed.store.read() as work:
        (alert,) = work.alerts.unresolved()
    assert (alert.finding.key_id, alert.finding.stakes) == (ALL_KEYS, None)


def test_secrets_of_probed_keys_are_nowhere(probed: Probed, tmp_path: Path) -> None:
    probed.poll()
    secrets = [probed.flowy.world.key(name).secret for name in ("shop", "newer")]
    assert set(secrets) <= probed.settings.secrets()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".key")
    assert [secret for secret in secrets if secret.encode() in stored] == []
    assert fingerprint_of(secrets[0]).encode() in stored


def test_one_key_under_two_names_is_refused_without_showing_it() -> None:
    twice = "".join(f'[source.keys.{name}]\ntoken = "flw_sk_0123456789"\n' for name in "ab")
    with pytest.raises(SettingsError, match=r"^source names one key twice in source.keys") as caught:
        parse(f'[source]\nkind = "probe"\n{twice}', environ={})
    assert "0123456789" not in str(caught.value)


def test_a_key_without_its_token_is_one_clear_line() -> None:
    with pytest.raises(SettingsError, match=r"source\.keys\.a\.token is missing"):
        parse('[source]\nkind = "probe"\n[source.keys.a]\n', environ={})
