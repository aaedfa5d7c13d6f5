"""The digest people read: the verdict in the subject, what to do first, and nothing that breaks it."""

import csv
import gzip
import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowy_watch.core.digest import Digest, KeyFigures, Outcome, SmallFigures, contributions
from flowy_watch.core.edition import Edition, Issue, bounded
from flowy_watch.core.message import Dialect, EmailMessage, FactsMessage, PlainMessage, SlackMessage
from flowy_watch.core.usage import CREDIT, Answers
from flowy_watch.render import Reader, Renderer
from flowy_watch.render.chart_palette import DARK, LIGHT, SERIES
from flowy_watch.render.digest_figures import credits_about, percent
from flowy_watch.render.digest_json import digest_fields
from flowy_watch.render.digest_mail import page_of
from flowy_watch.render.digest_words import sheet_of
from flowy_watch.render.phrase import When
from tests.builders import credit
from tests.core.digests import MADE, WEEK, alert_figures, balance, digest, key

from .block_kit import objection

KEYS_URL = "https://app.example.com/settings/api-keys"
RENDERER = Renderer(Reader("Acme Studio", KEYS_URL, ZoneInfo("Europe/Madrid")))
WHEN = When(ZoneInfo("Europe/Madrid"), MADE)
SPREAD = [10.0] * 7
MAIL_LIMIT = 102_000
VOID = {"meta", "img", "br", "hr", "link", "wbr"}


def mail(made: Digest, **edition: Any) -> EmailMessage:
    told = RENDERER.render_digest(Issue(Edition("mail", **edition), made), Dialect.EMAIL)
    assert isinstance(told, EmailMessage)
    return told


def slack(made: Digest) -> SlackMessage:
    told = RENDERER.render_digest(Issue(Edition("ops"), made), Dialect.SLACK)
    assert isinstance(told, SlackMessage)
    return told


def with_recent(*keys: KeyFigures) -> list[KeyFigures]:
    return [replace(one, recent=(CREDIT,) * 21 + tuple(day or 0 for day in one.days)) for one in keys]


def usual(**more: Any) -> Digest:
    """A week like most: two keys of two owners, one thing to do."""
    keys = with_recent(
        key("render", *[1000] * 7, earlier=(6000, 6500, 6500, 6500), cap=3000, usual_high=1000, last_four="4f2a"),
        key("batch", *[500] * 7, earlier=(4000, 3500, 3500, 3500)),
    )
    given = {"per_day": 1400, "balance": balance(34_000, fell=10_500), "owners": {"render": "ana"}} | more
    return digest(*keys, **given)


class Wellformed(HTMLParser):
    """Every tag that is opened is closed, in order; every picture says what it shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.links: list[str | None] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(dict(attributes))
        if tag == "a":
            self.links.append(dict(attributes).get("href"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_subject_is_the_verdict() -> None:
    assert mail(usual()).subject == "Flowy spend W47: 10,500 credits (+5 %), 1 action, runway 23 days"


def test_the_subject_of_a_week_not_seen_whole_says_at_least() -> None:
    made = digest(key("a", *SPREAD, open_days=1, cap=100))
    assert mail(made).subject == "Flowy spend W47: ≥70 credits"


def test_an_owners_edition_is_about_their_keys_and_their_share() -> None:
    told = mail(usual().for_owner("ana"), owner="ana", recipient="ana@example.com")
    assert told.subject == "Flowy spend W47, ana: 7,000 credits (+17 %)"
    assert "67 % of the workspace's 10,500 credits." in told.text
    assert "batch" not in told.text + told.html
    assert told.to == ("ana@example.com",)


def test_what_to_do_comes_first_with_its_owner_and_its_exact_place() -> None:
    alerts = (alert_figures(owner="ana"),)
    told = mail(usual(alerts=alerts, owners={"render": "ana", "batch": "ben"}))
    first = told.text.index("TO DO")
    assert first < told.text.index("HOW MUCH") < told.text.index("WHO")
    asked = told.text[first : told.text.index("HOW MUCH")]
    flat = " ".join(asked.split())
    assert "1. Answer alert 12 (critical): render spent 900 credits in the last hour. Owner: ana" in flat
    assert "flowy-watch ack 12 or flowy-watch why 12" in flat
    assert "Settings → API keys → render (…4f2a) → Revoke" in flat
    assert "2. Give batch a daily cap of about 1,300 credits (two and a half times its high days): it has none" in flat
    assert "Settings → API keys → batch → daily spend cap" in flat
    assert KEYS_URL in Wellformed(told.html).links


def test_a_week_that_was_not_seen_whole_says_so_before_anything_else() -> None:
    made = usual()
    days = (*made.days[:-2], replace(made.days[-2], keys=0), made.days[-1])
    told = mail(replace(made, days=days, blind_hours=24, late_by=timedelta(hours=24)))
    head = " ".join(told.text[: told.text.index("TO DO")].split())
    assert "! Not seen to its end: Sat 21 Nov. What was spent then is not filled in" in head
    assert "! 24 hours without a good poll." in head
    assert "! Sent 24 h late: it waited for late figures." in head


def test_the_same_issue_is_the_same_mail_to_the_last_byte() -> None:
    assert mail(usual()) == mail(usual())


def test_every_picture_is_inside_says_what_it_shows_and_has_one_for_the_dark() -> None:
    told = mail(usual())
    shown = Wellformed(told.html).pictures
    inside = {f"cid:{file.cid}": file for file in told.enclosures if file.inline}
    assert {picture["src"] for picture in shown} == set(inside)
    assert all(file.content.startswith(b"\x89PNG") for file in inside.values())
    words = [picture["alt"] for picture in shown if picture["alt"]]
    assert len(words) == 2
    assert "Most: other keys 29,358, render 7,021" in str(words[0])
    assert "Expected at the end:" in str(words[1])
    assert all("alt" in picture for picture in shown)
    for name in ("days", "balance"):
        assert inside[f"cid:{name}.png@flowy-watch"].content != inside[f"cid:{name}-dark.png@flowy-watch"].content


def test_the_preview_is_the_mail_with_its_pictures_in_it() -> None:
    told = mail(usual())
    page = page_of(told)
    assert "cid:" not in page
    assert page.count("data:image/png;base64,") == told.html.count("cid:")
    assert re.sub(r'src="[^"]*"', "", page) == re.sub(r'src="[^"]*"', "", told.html)


def test_every_key_and_day_is_in_the_table_exactly() -> None:
    made = digest(key("a", 0.000001, None, 3), key("=cmd()", 10**12), owners={"a": "+ana", "=cmd()": "＝ben"})
    (table,) = [file for file in mail(made).enclosures if not file.inline]
    rows = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert (table.name, len(rows)) == ("flowy-spend-2026-W47.csv", 14)
    assert [row["credits"] for row in rows if row["name"] == "a"] == ["0.000001", "", "3", "0", "0", "0", "0"]
    assert {row["name"] for row in rows} == {"a", "'=cmd()"}  # no spreadsheet takes it for a formula
    assert {row["owner"] for row in rows} == {"'+ana", "'＝ben"}
    cents = [row["credits"].partition(".") for row in rows if row["credits"]]
    assert sum(int(a) * CREDIT + int(b.ljust(6, "0")) for a, _, b in cents) == made.total


def test_a_table_of_very_many_keys_is_compressed_the_same_way_every_time() -> None:
    made = digest(*[key(f"k{n}" + "x" * 100, 1) for n in range(1200)])
    first, second = (mail(made).enclosures[-1] for _ in range(2))
    assert (first.name, first.content) == ("flowy-spend-2026-W47.csv.gz", second.content)
    assert gzip.decompress(first.content).count(b"\n") == 1200 * 7 + 1


NASTY = [
    "x" * 10_000,
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a\u202egnp.exe\u2066\u200b\x00\r\nSubject: forged",
    "&amp;{{7*7}}{% raw %}\"'>",
    "<!channel> <@U123> *bold* _it_ `code` <https://evil.example|click>",
    "名前🙂" * 40,
    "",
]
HUGE = 10.0**12


def extremes() -> list[Any]:
    many = [key(f"key-{n:04d}", n % 97, earlier=(n % 89,), cap=n % 7 or None) for n in range(2000)]
    owners = {f"key-{n:04d}": f"team {n % 300}" for n in range(2000)}
    return [
        pytest.param(digest(), id="no key"),
        pytest.param(digest(*with_recent(key("only", 5)), per_day=5), id="one key"),
        pytest.param(digest(*with_recent(*many[:10]), *many[10:], owners=owners, per_day=10), id="2,000 keys"),
        pytest.param(digest(*[key(f"zero-{n}", cap=5) for n in range(20)], per_day=0), id="all zero"),
        pytest.param(
            digest(*with_recent(key("rich", HUGE, cap=1)), per_day=HUGE, balance=balance(9 * HUGE, fell=HUGE)),
            id="10^12 credits",
        ),
        pytest.param(
            digest(
                *with_recent(*[key(name, 100 + n) for n, name in enumerate(NASTY)]),
                owners=dict(zip(NASTY, NASTY[1:] + NASTY[:1], strict=True)),
                alerts=[alert_figures(id=n, title=name, key_name=name) for n, name in enumerate(NASTY)],
                per_day=10,
            ),
            id="nasty names",
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("made", extremes())
def test_whatever_the_workspace_is_the_mail_is_whole_and_below_its_limits(made: Digest) -> None:
    told = mail(made)
    Wellformed(told.html)
    assert len(told.html.encode()) < MAIL_LIMIT
    assert len(told.subject) < 200
    assert told.subject.isprintable()
    assert "<script" not in told.html
    assert "onerror" not in re.sub(r">[^<]*<", "><", told.html)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00]", told.html + told.text + told.subject)
    assert max(len(line) for line in told.text.splitlines()) <= 200
    assert sum(part.spent for part in contributions(made)) == made.total
    assert page_of(told)


@pytest.mark.parametrize("made", extremes())
def test_whatever_the_workspace_is_slack_gets_one_message_below_its_limits(made: Digest) -> None:
    told = slack(made)
    assert not objection(told)
    assert len(told.blocks) <= 50
    assert len(json.dumps(told.blocks, ensure_ascii=False)) < 12_000
    header = told.blocks[0]["text"]["text"]
    assert len(header) <= 150
    assert "<!" not in told.text
    assert "<@" not in told.text
    for block in told.blocks:
        assert len(json.dumps(block, ensure_ascii=False)) < 9000


def test_a_week_without_anything_is_one_line_without_pictures() -> None:
    told = mail(digest(*[key("a", cap=1)]))
    assert told.subject == "Flowy spend W47: nothing spent, nothing happened"
    assert "Nothing was spent and nothing happened this week." in told.text
    assert "WHO" not in told.text
    assert "<img" not in told.html


def test_other_channels_get_the_same_in_plain_words() -> None:
    made = usual()
    told = RENDERER.render_digest(Issue(Edition("ops"), made), Dialect.PLAIN)
    assert isinstance(told, PlainMessage)
    facts = RENDERER.render_digest(Issue(Edition("hook"), made), Dialect.FACTS)
    assert isinstance(facts, FactsMessage)
    assert (facts.title, facts.about, facts.link) == (mail(made).subject, (), KEYS_URL)
    for words in (told.text, facts.text):
        assert "Give batch a daily cap" in words
        assert "10,500 credits" in words


def test_figures_are_rounded_only_where_cents_are_noise() -> None:
    assert [credits_about(credit(n)) for n in (0.5, 99.99, 100.49, -100.5, 1234.5)] == [
        "0.5", "99.99", "100", "-101", "1,235",
    ]  # fmt: skip
    assert [percent(n) for n in (0.08, -0.124, 0.001, 0.0, 11.0)] == ["+8 %", "−12 %", "0 %", "0 %", "×12"]
    assert [percent(n) for n in (998.0, 999.0, 1e12)] == ["×999", ">×999", ">×999"]
    assert percent(0.001, signed=False) == "<1 %"


def test_what_people_made_of_alerts_is_counted_and_told() -> None:
    outcomes = [alert_figures(outcome, id=n) for n, outcome in enumerate(Outcome, 1)]
    stopped = {"stopped_after": timedelta(minutes=14), "detected_after": timedelta(minutes=6), "cost": credit(900)}
    outcomes[0] = replace(outcomes[0], **stopped)
    told = mail(usual(alerts=outcomes)).text
    flat = " ".join(told.split())
    assert (
        "6 alerts opened: 1 stopped, 1 confirmed, 1 expected, 1 no anomaly, 1 over by themselves, 1 unanswered." in flat
    )
    assert (
        "Half were told within 6 min of the first odd use; half of the stops took 14 min from the opening; 900" in flat
    )
    assert "stopped after 14 min, cost 900" in flat


def test_refused_runs_are_told_where_a_source_sees_them() -> None:
    known = key("render", 5, at_cap=3, cap=5, answers=Answers(refused=0, capped=312, throttled=40))
    made = digest(known, key("other", 5, cap=50), key("dev", 1, cap=50, answers=Answers(capped=8)))
    told = mail(made).text
    assert "Cap or balance spent (402), 320 runs in all: render 312, dev 8" in " ".join(told.split())
    assert "Too many at once (429), 40 runs in all: render 40" in told
    assert "401" not in told
    assert "its whole cap of 5 credits on 3 days; refused: 312 runs with 402." in " ".join(told.split())
    assert [one["refused_402"] for one in digest_fields(made)["keys"]] == [None, 312, 8]  # other, render, dev


def test_the_text_part_is_written_for_reading() -> None:
    told = mail(usual(alerts=(alert_figures(),))).text
    assert max(map(len, told.splitlines())) <= 76
    assert "\n\n\n" not in told
    assert "<" not in told
    assert f"{WEEK.first.day}–22 Nov 2026, UTC days · Acme Studio" in told


def test_dark_colours_win_over_inlined_ones() -> None:
    html = mail(usual()).html
    dark = html.partition("prefers-color-scheme: dark")[2].partition("</style>")[0]
    rules = [rule for rule in dark.split(";") if ":" in rule]
    assert rules
    assert all("!important" in rule for rule in rules)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 reckons it."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("words", "grounds"),
    [
        ("#1f2328", ("#ffffff", "#fdf1ec", "#fdf3e3")),  # text by light: card, to do, note
        ("#59636e", ("#ffffff", "#fdf1ec")),  # what is less important
        ("#ffffff", ("#b93a0a",)),  # the button
        ("#e8eaed", ("#16191e", "#26211f", "#2a2618", "#2c323a")),  # the same in the dark, and commands
        ("#a3abb5", ("#16191e", "#26211f")),
    ],
)
def test_words_stand_out_from_their_ground_by_light_and_in_the_dark(words: str, grounds: tuple[str, ...]) -> None:
    days = (*usual().days[:-1], replace(usual().days[-1], keys=0))
    html = mail(replace(usual(), days=days)).html
    for ground in grounds:
        assert words in html
        assert ground in html
        assert contrast(words, ground) >= 4.5


def test_words_in_pictures_stand_out_too() -> None:
    for palette in (LIGHT, DARK):
        assert contrast(palette.faint, palette.paper) >= 4.5
        assert contrast(palette.ink, palette.paper) >= 4.5
        assert all(contrast(colour, palette.paper) >= 2.3 for colour in SERIES[palette])


def test_owners_and_what_no_key_explains_add_up_to_the_total_as_shown() -> None:
    made = usual(balance=balance(34_000, fell=11_000), owners={"render": "ana", "batch": "ben"})
    rows = sheet_of(made, "", WHEN).owners
    assert [(row.name, row.spent) for row in rows] == [("ana", "7,000"), ("ben", "3,500"), ("unattributed", "500")]
    assert credits_about(made.total) == "11,000"


def test_a_week_that_nobody_saw_is_not_called_one_without_spend() -> None:
    told = mail(digest())
    assert told.subject == "Flowy spend W47: nothing was seen"
    assert "Nothing was seen of this week: what was spent is not known." in told.text
    assert "nothing happened" not in told.text


@pytest.mark.parametrize(("spent", "came"), [(100, "within"), (150, "above that"), (50, "below that")])
def test_how_well_it_was_foretold_says_on_which_side_it_came_out(spent: float, came: str) -> None:
    told = " ".join(mail(digest(key("a", *[spent] * 7), per_day=100)).text.split())
    assert f"Before it began, this week was expected at 700 credits: it came out {came}." in told


def test_a_digest_of_very_many_keys_says_that_some_are_summed_up() -> None:
    keys = [key(f"k{n}", 10, cap=100, listed_before=True, cap_before=100) for n in range(5)]
    told = mail(bounded(Issue(Edition("mail"), digest(*keys)), 2).digest)
    assert "3 keys are summed up by owner" in " ".join(told.text.split())
    assert "3 other keys" in told.text
    table = list(csv.DictReader(io.StringIO(told.enclosures[-1].content.decode())))
    assert sum(float(row["credits"]) for row in table) == 50
    assert {row["name"] for row in table} == {"k0", "k1", "3 keys"}


def test_a_first_week_after_nothing_says_so() -> None:
    assert "nothing was spent the week before" in " ".join(mail(digest(key("a", 5), per_day=0)).text.split())


def test_small_anomalies_are_one_line_added_up_by_key_and_stay_with_their_owner() -> None:
    def small(name: str, excess: float) -> SmallFigures:
        return SmallFigures("spike", f"key_{name}", name, f"{name} spent more", WEEK.start_at, WEEK.start_at,
                            excess=credit(excess), least=credit(10))  # fmt: skip

    made = usual(small=[small("render", 3), small("batch", 6.5), small("render", 4)])
    words = "3 small anomalies not told, each too little for an alert, 13.5 credits beyond the expected: "
    words += "render +7, batch +6.5."
    assert words in " ".join(mail(made).text.split())
    assert words.partition(":")[2] in str(slack(made).blocks)
    assert "2 small anomalies not told, each too little" in " ".join(mail(made.for_owner("ana")).text.split())
    assert [one["excess_microcredits"] for one in digest_fields(made)["small_anomalies"]] == [3e6, 6.5e6, 4e6]


def test_an_owner_hears_how_long_the_workspace_lasts_and_is_not_asked_to_top_it_up() -> None:
    made = usual(balance=balance(9000, fell=10_500), owners={"render": "ana", "batch": "ben"}).for_owner("ana")
    told = " ".join(mail(made).text.split())
    assert "The workspace's balance of 9,000 credits lasts 6 days, by what all keys spend." in told
    assert "Top up" not in told
    assert "runway" not in mail(made).subject
