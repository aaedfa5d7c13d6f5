"""`--server`: the commands ask a daemon elsewhere, and say what they say beside the database."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flowy_watch.core.finding import Small
from flowy_watch.core.period import Period
from flowy_watch.core.usage import CREDIT
from tests.builders import finding, snapshot
from tests.cli.rig import Ran, cli, now
from tests.web.house import TOKEN, VIEWER, House


class Two:
    """The same database twice: by its configuration, and by the daemon that serves it."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.config = folder / "flowy-watch.toml"
        ours = f'source.token = "x"\nstore.url = "sqlite:///{folder / "watch.db"}"\nworkspace.name = "Studio"\n'
        self.config.write_text(ours)
        self.file = folder / "token"
        self.file.write_text(f"{TOKEN}\n")

    def here(self, *arguments: object) -> Ran:
        return cli("--config", self.config, *arguments)

    def there(self, *arguments: object, url: str = "", token: str = "") -> Ran:
        if token:
            self.file.write_text(token)
        return cli(*arguments, "--server", url or self.house.url, "--token-file", self.file)

    def good(self, *arguments: object) -> Ran:
        ran = self.there(*arguments)
        assert ran.code == 0, ran.err
        return ran


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with House(tmp_path) as house:
        house.clock.at = now()
        house.poll(snapshot(30, house.clock.at, cap=100), snapshot(3, house.clock.at, key_id="key_2"), balance=500)
        house.alert()
        house.alert(kind="spike", period="")
        house.notice("ops", house.alert(key_id="key_2", period="second", title="key_2 is odd"))
        yield Two(house, tmp_path)


READING = [("status",), ("alerts",), ("alerts", "--open"), ("why", 1), ("alerts", "--json"), ("why", 1, "--json")]


@pytest.mark.parametrize("arguments", READING, ids=lambda arguments: " ".join(map(str, arguments)))
def test_what_is_read_there_is_what_is_read_here(two: Two, arguments: tuple[object, ...]) -> None:
    two.there("ack", 1, "--by", "ana", "--why", "launch")
    two.there("silence", "dev-*", "--for", "24h", "--by", "ana")
    here, there = two.here(*arguments), two.there(*arguments)
    assert (there.code, there.out, there.err) == (0, here.out, "")


def test_small_anomalies_are_the_same_there(two: Two) -> None:
    odd = replace(finding("spike", title="render spent 3 more"), small=Small(3 * CREDIT, 10 * CREDIT))
    with two.house.app.store.write() as work:
        work.small.note([odd], alerts=(), now=two.house.clock.at)
    for arguments in (("alerts", "--small"), ("alerts", "--small", "--json")):
        here, there = two.here(*arguments), two.there(*arguments)
        assert (there.code, there.out, "render spent 3 more" in there.out) == (0, here.out, True)


def test_a_digest_is_the_same_there_but_for_the_moment_it_is_made(two: Two, tmp_path: Path) -> None:
    week = Period.week_of(two.house.clock.at.date()).before()
    two.house.poll(snapshot(70, week.start_at, cap=100, used=week.start_at), at=week.start_at)
    here, there = (
        [line for line in ran("digest").out.splitlines() if "as of" not in line] for ran in (two.here, two.good)
    )
    assert there == here
    assert any("70 credits" in line for line in there)
    figures = [ran("digest", "--json", "--week", week.name).json | {"made_at": ""} for ran in (two.here, two.good)]
    assert figures[0] == figures[1]
    file = tmp_path / "week.html"
    assert two.good("digest", "--preview", file).out.startswith(f"Wrote {file}: Flowy spend W")
    assert 'src="data:image/png' in file.read_text()
    refused = two.there("digest", "--send")
    assert (refused.code, "--send goes without --server" in refused.err) == (2, True)


def test_the_state_as_json_is_the_same_there(two: Two) -> None:
    here, there = two.here("status", "--json").json, two.there("status", "--json").json
    assert there | {"at": ""} == here | {"at": ""}


def test_acts_are_done_there_by_whoever_asks(two: Two) -> None:
    assert two.good("ack", 1, "--by", "ana", "--for", "24h").out == (
        "Acknowledged 1: render is at 96 % of its daily cap\n"
    )
    assert two.house.stored(1).acknowledged_by == "ana"
    assert "Already acknowledged by ana" in two.good("ack", 1, "--by", "ben").out
    assert two.good("ack", 3, "--revoked", "--by", "ana", "--json").json["stop"]["reported_by"] == "ana"
    made = two.good("silence", "dev-*", "--for", "24h", "--kind", "spike", "--by", "ana", "--json").json
    assert (made["pattern"], made["kind"], made["by"]) == ("dev-*", "spike", "ana")
    assert two.good("unsilence", made["id"], "--why", "over", "--by", "ben").out == f"Ended silence {made['id']}\n"
    log = two.here("status", "--json").json["log"]
    assert {(entry["by"], entry["why"]) for entry in log} >= {("ana", ""), ("ben", "over")}
    said = two.good("expect", "render", "--for", "24h", "--credits", 5000, "--by", "ana").out
    assert "5,000 credits a UTC day; beyond 7,500 you are told" in said
    assert "takes on alert 2" in said
    assert two.good("resolve", 2, "--not-an-anomaly", "--by", "ana").out.startswith("Resolved 2: ")


def test_another_key_s_alert_is_taken_on_with_a_revoke_as_here(two: Two) -> None:
    assert "taken on too: 2:" in two.good("ack", 1, "--revoked", "--by", "ana").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("why", 99),
        ("ack", 99),
        ("resolve", 99),
        ("unsilence", 99),
        ("expect", "nobody", "--for", "1h"),
        ("digest", "--owner", "nobody"),
    ],
)
def test_what_there_is_not_is_said_in_the_same_words(two: Two, arguments: tuple[object, ...]) -> None:
    here, there = two.here(*arguments), two.there(*arguments)
    assert (there.code, there.out, there.err) == (1, here.out, here.err)


def test_wrong_usage_is_wrong_there_too(two: Two) -> None:
    assert two.there("silence", "x").code == two.there("ack", 1, "--revoked", "--for", "1h").code == 2
    assert "--for 24h or --until" in two.there("silence", "x").err
    assert cli("status", "--config", two.config, "--token-file", two.file).code == 2
    assert "FLOWY_WATCH_TOKEN" in cli("status", "--server", two.house.url).err
    assert cli("poll", "--server", two.house.url).code == 2


def test_a_wrong_token_and_one_that_may_only_look_are_told_apart(two: Two) -> None:
    ran = two.there("ack", 1, token=VIEWER)
    assert (ran.code, "look, not act" in ran.err) == (1, True)
    assert two.there("alerts", token=VIEWER).code == 0
    ran = two.there("alerts", token="wrong-4711")
    assert (ran.code, ran.out) == (1, "")
    assert "refuses the token" in ran.err
    assert "wrong-4711" not in ran.err


def test_a_server_that_is_not_there_or_is_no_flowy_watch_is_one_line(two: Two) -> None:
    ran = two.there("alerts", url="http://127.0.0.1:9")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "does `flowy-watch run` serve there?" in ran.err
    for url in ("ftp://x", "http://", "http://user:secret@127.0.0.1:9", "http://127.0.0.1:x"):
        ran = two.there("alerts", url=url)
        assert (ran.code, "must be the daemon's address" in ran.err, "secret" in ran.err) == (2, True, False)
    ran = two.there("alerts", url=f"{two.house.url}/nowhere")
    assert (ran.code, "does not answer as flowy-watch does (HTTP 404)" in ran.err) == (1, True)


def test_address_and_token_may_come_from_the_environment(two: Two) -> None:
    ran = cli("alerts", "--json", env={"FLOWY_WATCH_SERVER": two.house.url, "FLOWY_WATCH_TOKEN": TOKEN})
    assert len(json.loads(ran.out)["alerts"]) == 3


def test_more_alerts_than_fit_on_a_page_are_all_listed(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowy_watch.cli.remote._PAGE", 2)
    assert [alert["id"] for alert in two.good("alerts", "--json").json["alerts"]] == [3, 2, 1]
