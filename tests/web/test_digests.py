"""Finished weeks and months on the dashboard, as they are mailed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowy_watch.core.edition import Edition
from flowy_watch.core.period import Period, Span
from flowy_watch.store.digests import Made
from flowy_watch.web.visit import Role
from tests.builders import DAY, NOON, snapshot
from tests.web.test_pages import HOSTILE, page, text

from .house import House

WEEK = Period.parse("2026-W09")
EDITIONS = """
[keys."ren*"]
owner = "media"
[channels.mail]
kind = "email"
host = "127.0.0.1"
from = "watch@example.com"
to = ["oncall@example.com"]
[digest]
channels = ["mail"]
[[digest.editions]]
owner = "media"
channels = ["mail"]
"""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, more=EDITIONS) as house:
        for back in range(20, -1, -1):
            closing = (NOON - back * DAY).replace(hour=23, minute=59, second=50)
            at = min(closing, NOON)
            house.poll(snapshot(10, at, name="render", cap=100), snapshot(5, at, key_id="key_2", name="other"), at=at)
        yield house


def test_finished_weeks_and_months_are_listed_with_what_they_cost(studio: House) -> None:
    with studio.app.store.write() as work:
        work.digests.done(Edition("mail", "oncall@example.com"), WEEK, Made.SENT, at=NOON)
        work.digests.plan(Edition("mail", "oncall@example.com"), WEEK.after(), NOON + 7 * DAY)
    found = text(page(studio, "/digests"))
    assert "2026-W09 from 23 Feb 2026 105 0 % 7 of 7 1 CSV" in found
    assert "2026-W08 from 16 Feb 2026 105 – 7 of 7 nobody CSV" in found
    assert "2026-02 from 1 Feb 2026 ≥285 – 19 of 28 nobody CSV" in found
    assert "2026-W10 on mail to oncall@example.com" in found
    assert "2026-W10 from" not in found


def test_before_anything_is_finished_the_page_says_so(house: House) -> None:
    found = text(page(house, "/digests"))
    assert "No week has ended since the watch began." in found
    assert "Nobody is sent a digest" in found


def test_a_digest_is_shown_as_it_is_mailed_in_a_frame_that_can_do_nothing(studio: House) -> None:
    shown = page(studio, "/digests/2026-W09")
    assert 'src="/digests/2026-W09/mail"' in shown
    assert "Flowy spend W9: 105 credits" in text(shown)
    framed = studio.browser().get("/digests/2026-W09/mail")
    assert "105 credits" in text(framed.text)
    assert 'src="data:image/png;base64,' in framed.text
    assert "cid:" not in framed.text
    policy = framed.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert framed.headers["x-frame-options"] == "SAMEORIGIN"


def test_an_edition_shows_its_owner_s_keys_alone(studio: House) -> None:
    shown = text(studio.browser().get("/digests/2026-W09/mail?owner=media").text)
    assert "render" in shown
    assert "other" not in shown
    assert 'aria-current="true">media' in page(studio, "/digests/2026-W09?owner=media")


def test_the_table_is_what_is_attached(studio: House) -> None:
    answer = studio.browser(Role.VIEWER).get("/digests/2026-W09/table?owner=media")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="flowy-spend-2026-W09.csv"'
    assert answer.text.splitlines()[1] == "2026-02-23,key_1,render,media,10,100,yes"


@pytest.mark.parametrize(
    "path", ["2026-W10", "2026-W99", "2026-03", "nothing", "%2e%2e", "2026-W09?owner=nobody", "9999-W52"]
)
def test_what_is_not_over_or_in_no_calendar_is_not_found(studio: House, path: str) -> None:
    place, _, query = path.partition("?")
    for part in ("", "/mail", "/table"):
        assert studio.browser().get(f"/digests/{place}{part}?{query}").status_code == 404


def test_who_is_not_signed_in_sees_no_digest(studio: House) -> None:
    assert studio.client().get("/digests/2026-W09/mail").status_code == 303


def test_hostile_names_and_sums_beyond_64_bits_do_no_harm(house: House) -> None:
    most = 9 * 10**12
    for at in (NOON - 7 * DAY, NOON):
        keys = [snapshot(most, at, key_id=f"key_{n}", name=name) for n, name in enumerate(HOSTILE)]
        house.poll(*keys, at=at)
    for path in ("/", "/digests", "/digests/2026-W09", "/digests/2026-W09/mail"):
        shown = house.browser().get(path)
        assert shown.status_code == 200, path
        assert "<script>alert(1)" not in shown.text
        assert "<img src=x>" not in shown.text
    assert f"≥{most * len(HOSTILE):,}" in page(house, "/digests")


def test_a_month_is_framed_as_well(studio: House) -> None:
    assert "Flowy spend" in text(page(studio, f"/digests/{Period.of(Span.MONTH, WEEK.first).name}"))


def test_programs_get_the_figures_that_the_pages_show(studio: House) -> None:
    machine = studio.machine()
    first, *_ = machine.get("/api/v1/digests").json()["digests"]
    whole, media = (machine.get(f"/api/v1/digests/2026-W09{of}").json() for of in ("", "?owner=media"))
    assert (first["period"], first["spent"], first["spent_before"]) == ("2026-W09", 105.0, 105.0)
    assert (whole["total_microcredits"], media["total_microcredits"]) == (105_000_000, 70_000_000)
    assert [key["name"] for key in media["keys"]] == ["render"]
    for place in ("2026-W10", "9999-W52", "0000-00", "x", "2026-W09?owner=nobody"):
        assert machine.get(f"/api/v1/digests/{place}").status_code == 404, place


def test_a_key_of_which_no_day_is_known_stops_no_page(studio: House, tmp_path: Path) -> None:
    (database,) = tmp_path.glob("*.db")
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("DELETE FROM daily_snapshots")
        opened.commit()
    for path in ("/", "/keys/key_1", "/digests"):
        assert studio.browser().get(path).status_code == 200
