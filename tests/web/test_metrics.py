"""`/metrics`, as Prometheus reads it."""

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from flowy_watch.core.finding import Severity
from flowy_watch.web import metrics
from tests.builders import NOON, snapshot

from .house import House


def value(text: str, series: str) -> float:
    (found,) = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found)


def scraped(house: House) -> str:
    answer = house.machine().get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def test_it_tells_spend_caps_balance_alerts_and_how_old_the_poll_is(house: House) -> None:
    house.poll(snapshot(30, cap=100, used=NOON), snapshot(12.5, key_id="key_2", name="other"), at=NOON, balance=1234.5)
    house.alert(severity=Severity.WARNING)
    text = scraped(house)
    assert value(text, 'flowy_watch_key_spent_today_credits{key_id="key_1",name="render"}') == 30
    assert value(text, 'flowy_watch_key_daily_cap_credits{key_id="key_1",name="render"}') == 100
    assert value(text, 'flowy_watch_key_last_used_timestamp_seconds{key_id="key_1",name="render"}') == NOON.timestamp()
    assert value(text, "flowy_watch_spent_today_credits") == 42.5
    assert value(text, "flowy_watch_balance_credits") == 1234.5
    assert value(text, 'flowy_watch_alerts{kind="cap",severity="warning",status="open"}') == 1
    assert value(text, "flowy_watch_last_poll_timestamp_seconds") == NOON.timestamp()
    assert value(text, "flowy_watch_last_poll_good") == 1
    assert value(text, 'flowy_watch_keys{status="active"}') == 2


def test_a_number_is_written_as_short_as_it_can_be(house: House) -> None:
    house.poll(snapshot(990.9), at=NOON, balance=50000)
    text = scraped(house)
    assert "\nflowy_watch_spent_today_credits 990.9\n" in text
    assert "\nflowy_watch_balance_credits 50000\n" in text


def test_spend_of_yesterday_is_not_todays(house: House) -> None:
    house.poll(snapshot(30))
    house.clock.at += timedelta(days=1)
    assert value(scraped(house), 'flowy_watch_key_spent_today_credits{key_id="key_1",name="render"}') == 0


def test_the_number_of_series_is_bounded_and_the_sums_are_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_KEYS", 3)
    house.poll(*[snapshot(n, key_id=f"key_{n}", name=f"n{n}") for n in range(10)])
    text = scraped(house)
    assert len(re.findall("^flowy_watch_key_spent_today_credits", text, re.MULTILINE)) == 3
    assert 'key_id="key_9"' in text  # those that spent most
    assert value(text, "flowy_watch_keys_without_series") == 7
    assert value(text, "flowy_watch_spent_today_credits") == 45


def test_a_hostile_name_stays_within_its_label(house: House) -> None:
    house.poll(snapshot(1, name='a"} 1\nevil{x="\\' + "x" * 10_000))
    lines = scraped(house).splitlines()
    assert [line for line in lines if line.startswith("evil")] == []
    assert max(map(len, lines)) < 300


def test_a_configured_token_is_needed_and_without_one_the_machine_may_ask(house: House, tmp_path: Path) -> None:
    assert house.client().get("/metrics").status_code == 401
    assert house.machine("wrong").get("/metrics").status_code == 401
    (tmp_path / "open").mkdir()
    with House(tmp_path / "open", web="") as without:
        assert without.client().get("/metrics").status_code == 200


def test_lost_buttons_are_a_metric_until_they_are_heard_again(house: House) -> None:
    with house.app.store.write() as work:
        work.buttons.note({"ops": "the connection ended", "team": ""}, NOON)
    text = scraped(house)
    assert value(text, 'flowy_watch_buttons_connected{channel="ops"}') == 0
    assert value(text, 'flowy_watch_buttons_connected{channel="team"}') == 1
    with house.app.store.write() as work:
        work.buttons.note({"ops": "", "team": ""}, NOON + timedelta(minutes=1))
        assert [(row.channel, row.since_at) for row in work.buttons.all()] == [
            ("ops", NOON + timedelta(minutes=1)),
            ("team", NOON),
        ]
    assert value(scraped(house), 'flowy_watch_buttons_connected{channel="ops"}') == 1


def test_promtool_finds_nothing_to_complain_of(house: House) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not installed")
    house.poll(snapshot(30, cap=100, used=NOON), at=NOON, balance=5)
    house.alert()
    done = subprocess.run([promtool, "check", "metrics"], input=scraped(house), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_rules_and_the_dashboard_name_only_metrics_there_are(house: House) -> None:
    house.poll(snapshot(30, cap=100, used=NOON), at=NOON, balance=5)
    house.alert()
    house.learned("key_1")
    house.notice("ops")
    house.app.poll.took = timedelta(seconds=1)
    there = set(re.findall(r"^# TYPE (\S+)", scraped(house), re.MULTILINE))
    folder = Path(__file__).parents[2] / "docs" / "monitoring"
    for name in ("alerts.yml", "grafana.json"):
        used = set(re.findall(r"flowy_watch_\w+", (folder / name).read_text(encoding="utf-8")))
        assert used, name
        assert used <= there | {
            "flowy_watch_outbox_notices",
            "flowy_watch_outbox_oldest_age_seconds",
            "flowy_watch_notices",
            "flowy_watch_buttons_connected",
        }
    assert "flowy_watch_key_usual_hour_credits" in there


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not installed")
    rules = Path(__file__).parents[2] / "docs" / "monitoring" / "alerts.yml"
    done = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
