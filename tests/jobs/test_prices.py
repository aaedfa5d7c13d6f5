"""Prices from the database's balances and the ledger's runs."""

from pathlib import Path

from flowy_watch.jobs.prices import learn_prices
from flowy_watch.ledger import Batch, Ledger, Price, PriceSource
from flowy_watch.ledger.batch import RunStarted
from flowy_watch.store import Store
from tests.builders import HOUR, MINUTE, NOON, credit


def lived(store: Store, ledger: Ledger, *, hours: int = 60) -> None:
    """A run costs 12 credits; every twenty hours the balance is topped up."""
    runs, balance = {}, 10_000.0
    with store.write() as work:
        for n in range(hours):
            at = NOON + n * HOUR
            work.usage.add_balance(at, credit(balance))
            for each in range(n % 5):
                runs[f"run_{n}_{each}"] = RunStarted("k" * 16, "video", at + (each + 1) * MINUTE)
            balance += 5000 if n % 20 == 19 else 0
            balance -= 12 * (n % 5)
    ledger.add(Batch(runs=runs, outcomes={}, counts={}, keys={}))


def test_a_price_is_learned_and_a_configured_one_stays(store: Store, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "meter.db")
    lived(store, ledger)

    found = learn_prices(store, ledger, NOON + 60 * HOUR)

    assert round(found["video"].price / 1e6, 2) == 12
    (price,) = ledger.prices()
    assert (price.app_id, price.source) == ("video", PriceSource.LEARNED)
    ledger.configure_prices({"video": credit(10)})
    learn_prices(store, ledger, NOON + 60 * HOUR)
    assert ledger.prices() == (Price("video", credit(10), credit(10), credit(10), PriceSource.CONFIGURED),)
    ledger.close()


def test_without_a_meter_or_a_readable_ledger_nothing_is_learned(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "meter.db"
    assert learn_prices(store, Ledger(path), NOON) == {}
    assert not path.exists()
    path.write_text("no database at all")
    assert learn_prices(store, Ledger(path), NOON) == {}
