"""Charts: plain facts in, SVG and PNG out."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import nan
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowy_watch.core.finding import Finding, Severity, Stakes
from flowy_watch.core.usage import CREDIT
from flowy_watch.render.chart import MOST_POINTS, Chart, Shape, series_chart
from flowy_watch.render.chart_alert import Scene, alert_chart, picture, picture_name
from flowy_watch.render.chart_axis import amount_ticks, amount_words, axis_words, period_words, time_ticks
from flowy_watch.render.chart_page import MOST_CHARTS, Table, backtest_page
from flowy_watch.render.chart_palette import CHART_STYLE, DARK, LIGHT, Palette
from flowy_watch.render.chart_png import png_of
from flowy_watch.render.chart_text import lines_of, text_width

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOSTILE = "</text><script>alert(1)</script>\x00\x0b\u202e\ud800 & \"'" + "ж" * 300
SVG = "{http://www.w3.org/2000/svg}"


def chart(*values: float, **more: Any) -> Chart:
    return Chart("render spent 900", "credits per hour", MONDAY, values or (1.0, 2.0, 3.0), **more)


def tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # our own


def words(svg: str) -> list[str]:
    return [text.text or "" for text in tree(svg).iter(f"{SVG}text")]


def paths(svg: str, name: str) -> list[str]:
    return [p.get("d") or "" for p in tree(svg).iter(f"{SVG}path") if p.get("class") in (f"f-{name}", f"s-{name}")]


# ── the drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_chart_has_a_title_and_a_description_for_those_who_do_not_see_it() -> None:
    root = tree(series_chart(chart(1, nan, 900, mark_at=MONDAY + 2 * HOUR, limit=1000)))
    assert root.get("role") == "img"
    assert root[0].text == "render spent 900"
    assert root[1].text == (
        "Spent, credits per hour, 2 Mar 2026 (UTC). Between 1 and 900, the highest Mon 2 Mar 02:00 UTC. Last 900. "
        "1 of 3 are not known. Daily cap 1,000. Alert Mon 2 Mar 02:00 UTC."
    )


def test_a_gap_is_drawn_as_a_gap_and_said_in_the_legend() -> None:
    svg = series_chart(chart(5, 5, nan, nan, 5, shape=Shape.LINE))
    [line] = paths(svg, "spent")[1:]
    assert line.count("M") == 2
    assert "not watched" in words(svg)
    assert "not watched" not in words(series_chart(chart(5, 5)))


def test_one_point_alone_is_seen_in_both_shapes() -> None:
    for shape in Shape:
        assert "H" in "".join(paths(series_chart(chart(nan, 7, nan, shape=shape)), "spent"))


def test_band_expected_limit_and_mark_are_drawn_where_there_are_any() -> None:
    full = chart(1, 2, 3, expected=(2, 2, 2), low=(1, 1, nan), high=(3, 3, nan), limit=3.5, mark_at=MONDAY + HOUR)
    svg = series_chart(full)
    assert all(paths(svg, name) for name in ("band", "expected", "limit", "mark"))
    assert {"usual range", "expected", "daily cap 3.5", "alert Mon 2 Mar 01:00 UTC"} <= set(words(svg))
    plain = series_chart(chart())
    assert not any(paths(plain, name) for name in ("band", "expected", "limit", "mark"))


def test_a_limit_far_above_all_figures_is_left_to_the_words() -> None:
    svg = series_chart(chart(1, 2, 3, limit=5000))
    assert paths(svg, "limit") == []
    assert "Daily cap 5,000." in (tree(svg)[1].text or "")


def test_the_words_of_a_mark_stand_beside_those_of_the_unit() -> None:
    for hours in (0, 100):
        svg = series_chart(chart(*range(101), mark_at=MONDAY + hours * HOUR))
        unit, mark = (t for t in tree(svg).iter(f"{SVG}text") if t.text and t.text.startswith(("credits", "alert")))
        half = text_width(mark.text or "", 11) / 2
        assert 12 + text_width(unit.text or "", 11) < float(mark.get("x", 0)) - half
        assert float(mark.get("x", 0)) + half <= 400


def test_a_mark_beyond_the_chart_stands_at_its_edge() -> None:
    for at in (MONDAY - DAY, MONDAY + DAY):
        assert paths(series_chart(chart(mark_at=at)), "mark")


@pytest.mark.parametrize("count", [1, 2, 60, 193, MOST_POINTS])
@pytest.mark.parametrize("shape", Shape)
def test_charts_of_any_length_stay_inside_their_frame(count: int, shape: Shape) -> None:
    values = [float(n % 50) for n in range(count)]
    svg = series_chart(chart(*values, expected=values, low=values, high=values, shape=shape))
    assert len(svg) < 3500 + 130 * count
    for path in tree(svg).iter(f"{SVG}path"):
        for number in (path.get("d") or "").translate(str.maketrans("MLHVZhlz-", "         ")).split():
            assert 0 <= float(number) <= 400


@pytest.mark.parametrize("count", [0, MOST_POINTS + 1])
def test_no_points_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 2000 points"):
        Chart("x", "y", MONDAY, [1.0] * count)


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="as long"):
        chart(1, 2, expected=(1,))


def test_nothing_known_at_all_is_still_a_chart() -> None:
    svg = series_chart(chart(nan, nan))
    assert "Nothing is known." in (tree(svg)[1].text or "")


@given(st.lists(st.floats(min_value=0, max_value=1e18) | st.just(nan), min_size=1, max_size=60), st.sampled_from(Shape))
def test_every_figure_makes_well_formed_svg(values: list[float], shape: Shape) -> None:
    svg = series_chart(chart(*values, low=values, high=values, expected=values, limit=len(values), shape=shape))
    assert "nan" not in svg
    assert "inf" not in svg
    tree(svg)


def test_hostile_names_are_escaped_cut_and_made_visible() -> None:
    facts = replace(chart(), title=HOSTILE, unit=HOSTILE[:40], what=HOSTILE[:20], limit_name=HOSTILE[:20], limit=3)
    svg = series_chart(facts, heading=True, caption=(HOSTILE, HOSTILE))
    tags = {element.tag.removeprefix(SVG) for element in tree(svg).iter()}
    assert tags == {"svg", "title", "desc", "rect", "path", "text"}
    assert not any(bad in svg for bad in ("\x00", "\x0b", "\u202e", "\ud800"))
    assert png_of(svg)


def test_a_chart_needs_no_style_sheet_no_script_and_nothing_from_elsewhere() -> None:
    svg = series_chart(chart(limit=3, mark_at=MONDAY))
    assert not any(word in svg for word in ("<style", "style=", "<script", "href", "url(", "onload"))


def test_light_and_dark_differ_only_in_colours() -> None:
    light, dark = (series_chart(chart(limit=3, mark_at=MONDAY), palette=palette) for palette in (LIGHT, DARK))
    for name in LIGHT._fields:
        light = light.replace(f'"{getattr(LIGHT, name)}"', name)
        dark = dark.replace(f'"{getattr(DARK, name)}"', name)
    assert light == dark
    assert all(colour in CHART_STYLE for colour in DARK)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_words_stand_out_from_paper_and_lines_from_what_is_behind_them(palette: Palette) -> None:
    for name in ("ink", "faint", "mark", "limit"):
        assert contrast(getattr(palette, name), palette.paper) >= 4.5, name
    for name in ("spent", "expected"):
        assert contrast(getattr(palette, name), palette.paper) >= 3, name


def contrast(one: str, other: str) -> float:
    """By WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ── axes and words ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, [0, 1]),
        (nan, [0, 1]),
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (7, [0, 2, 4, 6, 8]),
        (1240, [0, 250, 500, 750, 1000, 1250]),
        (441_054, [0, 100_000, 200_000, 300_000, 400_000, 500_000]),
    ],
)
def test_amounts_are_round(highest: float, ticks: list[float]) -> None:
    assert amount_ticks(highest) == pytest.approx(ticks)


@given(st.floats(min_value=1e-6, max_value=1e18))
def test_ticks_reach_the_highest_in_few_even_steps(highest: float) -> None:
    ticks = amount_ticks(highest)
    steps = [after - before for before, after in pairwise(ticks)]
    assert ticks[0] == 0
    assert highest * (1 - 1e-9) <= ticks[-1] <= highest * 3
    assert 2 <= len(ticks) <= 6
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_amounts_are_short() -> None:
    figures = (0, 0.25, 12.5, 1500, 99_999, 120_000, 1_250_000, 3e9, 1e12)
    assert [amount_words(f) for f in figures] == ["0", "0.25", "12.5", "1,500", "99,999", "120k", "1.25M", "3G", "1T"]


def labels(start: datetime, span: timedelta, most: float = 8) -> list[str]:
    return [tick.label for tick in time_ticks(start, start + span, most=most) if tick.label]


def test_days_are_named_at_their_midnight_in_utc() -> None:
    assert labels(MONDAY - HOUR, 3 * DAY + HOUR) == ["Mon 2", "Tue 3", "Wed 4"]
    assert [tick.at for tick in time_ticks(MONDAY - HOUR, MONDAY + 2 * DAY, most=8)] == [MONDAY, MONDAY + DAY]


def test_long_spans_name_fewer_days_and_short_ones_hours() -> None:
    assert labels(MONDAY, 28 * DAY) == ["2 Mar", "9 Mar", "16 Mar", "23 Mar"]
    assert labels(MONDAY, DAY, most=4) == ["Mon 2", "06:00", "12:00", "18:00"]
    assert len(labels(MONDAY, 2000 * DAY)) <= 8
    assert labels(MONDAY + timedelta(minutes=5), timedelta(minutes=30)) == []


def test_a_period_is_named_with_both_its_days() -> None:
    assert period_words(MONDAY, MONDAY + DAY) == "2 Mar 2026"
    assert period_words(MONDAY, MONDAY + 7 * DAY) == "2–8 Mar 2026"
    assert period_words(MONDAY, MONDAY + 40 * DAY) == "2 Mar – 10 Apr 2026"
    assert period_words(MONDAY - 90 * DAY, MONDAY) == "2 Dec 2025 – 1 Mar 2026"


def test_long_words_are_broken_into_lines_that_fit_and_the_cut_is_shown() -> None:
    assert lines_of("one two", 12, 400, most=2) == ["one two"]
    lines = lines_of("render spent far more than it ever did " * 9, 12, 200, most=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(text_width(line, 12) <= 200 for line in lines)
    assert all(text_width(line, 12) <= 200 for line in lines_of("x" * 500, 12, 200, most=3))


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and the bytes before filtering are undone: enough to see whether two pictures are the same."""
    width, height = struct.unpack(">II", png[16:24])
    data, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    return width, height, zlib.decompress(data)


def text_only(said: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="30"><text x="5" y="20">{said}</text></svg>'


def test_a_picture_has_the_size_of_its_chart_times_the_scale() -> None:
    assert pixels(png_of(series_chart(chart()), 2))[:2] == (800, 460)
    assert pixels(png_of(series_chart(chart(), width=300, height=200), 1))[:2] == (300, 200)


@pytest.mark.parametrize("said", ["14:05", "Größe", "Ключ", "Ωμέγα", "– … “”"])
def test_text_is_seen_without_any_font_of_the_machine(said: str) -> None:
    assert pixels(png_of(text_only(said))) != pixels(png_of(text_only("")))


def test_what_is_no_svg_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        png_of("no svg")


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def scene(kind: str = "spike", **more: Any) -> Scene:
    stakes = Stakes(spent_today=0, per_hour=0, resets_at=MONDAY + DAY, daily_cap=4 * CREDIT)
    given: dict[str, Any] = {"title": "render spent 900", "key_id": "key_1", "key_name": "render", "stakes": stakes}
    given |= {"evidence": ("900 credits in the last hour.",)}
    about = {name: more.pop(name) for name in [*more] if name in Finding.__dataclass_fields__}
    finding = Finding(kind, Severity.WARNING, **(given | about))
    rows = {"counter": (1.0, 2.0), "expected": (1.0, 1.0), "low": (0.5, nan), "high": (1.5, nan)}
    return Scene(7, finding, MONDAY + HOUR, MONDAY, (3.0, 4.0), **(rows | more))


def test_an_alert_about_spend_shows_it_beside_what_is_usual() -> None:
    made = alert_chart(scene())
    assert (made.values, made.expected, made.high[0], made.mark_at) == ((3.0, 4.0), (1.0, 1.0), 1.5, MONDAY + HOUR)


def test_an_alert_about_the_cap_shows_the_days_counter_below_it() -> None:
    made = alert_chart(scene("cap"))
    assert (made.values, made.limit, made.expected) == ((1.0, 2.0), 4.0, ())


def test_an_alert_about_the_workspace_shows_the_balance() -> None:
    made = alert_chart(scene("balance", key_id=None, key_name="", stakes=None, balance=(9.0, 8.0)))
    assert (made.values, made.shape, made.limit) == ((9.0, 8.0), Shape.LINE, None)


def test_what_nobody_knows_has_no_entry_in_the_legend() -> None:
    made = alert_chart(scene(expected=(nan, nan), low=(nan, nan), high=(nan, nan)))
    assert (made.expected, made.low, made.high) == ((), (), ())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("prod-render", "007-prod-render-spike.png"),
        ("../../etc/passwd", "007-etc-passwd-spike.png"),
        ("Ключ", "007-key-spike.png"),
        (".hidden", "007-hidden-spike.png"),
        ("x" * 300, f"007-{'x' * 60}-spike.png"),
    ],
)
def test_a_picture_is_named_for_number_key_and_kind(name: str, file: str) -> None:
    assert picture_name(scene(key_name=name)) == file


def test_a_picture_of_an_alert_bears_title_and_evidence() -> None:
    bare = pixels(png_of(series_chart(alert_chart(scene()))))
    assert pixels(picture(scene()))[1] > bare[1]
    assert picture(scene(title=HOSTILE, evidence=(HOSTILE,)))


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TABLE = Table("Settings", ("knob", "alerts"), [["0.5", "3"], ["4", "9"]], "Present: 4.", 1)


def page(scenes: Iterable[Scene] = (), title: str = "What would have been told") -> str:
    return backtest_page(title, "2 alerts.", [TABLE], list(scenes))


def test_the_page_loads_and_runs_nothing_and_its_policy_says_so() -> None:
    html = page([scene(), scene("cap")])
    assert "default-src 'none'; style-src 'sha256-" in html
    assert not any(word in html for word in ("<script", 'http-equiv="refresh', "<link", "<img", "url(", "style="))
    assert html.count("<svg") == 2
    assert "prefers-color-scheme: dark" in html


def test_the_page_shows_title_evidence_and_the_present_setting() -> None:
    html = page([scene()])
    assert "render spent 900" in html
    assert "900 credits in the last hour." in html
    assert html.count('aria-current="true"') == 1


def test_hostile_names_are_words_on_the_page() -> None:
    html = page([scene(title=HOSTILE, key_name=HOSTILE, evidence=(HOSTILE,))], title=HOSTILE[:30])
    assert "<script" not in html
    assert "\u202e" not in html


def test_the_page_says_when_it_leaves_alerts_out() -> None:
    assert "1 more alerts are not shown" in page([scene()] * (MOST_CHARTS + 1))


def test_an_axis_has_one_unit() -> None:
    assert axis_words([0, 50_000, 100_000]) == ["0", "50k", "100k"]
    assert axis_words([0, 500_000, 1_000_000]) == ["0", "0.5M", "1M"]
    assert axis_words([0, 2000, 4000]) == ["0", "2,000", "4,000"]
