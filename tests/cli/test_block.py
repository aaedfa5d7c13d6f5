"""Blocking a key at the meter from the command line."""

from pathlib import Path

from flowy_watch.ledger import Batch, Counts, Ledger, Price, PriceSource, bucket_of, fingerprint_of
from flowy_watch.ledger.batch import KeySeen
from tests.builders import snapshot
from tests.cli.rig import Rig, cli, now
from tests.web.house import TOKEN, House

PRINT = fingerprint_of("flw_sk_0123456789abcdef9f8e")


def metered(rig: Rig) -> None:
    """A key has passed through the meter."""
    path = rig.folder / "meter.db"
    rig.configure(more=f'[meter]\nledger = "{path}"')
    pass_through(path)


def pass_through(path: Path) -> None:
    ledger, at = Ledger(path), now()
    counts = {(PRINT, bucket_of(at), "poster"): Counts(requests=1)}
    ledger.add(Batch(counts, {PRINT: KeySeen(at, "9f8e", "metered", used_at=at)}))
    ledger.close()


def test_block_stops_a_key_and_unblock_lets_it_through(rig: Rig) -> None:
    metered(rig)

    said = rig.good("block", "metered", "--why", "leaked", "--by", "ana").out
    assert said.splitlines()[0] == f"Blocked at the meter: metered (…9f8e, {PRINT}). Its next request there gets 401."
    assert "revoke it in Flowy too" in said
    assert rig.good("block", "9f8e", "--by", "bo").out.startswith("Already blocked by ana since ")
    (block,) = rig.good("status", "--json").json["blocks"]
    assert (block["fingerprint"], block["by"], block["why"]) == (PRINT, "ana", "leaked")
    assert f"Blocked at the meter: metered (…9f8e, {PRINT}) by ana since " in rig.good("status").out

    assert rig.good("unblock", PRINT).out.startswith(f"Let through again: metered (…9f8e, {PRINT}) (blocked by ana on ")
    assert rig.good("status", "--json").json["blocks"] == []
    assert [entry["act"] for entry in rig.good("status", "--json").json["log"]] == ["unblocked", "blocked"]


def test_blocking_is_refused_in_one_line_where_it_would_stop_nothing(rig: Rig) -> None:
    rig.configure(more=f'[meter]\nledger = "{rig.folder}/never.db"')
    assert "there is no ledger at " in rig.run("block", "metered").err
    metered(rig)
    ran = rig.run("block", "other")
    assert (ran.code, ran.err) == (
        1,
        "flowy-watch: no such key has passed through the meter; `flowy-watch status` lists the keys\n",
    )
    assert "is not blocked" in rig.run("unblock", "metered").err


def test_a_broken_ledger_does_not_break_the_status(rig: Rig) -> None:
    metered(rig)
    (rig.folder / "meter.db").write_text("no database")
    assert "Blocks are not known: ledger " in rig.good("status").out


def test_status_shows_how_sure_a_learned_price_is(rig: Rig) -> None:
    metered(rig)
    at = now()
    with Ledger(rig.folder / "meter.db") as ledger:
        ledger.add(Batch({(PRINT, bucket_of(at), "poster"): Counts(requests=1200, runs=1200)}))
        ledger.configure_prices({"reel": 3_000_000})
        ledger.learn_prices([Price("poster", 12_000_000, 11_500_000, 13_000_000, PriceSource.LEARNED)])

    said = rig.good("status").out
    (price,) = rig.good("status", "--json").json["learned_prices"]

    assert "Price learned: poster 12 credits ±1, 1,200 runs of the last 14 days (figures by price rest on it)" in said
    assert price == {"app": "poster", "credits": 12.0, "low": 11.5, "high": 13.0, "runs": 1200}


def test_a_daemon_elsewhere_blocks_and_lets_through_in_the_same_words(tmp_path: Path) -> None:
    with House(tmp_path, more=f'[meter]\nledger = "{tmp_path / "meter.db"}"') as house:
        house.clock.at = now()
        house.poll(snapshot(5, house.clock.at, last_four="9f8e"))
        house.alert()
        pass_through(tmp_path / "meter.db")
        (tmp_path / "token").write_text(TOKEN)
        there = ("--server", house.url, "--token-file", tmp_path / "token")
        said = cli("block", "render", "--by", "ana", "--json", *there)
        again = cli("block", "9f8e", "--by", "bo", *there)
        nobody = cli("block", "nobody", *there)
        ended = cli("unblock", PRINT, *there)
        assert house.stored(1).acknowledged_by == "ana"
    assert {name: said.json[name] for name in ("fingerprint", "by", "new", "alerts")} == {
        "fingerprint": PRINT,
        "by": "ana",
        "new": True,
        "alerts": [1],
    }
    assert again.out.startswith("Already blocked by ana since ")
    assert (nobody.code, nobody.err) == (
        1,
        "flowy-watch: no such key has passed through the meter; `flowy-watch status` lists the keys\n",
    )
    assert ended.out.startswith(f"Let through again: metered (…9f8e, {PRINT}) (blocked by ana on ")
