"""A key whose spend no source knows: its use is watched, and nowhere is its spend 0."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.core.edition import Edition, Issue
from flowy_watch.core.message import Dialect, EmailMessage
from flowy_watch.core.period import Period
from flowy_watch.core.provenance import Figure, From, Provenance, Sure
from flowy_watch.core.usage import ALL_KEYS, Snapshot
from flowy_watch.jobs.digest import digest_of
from flowy_watch.jobs.exchange import import_file
from flowy_watch.render import Reader, Renderer
from flowy_watch.show import meter_fields, print_status, status_fields
from flowy_watch.store import Store
from tests.builders import DAY, HOUR, MINUTE, NOON, history, learned, snapshot

from .rigs import Rig
from .test_exchange import exported

NIGHT = datetime(2026, 3, 8, 23, 59, 50, tzinfo=UTC)


def unknown(at: datetime = NOON, *, cap: float | None = 100, **more: object) -> Snapshot:
    return snapshot(0, at, cap=cap, **more)._replace(spent=None)  # type: ignore[arg-type]  # any field


def test_a_poll_that_does_not_know_the_spend_opens_and_resolves_no_alert_about_it(store: Store) -> None:
    rig = Rig(store, "cap", "spike")
    rig.poll(NOON, snapshot(85, cap=100))
    for n in range(1, 30):
        rig.poll(NOON + n * 5 * MINUTE, unknown())
    assert [kind for kind, *_ in rig.told()] == ["cap"]
    assert rig.unresolved() == ["cap"]


def test_spend_that_becomes_known_is_no_spike_and_what_was_not_seen_teaches_nothing() -> None:
    key = history(unknown(), *(unknown(NOON + n * 5 * MINUTE) for n in range(1, 40)))
    assert (key.total, key.verdict) == (0, None)
    assert key.add(snapshot(500, NOON + 4 * HOUR)) == 0
    assert key.add(snapshot(510, NOON + 4 * HOUR + 5 * MINUTE)) == 10_000_000
    taught = history(snapshot(0), baseline=learned(lambda _: 100.0))
    before = taught.baseline.pack()
    for n in range(1, 40):
        taught.add(unknown(NOON + n * 5 * MINUTE))
    assert taught.baseline.pack() == before


def test_a_counter_that_drops_out_for_a_poll_loses_nothing() -> None:
    key = history(snapshot(10), unknown(NOON + 5 * MINUTE))
    assert key.add(snapshot(13, NOON + 10 * MINUTE)) == 3_000_000
    night = history(snapshot(10, NIGHT), unknown(NIGHT + MINUTE))
    assert night.add(snapshot(4, NIGHT + 2 * MINUTE)) == 0


def test_a_dormant_key_that_moves_is_told_with_what_is_not_known(store: Store) -> None:
    rig = Rig(store, "last_used")
    rig.poll(NOON, unknown(used=NOON - 40 * DAY))
    rig.poll(NOON + 5 * MINUTE, unknown(used=NOON + 4 * MINUTE))
    with store.read() as work:
        (alert,) = work.alerts.unresolved()
    assert alert.finding.title == "render was used after lying still for 40 days (spend not known from this source)"
    assert alert.finding.evidence[-1] == "Spend not known from this source."
    assert alert.finding.stakes is None


def test_it_stays_unknown_in_the_database_after_a_restart_and_in_exports(
    store: Store, open_store: Callable[..., Store], tmp_path: Path
) -> None:
    rig = Rig(store)
    rig.poll(NOON, unknown(), snapshot(5, key_id="key_2"))
    with store.read() as work:
        watch = work.usage.load_watch()
        assert [one.spent for one in next(work.usage.readings()).snapshots] == [None, 5_000_000]
        assert [row.spent_microcredits for row in work.usage.daily()] == [None, 5_000_000]
        assert work.usage.days_of("key_1") == []
    assert watch.histories["key_1"].latest.spent is None
    for form in ("csv", "jsonl"):
        other = open_store(f"{form}.db")
        file = tmp_path / f"usage.{form}"
        file.write_text(exported(store, form))
        import_file(other, file, now=NOON + DAY)
        assert exported(other, form) == exported(store, form)


def digest_mail(store: Store) -> EmailMessage:
    with store.read() as work:
        digest = digest_of(
            work, Period.parse("2026-W10"), owner_of=lambda *_: "", now=NIGHT + 9 * HOUR, late_by=timedelta(0)
        )
    mail = Renderer(Reader("Studio", "", ZoneInfo("UTC"))).render_digest(Issue(Edition("mail"), digest), Dialect.EMAIL)
    assert isinstance(mail, EmailMessage)
    return mail


def test_a_digest_of_keys_that_nobody_can_bill_says_so(store: Store) -> None:
    rig = Rig(store)
    for back in range(7):
        rig.poll(NIGHT - (6 - back) * DAY, unknown())
    mail = digest_mail(store)
    assert mail.subject == "Flowy spend W10: not known"
    assert "What was spent is not known" in mail.text
    assert "0 credits" not in mail.text


def test_a_digest_says_which_spend_is_by_price(store: Store) -> None:
    rig = Rig(store)
    priced = Provenance({Figure.SPENT: From("meter", Sure.BY_PRICE)}, {"meter": "key_1"})
    for back in range(7):
        rig.poll(NIGHT - (6 - back) * DAY, snapshot(10), provenance={"key_1": priced})
    assert "1 key by price: runs that were counted, not what Flowy billed." in " ".join(digest_mail(store).text.split())


def test_a_digest_with_some_unknown_is_a_least(store: Store) -> None:
    rig = Rig(store)
    for back in range(7):
        rig.poll(NIGHT - (6 - back) * DAY, unknown(), snapshot(10, key_id="key_2", name="shop"))
    mail = digest_mail(store)
    assert mail.subject.startswith("Flowy spend W10: ≥70 credits")
    assert "1 key: spend not known from this source" in mail.text


def test_a_digest_in_which_all_keys_together_are_known_is_whole(store: Store) -> None:
    rig = Rig(store)
    for back in range(7):
        rig.poll(NIGHT - (6 - back) * DAY, unknown(), snapshot(10, key_id=ALL_KEYS, name="all keys together"))
    mail = digest_mail(store)
    assert mail.subject.startswith("Flowy spend W10: 70 credits")
    assert "not known" not in mail.text
    assert "cap" not in mail.text.lower()


def test_status_says_unknown_where_spend_is_not_known(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Rig(store).poll(NOON, snapshot(name="silent")._replace(spent=None))
    with store.read() as work:
        print_status(status_fields(work, NOON) | meter_fields(tmp_path / "no ledger", NOON))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "silent" in line)
    assert "unknown" in line
