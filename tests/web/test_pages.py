"""The pages as they are sent, with scripts or without."""

import hashlib
import html
import re
from datetime import timedelta
from pathlib import Path

import pytest

from flowy_watch.actions import acknowledge
from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.provenance import Figure, From, Provenance, Sure
from flowy_watch.core.usage import ALL_KEYS, CREDIT, Answers, day_of
from flowy_watch.ledger import Batch, Ledger, Price, PriceSource
from flowy_watch.ledger.batch import KeySeen, RunEnded, Seen
from flowy_watch.render.chart_palette import CHART_STYLE
from flowy_watch.web.look import STATIC, in_column
from flowy_watch.web.visit import Role
from tests.builders import DAY, HOUR, NOON, snapshot

from .house import TOKEN, VIEWER, House

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x>",
    "\u202egnp.exe",
    "x" * 10_000,
    "{{ 7 * 7 }}",
    "../../etc",
    "a/b?c#d",
)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def page(house: House, path: str, role: Role = Role.OPERATOR) -> str:
    answer = house.browser(role).get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def test_before_the_first_poll_every_page_says_that_there_is_nothing(house: House) -> None:
    assert "No key is known yet" in text(page(house, "/"))
    assert "No alert is open." in text(page(house, "/alerts"))
    assert "There has been no alert." in text(page(house, "/alerts?show=all"))
    assert "Nothing is silenced." in text(page(house, "/silences"))
    assert "nobody is told" in text(page(house, "/deliveries"))


def test_the_overview_tells_balance_runway_spend_alerts_and_keys(house: House) -> None:
    house.days([100] * 10, cap=200)
    house.poll(snapshot(150, cap=200), at=NOON + timedelta(minutes=1), balance=700)
    house.clock.at = NOON + timedelta(minutes=3)
    house.alert()
    found = text(page(house, "/"))
    for words in (
        "700 credits",
        "lasts 7 days at 100 credits a day",
        "150 credits",
        "1 critical",
        "75 % of 200",
        "2 min",
    ):
        assert words in found, words


def test_spend_is_held_against_the_same_time_of_earlier_days(house: House) -> None:
    house.days([20] * 28 + [100])
    assert "above the usual: 20–20 on Mondays" in text(page(house, "/"))


def test_a_watch_that_is_blind_or_late_says_so_first(house: House) -> None:
    house.poll(snapshot(1))
    assert "may be blind" not in page(house, "/")
    house.clock.at += timedelta(minutes=16)
    assert "is the watch running?" in text(page(house, "/"))
    house.alert(kind="blind", title="blind since 12:05 UTC", key_id=None, key_name="")
    assert "The watch may be blind. Blind since 12:05 UTC. Last good poll:" in text(page(house, "/"))


def test_figures_are_as_old_as_the_last_good_poll_whatever_failed_since(house: House) -> None:
    house.poll(snapshot(5), at=NOON - 3 * HOUR)
    with house.app.store.write() as work:
        work.usage.add_poll(NOON, "failed", reason="connection refused", keys=0)
    assert "as of 3 h ago" in text(page(house, "/"))


def test_a_cap_is_at_100_per_cent_only_when_all_of_it_is_spent(house: House) -> None:
    house.poll(
        snapshot(1198, cap=1200), snapshot(1200, cap=1200, key_id="key_2"), snapshot(29, cap=100, key_id="key_3")
    )
    found = text(page(house, "/"))
    assert [share in found for share in ("99 % of 1,200", "100 % of 1,200", "29 % of 100")] == [True] * 3
    assert "99 % used" in text(page(house, "/keys/key_1"))


def test_what_is_not_found_is_said_in_a_sentence(house: House) -> None:
    assert "There is no such key." in text(house.browser().get("/keys/nobody").text)


def test_keys_are_found_sorted_and_shown_a_hundred_at_a_time(house: House) -> None:
    house.poll(*[snapshot(n, key_id=f"key_{n:03}", name=f"app-{n:03}", cap=1000 - n) for n in range(250)])
    house.alert(key_id="key_007", key_name="app-007")

    def listed(query: str) -> list[str]:
        return re.findall(r'<a id="k\d+" href="[^"]*">([^<]+)</a>', page(house, f"/?{query}"))

    assert listed("") == [f"app-{n:03}" for n in range(249, 149, -1)]
    assert listed("page=3&sort=name") == [f"app-{n:03}" for n in range(200, 250)]
    assert listed("page=99&sort=name")[-1] == "app-249"
    assert listed("q=APP-01+key_0") == [f"app-{n:03}" for n in range(19, 9, -1)]
    assert listed("show=alerts") == ["app-007"]
    assert listed("sort=alerts")[0] == "app-007"
    assert "No key matches." in page(house, "/?q=nothing")
    assert len(listed("page=x&sort=y&show=z")) == 100


def test_the_live_part_is_sent_only_when_something_changed(house: House) -> None:
    house.poll(snapshot(1))
    browser = house.browser()
    seen = re.findall(r'data-seen="([^"]+)"', browser.get("/").text)[0]
    assert browser.get(f"/live?seen={seen}").status_code == 204
    house.alert()
    changed = browser.get(f"/live?seen={seen}")
    # No line ends between the figure and its percent sign.
    assert (changed.status_code, "96\u00a0% of its daily cap" in changed.text) == (200, True)
    assert "<html" not in changed.text


def test_a_session_that_ended_sends_the_live_part_to_sign_in(house: House) -> None:
    answer = house.client(headers={"hx-request": "true"}).get("/live")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=/live")


def test_an_alert_tells_its_story_and_what_to_do(house: House) -> None:
    alert = house.alert()
    house.notice("", alert, withheld="silence 3 on render")
    found = text(page(house, f"/alerts/{alert.id}"))
    for words in ("960 of 1,000 credits", "Settings → API keys → render → Revoke", "withheld: silence 3 on render"):
        assert words in found, words


def test_what_was_told_again_and_again_is_one_line_of_the_story(house: House) -> None:
    alert = house.alert()
    for _ in range(3):
        house.notice("ops", alert)
        house.clock.at += HOUR
    found = text(page(house, f"/alerts/{alert.id}"))
    assert found.count("notice of opened waits for ops") == 1
    assert "(3×, last 2 Mar 14:00 UTC )" in found


def test_who_pressed_in_slack_is_a_person_on_every_page_and_an_account_in_the_story(house: House) -> None:
    house.days([1, 2])
    alert = house.alert()
    acknowledge(house.app.store, alert.id, by="slack:ana (U0ANA)", why="", until=None, telling=house.telling, now=NOON)
    for path in ("/", "/alerts", f"/alerts/{alert.id}"):
        found = text(page(house, path))
        assert "by ana on Slack" in found, path
    assert "(by slack:ana (U0ANA))" in found


def test_great_figures_are_whole_and_small_ones_are_not(house: House) -> None:
    house.poll(snapshot(12.5), balance=9_107_650.66)
    found = text(page(house, "/"))
    assert "9,107,651 credits" in found
    assert "12.5 credits" in found


def test_evidence_is_shown_once_whether_the_notice_holds_all_of_it_or_not(house: House) -> None:
    alert = house.alert(evidence=tuple(f"reason {n} of many" for n in range(9)))
    found = text(page(house, f"/alerts/{alert.id}"))
    assert [found.count(f"reason {n} of many") for n in range(9)] == [1] * 9


def test_acknowledging_by_form_is_an_act_of_that_person(house: House) -> None:
    alert, browser = house.alert(), house.browser(by="Ana")
    answer = browser.act(f"/alerts/{alert.id}/ack", why="launch day", **{"for": "8h"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{alert.id}?done=ack")
    stored = house.stored(alert.id)
    assert (stored.status, stored.acknowledged_by, stored.acknowledged_until) == (
        Status.ACKNOWLEDGED,
        "Ana",
        NOON + 8 * HOUR,
    )
    found = text(browser.get(answer.headers["location"]).text)
    assert "Acknowledged: no more notices" in found
    assert "(by Ana): launch day" in found


def test_resolving_as_no_anomaly_by_form(house: House) -> None:
    alert = house.alert(kind="spike")
    house.browser().act(f"/alerts/{alert.id}/resolve", not_an_anomaly="on")
    assert house.stored(alert.id).status is Status.RESOLVED
    with house.app.store.read() as work:
        assert work.alerts.story(alert.id)[-1].change == Change.DISMISSED.value


def test_silencing_expecting_and_ending_by_form(house: House) -> None:
    house.poll(snapshot(5))
    browser = house.browser(by="Ana")
    assert browser.act("/silences", pattern="dev-*", **{"for": "24h"}, kind="").headers["location"].endswith("silence")
    browser.act("/expectations", key="render", credits="5000", **{"for": "24h"}, next="/keys/key_1")
    found = text(browser.get("/silences").text)
    assert "dev-* Silenced until" in found
    assert "Expected, up to 5,000 credits a day" in found
    browser.act("/silences/1/end")
    with house.app.store.read() as work:
        assert [one.id for one in work.alerts.silences(NOON)] == [2]


def test_a_form_that_asks_for_nonsense_says_what_is_wrong(house: House) -> None:
    answer = house.browser().act("/silences", pattern="", **{"for": "24h"})
    assert (answer.status_code, "pattern is missing" in answer.text) == (422, True)
    assert house.browser().act("/alerts/99/ack").status_code == 404


def test_a_form_leads_back_to_a_page_of_ours_alone(house: House) -> None:
    answer = house.browser().act("/silences", pattern="x", **{"for": "1h"}, next="//evil.example")
    assert answer.headers["location"] == "/?done=silence"


def test_a_viewer_sees_no_form_and_may_not_act(house: House) -> None:
    alert, viewer = house.alert(), house.browser(Role.VIEWER)
    assert '<button class="main">' not in viewer.get(f"/alerts/{alert.id}").text
    assert viewer.act(f"/alerts/{alert.id}/ack").status_code == 403
    assert house.stored(alert.id).status == "open"


def test_a_key_shows_its_charts_its_use_its_safeguards_and_how_to_stop_it(house: House) -> None:
    house.days([50, 60, 70], cap=100, last_four="4f2a")
    house.poll(snapshot(75, NOON + HOUR, cap=500, last_four="4f2a"), at=NOON + HOUR)
    house.clock.at = NOON + HOUR
    house.learned("key_1")
    house.alert(kind="safeguard", severity=Severity.INFO, title="a rate limit was lifted")
    markup = page(house, "/keys/key_1")
    found = text(markup)
    for words in (
        "75 credits",
        "500 credits",
        "daily cap 100 → 500",
        "a rate limit was lifted",
        "Stop this key",
        "Revoke",
    ):
        assert words in found, words
    assert markup.count("<svg") >= 5  # the mark, two charts for wide screens and for narrow ones
    assert markup.count('<td class="h') == 168


def test_a_key_that_passes_through_the_meter_is_blocked_there_and_let_through_by_form(tmp_path: Path) -> None:
    ledger, mark = Ledger(tmp_path / "meter.db"), "0123456789abcdef"
    ledger.add(Batch(keys={mark: KeySeen(NOON, "4f2a", used_at=NOON)}, outcomes={"none": RunEnded("failed", NOON)},
                     apps={(mark, "poster"): Seen(NOON, NOON, 3, 3)}))  # fmt: skip
    prices = (Price(app, 12_000_000, 11_000_000, 13_000_000, PriceSource.LEARNED) for app in ("poster", "film"))
    ledger.learn_prices(prices)
    priced = Provenance({Figure.SPENT: From("meter", Sure.BY_PRICE)}, {"meter": mark}, mark)
    with House(tmp_path, more=f'[meter]\nledger = "{tmp_path / "meter.db"}"') as house:
        house.poll(snapshot(5, last_four="4f2a"), told={"key_1": priced})
        browser = house.browser(by="Ana")
        before = text(browser.get("/keys/key_1").text)
        browser.act("/blocks", key=mark, why="leaked", next="/keys/key_1")
        during = text(browser.get("/keys/key_1").text)
        blocks = ledger.blocks()
        viewed = house.browser(Role.VIEWER)
        refused = viewed.act("/blocks/end", key=mark).status_code
        browser.act("/blocks/end", key=mark, next="/keys/key_1")
    assert "· by price, from meter" in before
    assert "Faster: block it at the meter." in before
    assert "Where its figures come from: spend by price, from meter." in before
    assert "learned from how the balance fell: poster 12 credits ±1." in before
    assert "Blocked at the meter by Ana since" in during
    assert ([b.why for b in blocks], refused, ledger.blocks()) == (["leaked"], 403, ())
    ledger.close()


def test_hours_far_above_the_usual_are_marked(house: House) -> None:
    house.days([1])
    last = int(NOON.timestamp()) // 3600 - 3
    house.learned("key_1", lambda hour: 900.0 if hour == last else 20.0)
    assert page(house, "/keys/key_1").count('aria-label="odd"') == 1


def test_the_hours_come_as_numbers_too(house: House) -> None:
    house.days([1])
    house.learned("key_1", lambda _: 20.0)
    series = house.browser().get("/keys/key_1/hours.json").json()
    assert len(series["at"]) == 168 == len(series["spent"])
    assert (series["spent"][0], series["low"][0], series["high"][0]) == (20, 20, 20)


def test_a_key_that_was_never_polled_for_long_has_its_empty_states(house: House) -> None:
    house.poll(snapshot(0))
    found = text(page(house, "/keys/key_1"))
    assert "must be watched for a while" in found
    assert "Never, as far as it was watched." in found
    assert house.browser().get("/keys/nobody").status_code == 404
    assert house.browser().get("/keys/key_1/hours.json").json()["at"] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_harmless_on_every_page(house: House, name: str) -> None:
    house.poll(snapshot(1, key_id=name[:100], name=name), balance=1)
    alert = house.alert(key_id=name[:100], key_name=name, title=f"{name} is at 96 %", evidence=(name,))
    browser = house.browser(by=name)
    browser.act("/silences", pattern=name, why=name, **{"for": "1h"})
    found = re.findall(r'href="(/keys/[^"]+)"', browser.get("/").text)
    for path in ("/", "/alerts", f"/alerts/{alert.id}", "/silences", "/deliveries", html.unescape(found[0])):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "\u202e" not in text(answer.text)  # in a form's hidden field it stands as it is, to name the key
        assert ">49<" not in answer.text
        assert len(answer.text) < 100_000


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    channel = '[channels.ops]\nkind = "slack"\ntoken = "xoxb-secret-1234567"\nchannel = "C1"\n'
    more = f'{channel}[heartbeat]\nurl = "https://hc.example/s3cret-path"'
    with House(tmp_path, more=more) as house:
        found = "".join(page(house, path) for path in ("/settings", "/deliveries", "/"))
    for secret in (TOKEN, VIEWER, "source-secret-1234", "xoxb-secret-1234567", "s3cret-path"):
        assert secret not in found
    assert "set [hidden]" in found


def test_sizes_in_the_settings_have_their_unit(house: House) -> None:
    found = text(page(house, "/settings"))
    assert "max_body 33,554,432 bytes" in found
    assert "max_body 1,024 megabytes" in found


def test_deliveries_are_told_by_channel_and_state(house: House) -> None:
    house.notice("ops")
    found = text(page(house, "/deliveries?show=waiting"))
    assert "waiting 1, oldest since" in found
    assert "None." in text(page(house, "/deliveries?show=dead"))


def test_the_files_of_others_are_those_that_were_taken(house: House) -> None:
    lines = (STATIC / "VENDORED.sha256").read_text().split("\n")[:-1]
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
        assert house.client().get(f"/static/{name}").status_code == 200
    assert len(lines) == 3


def test_charts_have_the_same_colours_in_the_dark_as_elsewhere() -> None:
    sheet = (STATIC / "watch.css").read_text()
    for name, colour in re.findall(r"\.(s-\w+) \{ stroke: (#\w+)", CHART_STYLE):
        assert name == "s-paper" or re.search(rf"\.{name} {{ stroke: {colour} }}", sheet), name


def test_no_page_holds_a_script_or_a_style_of_its_own(house: House) -> None:
    house.days([1, 2])
    house.learned("key_1")
    alert = house.alert()
    for path in ("/", "/alerts", f"/alerts/{alert.id}", "/keys/key_1", "/silences", "/deliveries", "/settings"):
        markup = page(house, path)
        assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", markup) == [], path
        assert re.findall(r'(?:src|href)="(?:https?:)?//(?!app\.example\.com)', markup) == [], path


def test_a_page_that_breaks_is_a_page_of_its_own_and_the_others_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.server.site, "renderer", None)
    alert = house.alert()
    browser = house.browser()
    broken = browser.get(f"/alerts/{alert.id}")
    assert (broken.status_code, "the log says where" in broken.text) == (500, True)
    assert browser.get("/alerts").status_code == 200


def numbered(n: int) -> Alert:
    return Alert(0, Finding("cap", Severity.WARNING, f"alert {n}", period=str(n)), Status.OPEN, 1, NOON - DAY, NOON)


def test_many_alerts_are_listed_in_pages(house: House) -> None:
    with house.app.store.write() as work:
        work.alerts.record(Transition(numbered(n), Change.OPENED, NOON) for n in range(60))
    found = page(house, "/alerts?show=all")
    assert len(re.findall(r'<a id="a\d+"', found)) == 50
    (older,) = re.findall(r'href="(/alerts\?show=all&amp;before=\d+)"', found)
    assert len(re.findall(r'<a id="a\d+"', page(house, html.unescape(older)))) == 10
    assert "48 more" in page(house, "/")


def test_spend_that_is_not_known_is_shown_as_that_on_every_page_and_to_programs(house: House) -> None:
    nobody_knows = snapshot(cap=100)._replace(spent=None)
    house.poll(nobody_knows)
    found = text(page(house, "/"))
    assert "spend not known from this source" in found
    assert "not known of 100" in found
    assert "spend not known from this source" in text(page(house, "/keys/key_1"))
    api = house.machine()
    assert api.get("/api/v1/workspace").json()["spent_today"] is None
    assert api.get("/api/v1/keys/key_1").json()["spent_today"] is None
    assert "spent_today_credits{" not in (metrics := api.get("/metrics").text)
    assert "flowy_watch_spent_today_credits " not in metrics
    house.poll(nobody_knows, snapshot(7, key_id="key_2"), at=NOON + timedelta(minutes=1))
    assert "≥ 7 credits not known of 1 key" in text(page(house, "/"))
    assert api.get("/api/v1/workspace").json()["spent_today"] == 7


def test_a_cap_that_no_source_knows_is_not_called_none(house: House) -> None:
    told = {"key_1": Provenance({Figure.STATUS: From("probe"), Figure.LAST_USED: From("probe", Sure.LEAST)})}
    house.poll(snapshot()._replace(spent=None), snapshot(key_id="key_2"), told=told)
    overview = text(page(house, "/"))
    assert "render not known not known not seen active" in overview
    assert "render 0 no cap never active" in overview
    found = text(page(house, "/keys/key_1"))
    assert "Daily cap – not known from this source" in found
    assert "no use seen" in found
    assert "Daily cap none only the balance bounds it" in text(page(house, "/keys/key_2"))


def test_all_keys_together_stand_for_keys_of_which_nothing_is_known(house: House) -> None:
    house.poll(snapshot()._replace(spent=None), snapshot(56, key_id=ALL_KEYS, name="all keys together"))
    overview = text(page(house, "/"))
    assert "56 credits nothing is usual yet" in overview
    found = text(page(house, f"/keys/{ALL_KEYS}"))
    assert "Find who spends" in found
    assert "Revoke" not in found
    assert "Nothing is known by the day yet." in text(page(house, "/keys/key_1"))


def test_a_key_s_page_says_what_was_refused_it_at_the_meter(house: House) -> None:
    house.poll(snapshot(5))
    with house.app.store.write() as work:
        answers = {"key_1": Answers(refused=2, capped=1300, throttled=0)}
        work.knowledge.note_answers(day_of(NOON), answers, work.usage.numbers())
    found = text(house.browser().get("/keys/key_1").text)
    assert "2 as an invalid or blocked key (401), 1,300 by the daily cap (402)" in found
    assert "(429)" not in found


@pytest.mark.parametrize("path", ["/blocks", "/blocks/end"])
def test_no_other_site_and_no_old_form_blocks_a_key_or_lets_it_through(house: House, path: str) -> None:
    browser = house.browser()
    token = browser.csrf
    strangers = [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": browser.origin["origin"] + ".evil.example"},
        {"sec-fetch-site": "cross-site"},
        {},
    ]
    for headers in strangers:
        assert browser.send(path, headers=headers, key="key_1", csrf=token).status_code == 403, headers
    for forged in ("", "0" * 32, token[:-1], token + "0"):
        assert browser.send(path, key="key_1", csrf=forged).status_code == 403, forged
    assert browser.get(f"{path}?key=key_1&csrf={token}").status_code == 405
    assert house.client().post(path, data={"key": "key_1"}, headers=browser.origin).status_code == 401
    assert house.browser(Role.VIEWER).act(path, key="key_1").status_code == 403
    assert browser.act(path, key="key_1").status_code == 404  # heard: there is no ledger here
    nameless = browser.act(path)
    assert nameless.status_code == 422
    assert "key is missing: its name, id, fingerprint or last four characters." in text(nameless.text)


def test_amounts_in_a_column_have_their_points_below_each_other() -> None:
    assert [in_column(round(amount * CREDIT), True) for amount in (12, 903.8, 1928.94, 0.001)] == [
        "12\u2008\u2007\u2007",
        "903.8\u2007",
        "1,928.94",
        "<0.01",
    ]
    assert in_column(12 * CREDIT, False) == "12"
