"""The small parts of the meter, each for itself."""

import asyncio
import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flowy_watch.errors import SettingsError
from flowy_watch.ledger import Ledger
from flowy_watch.meter.config import KeyRules, MeterConfig, Origins, target_of
from flowy_watch.meter.errand import NOTHING, Errand, errand_of
from flowy_watch.meter.guard import Guard
from flowy_watch.meter.origin import OriginLabels
from flowy_watch.meter.peek import MOST, Peek
from flowy_watch.meter.run import CannotListen, LedgerTaken, alone_with, listener_for
from flowy_watch.meter.tally import Tally
from tests.meter.rig import NOON, _metered, request


@pytest.mark.parametrize(
    ("method", "target", "errand"),
    [
        (b"POST", b"/v1/apps/a1/runs", Errand(app_id="a1")),
        (b"POST", b"/apps/" + b"a" * 200 + b"/runs", Errand(app_id="?")),
        (b"POST", b"/apps/%00/runs", Errand(app_id="?")),
        (b"GET", b"/v1/apps/a1/runs", NOTHING),
        (b"GET", b"/v1/runs/r1?x=/", Errand(run_id="r1")),
        (b"GET", b"/v1/apps/runs", NOTHING),
        (b"PUT", b"/v1/apps/a1/runs", NOTHING),
        (b"POST", b"/", NOTHING),
        (b"POST", b"*", NOTHING),
    ],
)
def test_an_errand_is_read_from_method_and_path(method, target, errand):
    assert errand_of(method, target) == errand


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.0/24"),
        ("::ffff:10.1.2.3", "10.1.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_truncated_address_is_its_network(address, network):
    assert OriginLabels(Origins.TRUNCATED).address(address) == network


def test_a_user_agent_is_one_clean_line_without_secrets_and_without_end():
    labels = OriginLabels(Origins.PLAIN)
    assert labels.agent(b"sdk flw_sk_0123456789abcdef\x1b[2J") == "sdk [hidden][2J"
    assert len(labels.agent(b"x" * 5000)) == 100
    assert (labels.agent(b""), OriginLabels(Origins.TRUNCATED).agent(b"  \xff\xfe ")) == ("", "ÿþ")


def test_a_peek_holds_no_more_than_it_may():
    peek = Peek(b"")
    for _ in range(3):
        peek.add(b"x" * (MOST // 2))
    assert (peek.is_full, peek.data()) == (True, {})


@pytest.mark.parametrize(("encoding", "body"), [(b"br", b"{}"), (b"gzip", b"not gzip"), (b"deflate", b"")])
def test_a_packed_answer_that_cannot_be_unpacked_says_nothing(encoding, body):
    peek = Peek(encoding)
    peek.add(body)
    assert peek.data() == {}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://flowy.example",
        "https://",
        "https://user:pw@flowy.example",
        "https://flowy.example/?x",
        "https://f:99999/",
    ],
)
def test_an_upstream_that_is_none_is_refused_without_showing_it(url):
    with pytest.raises(SettingsError, match=r"meter\.upstream must be"):
        target_of(url)


def test_certificates_are_always_verified(tmp_path):
    tls = target_of("https://flowy.example/v1/").tls
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert target_of("https://flowy.example/v1/").path == b"/v1"
    with pytest.raises(SettingsError, match=r"meter\.ca_file"):
        target_of("https://flowy.example", tmp_path / "missing.pem")


def test_an_address_that_is_taken_is_told_with_its_option():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListen, match=r"change meter\.listen"):
        listener_for("127.0.0.1", taken.getsockname()[1], {})


def test_rules_are_those_of_the_fingerprint_then_of_the_last_four_then_of_every_other_key():
    keys = {"*": KeyRules("rest"), "WXYZ": KeyRules("four"), "f" * 16: KeyRules("print")}
    config = MeterConfig(target_of("http://flowy.example"), Path("x.db"), keys=keys)
    told = [config.rules_of(*key).name for key in (("f" * 16, "WXYZ"), ("0" * 16, "WXYZ"), ("0" * 16, "abcd"))]
    assert told == ["print", "four", "rest"]


def test_keys_without_end_are_counted_as_one_and_still_known_by_their_fingerprint():
    tally = Tally(MeterConfig(target_of("http://flowy.example"), Path("x.db")))
    keys = [tally.key_of(b"Bearer random_secret_%09d" % number) for number in range(210)]
    assert len({key.fingerprint for key in keys}) == 210
    assert {key.counted_as for key in keys[200:]} == {"other"}
    assert tally.key_of(b"bearer  random_secret_000000007 junk") is keys[7]
    tally.answered(keys[205], NOTHING, 401, ("", ""), NOON)
    tally.answered(keys[206], NOTHING, 200, ("", ""), NOON)
    assert [key.counted_as == key.fingerprint for key in keys[205:207]] == [False, True]
    assert tally.key_of(b"Bearer random_secret_000000206") is keys[206]


def test_even_keys_that_are_all_accepted_are_told_apart_up_to_a_bound():
    tally = Tally(MeterConfig(target_of("http://flowy.example"), Path("x.db")))
    for number in range(5100):
        tally.answered(tally.key_of(b"Bearer random_secret_%09d" % number), NOTHING, 200, ("", ""), NOON)
    batch = tally.take()
    assert len(batch.keys) == 5000
    assert sum(counts.requests for (key, _, _), counts in batch.counts.items() if key == "other") == 100


def test_apps_that_are_made_up_are_counted_as_one_and_real_ones_are_not():
    tally = Tally(MeterConfig(target_of("http://flowy.example"), Path("x.db")))
    key = tally.key_of(b"Bearer flw_sk_0123456789")
    for number in range(60):
        tally.answered(key, Errand(app_id=f"made-up-{number}"), 404, ("", ""), NOON)
    tally.answered(key, Errand(app_id="real"), 202, ("", ""), NOON)
    told = {app: counts.requests for (_, _, app), counts in tally.take().counts.items()}
    assert (len(told), told["other"], told["real"]) == (52, 10, 1)


def test_two_meters_never_share_a_ledger(tmp_path):
    ledger = tmp_path / "meter.db"
    taken = pytest.raises(LedgerTaken, match=r"another meter writes to .*; stop that one")
    with alone_with(ledger), alone_with(tmp_path / "other.db"), taken, alone_with(ledger):
        pass
    with alone_with(ledger):  # free again
        pass


def test_a_ledger_that_cannot_be_locked_stops_no_meter(tmp_path):
    with capture_logs() as logged, alone_with(tmp_path / "missing" / "meter.db"):
        pass
    assert [line["event"] for line in logged] == ["meter.ledger.not_locked"]


def test_agents_of_any_length_cost_a_bounded_part_of_memory():
    labels = OriginLabels(Origins.PLAIN)
    for number in range(2000):
        labels.agent(b"%d " % number + b"x" * 60_000)
    assert sum(map(len, labels._agents)) <= 1000 * 200


def test_made_up_keys_beyond_the_bound_share_one_minute_and_known_ones_keep_theirs(tmp_path):
    config = MeterConfig(target_of("http://flowy"), tmp_path / "m.db", keys={"*": KeyRules(requests_per_minute=2)})
    tally = Tally(config)
    guard = Guard(tally, Ledger(config.ledger), lambda: 0.0)

    def status(number, at=NOON):
        stop = guard.stop(tally.key_of(b"Bearer flw_sk_made_up_%06d" % number), "", at)
        return stop and stop.status

    assert [status(0), *(status(number) for number in range(1, 6000))].count(None) == 5000 + 2
    assert (status(0), status(0), status(7000)) == (None, 429, 429)
    assert status(7000, NOON + timedelta(minutes=1)) is None
    assert len(guard._minutes) < 100


@pytest.mark.parametrize(("part", "name", "status"), [("guard", "stop", 500), ("tally", "answered", 502)])
def test_a_failure_of_our_own_costs_one_request_and_no_more(tmp_path, monkeypatch, part, name, status):
    async def scenario():
        async with _metered(tmp_path) as rig:
            with monkeypatch.context() as patch:
                patch.delattr(type(getattr(rig.meter, part)), name)
                failed = await rig.ask(request())
            return failed, (await rig.ask(request())).status

    with capture_logs() as logged:
        failed, after = asyncio.run(scenario())
    assert (failed.status, failed.whole, after) == (status, True, 200)
    assert [line["event"] for line in logged] == ["meter.broken"]
