"""What each command answers, stores and returns."""

import csv
import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path

from flowy_watch.core.finding import Small
from flowy_watch.core.usage import CREDIT
from flowy_watch.detectors import DETECTORS
from flowy_watch.store import Store
from tests.builders import NOON, finding
from tests.cli.rig import COMMAND, Rig, environment, spawned

HEADER = "key_id,name,at,spent_today,last_used_at,daily_cap\n"
BACKTESTED = ["key_id", "kind", "severity", "opened_at", "resolved_at", "title"]


def steep_day() -> str:
    """One key that spends 96 % of its cap within an hour of a day long past."""
    spent = [0, 5, 10, 960]
    times = [f"2026-03-10T{hour:02d}:00:00Z" for hour in range(9, 13)]
    return HEADER + "".join(f"key_a,alpha,{at},{credits},{at},1000\n" for at, credits in zip(times, spent, strict=True))


def test_check_says_ok_for_each_part(rig: Rig) -> None:
    said = rig.good("check").out
    lines = said.partition("\n\n")[0].splitlines()
    assert all(line.startswith("ok ") for line in lines), said
    for part in ("configuration", "database", "source", "channel ops", "channel mail"):
        assert any(part in line for line in lines), part
    assert rig.told() == rig.mailed() == []


def test_check_names_a_source_that_refuses_the_token_and_says_what_to_do(rig: Rig) -> None:
    rig.flowy.token = "another"
    ran = rig.run("check")
    failed = [line for line in ran.out.splitlines() if line.startswith("FAIL")]
    assert ran.code == 1
    assert failed
    assert "source" in failed[0]
    assert "token" in failed[0].lower()


def test_check_names_a_slack_that_refuses_the_token_and_says_what_to_do(rig: Rig) -> None:
    rig.slack.token = "another"
    ran = rig.run("check")
    failed = [line for line in ran.out.splitlines() if line.startswith("FAIL")]
    assert ran.code == 1
    assert [line for line in failed if "channel ops" in line and "token" in line.lower()], ran.out


def test_check_as_json_says_what_was_checked(rig: Rig) -> None:
    entries = rig.good("check", "--json").json
    assert all(set(entry) == {"what", "name", "ok", "detail"} for entry in entries)
    assert {entry["what"] for entry in entries} >= {"configuration", "database", "source", "channel ops", "alert"}
    possible = {entry["name"]: entry["ok"] for entry in entries if entry["what"] == "alert"}
    assert possible == {kind: kind not in ("new_origin", "new_app") for kind in DETECTORS}


def test_check_says_what_this_flowy_offers_and_which_alerts_can_be_raised(rig: Rig) -> None:
    said = rig.good("check").out
    assert "offers cannot be told: GET /openapi.json: answered 40" in said
    assert "  cap           yes  spend exact (api), daily caps exact (api)\n" in said
    assert "  new_origin    no   needs addresses, apps and refusals, which no configured source knows\n" in said
    rig.configure(more="[source.fields]\ndaily_cap = ''\n[detectors.ramp]\nenabled = false")
    said = rig.good("check").out
    assert "  cap           no   needs daily caps, which no configured source knows\n" in said
    assert "  ramp          no   switched off by detectors.ramp.enabled\n" in said


def test_check_fails_where_nobody_would_be_told(rig: Rig) -> None:
    text = rig.config.read_text()
    rig.config.write_text(text[: text.index("[channels.ops]")])
    ran = rig.run("check")
    assert ran.code == 1
    assert "[channels" in ran.out


def test_poll_says_what_changed(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    said = rig.good("poll").out
    assert "Poll good: 25 keys" in said
    assert "prod-render is at 97 % of its daily cap (970 of 1,000 credits)" in said


def test_poll_as_json_lists_the_transitions(rig: Rig) -> None:
    rig.good("poll")
    rig.near_cap()
    printed = rig.good("poll", "--json").json
    assert (printed["outcome"], printed["keys"], printed["skipped"]) == ("good", 25, 0)
    assert ("opened", "cap") in {(entry["change"], entry["kind"]) for entry in printed["transitions"]}


def test_a_poll_of_a_failing_source_exits_1_and_stores_no_figures(rig: Rig) -> None:
    rig.flowy.refuses = 404
    ran = rig.run("poll")
    assert ran.code == 1
    assert (ran.err.count("\n"), "404" in ran.err) == (1, True)
    assert rig.good("status", "--json").json["last_poll"]["outcome"] == "failed"
    assert rig.good("db", "info", "--json").json["rows"]["snapshots"] == 0


def test_a_failing_source_does_not_resolve_alerts(rig: Rig) -> None:
    alert = rig.breached()
    rig.flowy.refuses = 404
    assert rig.run("poll").code == 1
    assert rig.alert("cap", "prod-render")["id"] == alert["id"]
    assert rig.alert("cap", "prod-render")["status"] == "open"


def test_alerts_prints_a_table_and_open_leaves_out_the_resolved(rig: Rig) -> None:
    assert rig.good("alerts").out == "No alerts.\n"
    alert = rig.breached()
    assert "prod-render is at 97 %" in rig.good("alerts").out
    rig.good("resolve", alert["id"])
    listed = rig.good("alerts", "--open", "--json").json["alerts"]
    assert alert["id"] not in {entry["id"] for entry in listed}


def test_an_acknowledged_alert_is_told_again_only_when_it_gets_worse(rig: Rig) -> None:
    alert = rig.breached()
    said = rig.good("ack", alert["id"], "--why", "a launch", "--by", "ana").out
    assert said.startswith(f"Acknowledged {alert['id']}: prod-render")
    assert rig.alert("cap", "prod-render")["status"] == "acknowledged"
    rig.good("poll")
    before = len(rig.mailed())
    rig.flowy.keys["prod-render"].spentToday = 1000.0
    rig.good("poll")
    assert [mail for mail in rig.mailed()[before:] if "prod-render has spent its daily cap" in mail]


def test_acknowledging_prints_the_alert_as_json(rig: Rig) -> None:
    alert = rig.breached()
    printed = rig.good("ack", alert["id"], "--for", "1h", "--json").json
    assert (printed["id"], printed["status"]) == (alert["id"], "acknowledged")


def test_a_resolved_alert_says_who_resolved_it_and_why(rig: Rig) -> None:
    alert = rig.breached()
    assert rig.good("resolve", alert["id"], "--why", "planned", "--by", "ben").out.startswith("Resolved")
    entry = rig.alert("cap", "prod-render")
    assert entry["status"] == "resolved"
    assert entry["resolved_at"]
    said = rig.good("why", alert["id"]).out
    assert "ben" in said
    assert "planned" in said
    again = rig.run("resolve", alert["id"])
    assert (again.code, again.err) == (1, f"flowy-watch: alert {alert['id']} is already resolved\n")


def test_a_silenced_key_is_not_told_and_why_says_so(rig: Rig) -> None:
    rig.good("poll")
    said = rig.good("silence", "prod-*", "--for", "24h", "--why", "load test", "--by", "ana").out
    assert said.startswith("Silence 1 on prod-* until")
    rig.near_cap()
    rig.good("poll")
    alert = rig.alert("cap", "prod-render")
    assert rig.told() == rig.mailed() == []
    lines = [line for line in rig.good("why", alert["id"]).out.splitlines() if "withheld" in line]
    assert lines
    assert "silence" in lines[0]


def test_status_says_what_a_silence_covers_and_whose_it_is(rig: Rig) -> None:
    rig.good("poll")
    rig.good("silence", "key_01", "--until", "2031-05-01T06:00Z", "--kind", "cap", "--by", "ana", "--why", "load test")
    rig.good("expect", "team-03", "--until", "2031-05-01T06:00Z", "--credits", "40", "--by", "ben")
    said = [line for line in rig.good("status").out.splitlines() if "ilence" in line]
    assert said == [
        "Silence 1 on prod-render, cap alone, until 2031-05-01 06:00 UTC by ana: load test",
        "Expected: silence 2 on team-03, 40 credits a day, until 2031-05-01 06:00 UTC by ben",
    ]


def test_a_silence_that_means_no_key_says_so_once_keys_are_known(rig: Rig) -> None:
    warning = "no key is called so at present; `flowy-watch status` lists them"
    assert warning not in rig.good("silence", "prod-rendr", "--for", "1h").out
    rig.good("poll")
    assert warning in rig.good("silence", "prod-rendr", "--for", "1h").out
    assert warning not in rig.good("silence", "prod-*", "--for", "1h").out
    assert warning not in rig.good("silence", "key_01", "--for", "1h").out


def test_what_goes_into_a_pipe_is_broken_nowhere(rig: Rig) -> None:
    rig.near_cap()
    rig.good("poll")
    title = rig.alert("cap", "prod-render")["title"]
    narrow = rig.run("alerts", env={"COLUMNS": "60"}).out
    assert title not in narrow
    assert "critical" in narrow
    mine = {name: value for name, value in environment().items() if name != "COLUMNS"}
    for command in ("alerts", "status"):
        words = [*COMMAND, "--config", rig.config, command]
        said = subprocess.run(words, env=mine, capture_output=True, text=True, check=True).stdout
        assert [line for line in said.splitlines() if title in line], command


def test_a_link_to_a_dashboard_that_nobody_serves_says_so(rig: Rig) -> None:
    ran = rig.good("open")
    assert ran.out.count("\n") == 1
    assert ran.err == "flowy-watch: no daemon serves it at present; start one: flowy-watch run\n"
    store = Store(f"sqlite:///{rig.database}")
    with store.database.watching():
        assert rig.good("open").err == ""
    store.close()


def test_a_silence_of_one_kind_leaves_other_kinds_audible(rig: Rig) -> None:
    rig.good("poll")
    rig.good("silence", "*", "--for", "1h", "--kind", "last_used")
    rig.wake_dormant()
    rig.near_cap()
    rig.good("poll")
    assert "prod-render" in "".join(rig.told())
    assert "old-import" not in "".join(rig.told())


def test_what_is_still_open_is_told_after_its_silence_is_ended(rig: Rig) -> None:
    rig.good("poll")
    number = rig.good("silence", "prod-render", "--for", "1h", "--json").json["id"]
    rig.near_cap()
    rig.good("poll")
    assert rig.told() == []
    assert rig.good("unsilence", number).out == f"Ended silence {number}\n"
    rig.good("poll")
    assert "prod-render" in "".join(rig.told())
    assert rig.good("status", "--json").json["silences"] == []
    assert rig.run("unsilence", number).code == 1


def test_why_has_a_line_for_every_notice_sent(rig: Rig) -> None:
    alert = rig.breached()
    said = rig.good("why", alert["id"]).out
    assert "sent to ops" in said
    assert "sent to mail" in said
    story = rig.good("why", alert["id"], "--json").json
    assert story["id"] == alert["id"]
    assert story["evidence"]
    assert {line["what"] for line in story["story"]} >= {"opened", "sent"}


def test_an_alert_that_is_not_there_is_one_line_and_exit_1(rig: Rig) -> None:
    for command in ("why", "ack", "resolve"):
        ran = rig.run(command, 77)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "flowy-watch: there is no alert 77; `flowy-watch alerts` lists them\n"


def test_status_says_that_there_was_no_poll(rig: Rig) -> None:
    assert "No poll yet" in rig.good("status").out
    assert rig.good("status", "--json").json["last_poll"] is None


def test_status_shows_poll_balance_alerts_and_keys(rig: Rig) -> None:
    rig.breached()
    rig.good("silence", "team-03", "--for", "1h")
    said = rig.good("status").out
    for words in ("25 keys", "100,000 credits", "prod-render is at 97 %", "Silence 1 on team-03", "old-import", "970"):
        assert words in said, words


def test_status_as_json_has_the_figures(rig: Rig) -> None:
    rig.breached()
    fields = rig.good("status", "--json").json
    assert fields["balance"] == 100_000
    assert (fields["last_poll"]["outcome"], fields["last_poll"]["keys"]) == ("good", 25)
    assert fields["outbox"]["sent"] >= 2
    assert fields["outbox"]["dead"] == fields["outbox"]["waiting"] == 0
    keys = {key["name"]: key for key in fields["keys"]}
    assert (keys["prod-render"]["spent_today"], keys["prod-render"]["daily_cap"]) == (970, 1000)
    assert keys["prod-render"]["last_four"] == "0001"


def test_db_info_counts_what_is_stored(rig: Rig) -> None:
    rig.good("poll")
    assert rig.good("db", "info", "--json").json["rows"]["snapshots"] == 25
    assert "snapshots: 25" in rig.good("db", "info").out
    assert rig.good("db", "upgrade").out == "The schema is up to date.\n"


def test_a_backup_overwrites_nothing(rig: Rig) -> None:
    rig.good("poll")
    mine = rig.folder / "mine.txt"
    mine.write_text("mine")
    ran = rig.run("db", "backup", mine)
    assert (ran.code, ran.err) == (1, f"flowy-watch: {mine} exists; name a new file\n")
    assert mine.read_text() == "mine"


def test_pruning_forgets_old_polls_and_keeps_young_ones(rig: Rig) -> None:
    rig.good("poll")
    old = rig.folder / "old.csv"
    old.write_text(steep_day())
    rig.good("import", old)
    assert "Forgot 4 polls" in rig.good("db", "prune").out
    assert rig.good("db", "info", "--json").json["rows"]["snapshots"] == 25


def test_a_test_message_goes_through_the_named_channel_alone(rig: Rig) -> None:
    assert rig.good("notify-test", "ops").out == "Sent to ops.\n"
    assert (len(rig.told()), len(rig.mailed())) == (1, 0)
    assert rig.good("notify-test", "mail").out == "Sent to mail.\n"
    assert (len(rig.told()), len(rig.mailed())) == (1, 1)


def test_a_test_message_that_is_refused_says_why_and_exits_1(rig: Rig) -> None:
    ran = rig.run("notify-test", "pager")
    assert (ran.code, ran.err) == (1, "flowy-watch: no channel pager is configured; there are: ops, mail\n")
    rig.slack.token = "another"
    refused = rig.run("notify-test", "ops")
    assert (refused.code, refused.err.count("\n")) == (1, 1)


def test_what_is_exported_can_be_imported_elsewhere(rig: Rig) -> None:
    rig.good("poll")
    exported = rig.good("export", "--since", "1d").out
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert len(rows) == 25
    lines = rig.good("export", "--format", "jsonl").out.splitlines()
    assert {json.loads(line)["key_id"] for line in lines} == {row["key_id"] for row in rows}
    for name, text in (("a.csv", exported), ("b.jsonl", "\n".join(lines) + "\n")):
        file = rig.folder / name
        file.write_text(text)
        rig.database = rig.folder / f"{name}.db"
        rig.configure()
        counts = {"polls": 1, "snapshots": 25, "known": 0, "bad_lines": 0, "bad": []}
        assert rig.good("import", file, "--json").json == counts
        assert rig.good("import", file, "--json").json["known"] == 1


def test_an_import_names_the_lines_it_skips(rig: Rig) -> None:
    file = rig.folder / "half.csv"
    file.write_text(steep_day() + "key_a,alpha,yesterday,1,,\n")
    ran = rig.good("import", file)
    assert "4 snapshots in 4 polls" in ran.out
    assert ran.out.endswith("; 0 polls known already; 1 line skipped\n")
    assert ran.err == "line 6 skipped: at is not a time in ISO 8601\n"
    assert rig.run("import", file, "--strict").code == 1
    assert rig.good("import", file, "--json").json["bad"] == [{"line": 6, "reason": "at is not a time in ISO 8601"}]
    assert "1 line skipped, the first is line 6: at is not" in rig.good("backtest", file).err


def test_an_import_lists_twenty_bad_lines_and_counts_the_others(rig: Rig) -> None:
    file = rig.folder / "bad.csv"
    file.write_text(steep_day() + "key_a,alpha,yesterday,1,,\n" * 1200)
    err = rig.good("import", file).err.splitlines()
    assert (len(err), err[-1]) == (21, "… and 1,180 more lines skipped")


def test_columns_that_a_file_calls_otherwise_are_mapped_by_option_or_configuration(rig: Rig) -> None:
    file = rig.folder / "theirs.csv"
    file.write_text(steep_day().replace("key_id", "API key").replace("spent_today", "Credits"))
    refused = rig.run("import", file)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "it has API key, name, at, Credits" in refused.err
    assert "--map key_id=NAME" in refused.err
    assert rig.run("import", file, "--map", "key=API key").code == 2
    rig.configure(more='[import.columns]\nkey_id = "API key"')
    assert rig.good("import", file, "--map", "spent_today=Credits", "--json").json["snapshots"] == 4
    rig.configure(more='[import.columns]\nkey_id = "API key"\nspent_today = "Credits"')
    assert rig.good("import", file, "--json").json["known"] == 4
    assert rig.good("backtest", file, "--json").json["polls"] == 4
    rig.configure(more='[import.columns]\nkey = "API key"')
    assert "did you mean import.columns.key_id?" in rig.run("import", file).err


def test_a_file_that_is_not_there_is_one_line_and_exit_1(rig: Rig) -> None:
    for command in ("import", "backtest"):
        ran = rig.run(command, rig.folder / "none.csv")
        assert (ran.code, ran.err.count("\n"), "none.csv" in ran.err) == (1, 1, True)


def test_a_backtest_prints_what_would_have_been_raised(rig: Rig) -> None:
    file, balance = rig.folder / "day.csv", rig.folder / "balance.csv"
    file.write_text(steep_day())
    balance.write_text("at,balance\n2026-03-10T09:00:00Z,50000\n2026-03-10T12:00:00Z,100\n")
    printed = rig.good("backtest", file, "--workspace", balance, "--json").json
    assert list(printed) == ["alerts", "polls", "keys"]
    assert (printed["polls"], printed["keys"]) == (4, 1)
    assert all(list(alert) == BACKTESTED for alert in printed["alerts"])
    kinds = {(alert["key_id"], alert["kind"]) for alert in printed["alerts"]}
    assert kinds >= {("key_a", "cap"), (None, "balance")}
    assert "4 polls of 1 key, " in rig.good("backtest", file).out
    assert rig.told() == rig.mailed() == []


def test_a_backtest_needs_no_configuration(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text(steep_day())
    ran = spawned("backtest", file, "--json", cwd=tmp_path)
    assert (ran.code, ran.json["polls"]) == (0, 4)


def test_alerts_small_says_what_was_odd_and_why_nobody_was_told(rig: Rig) -> None:
    assert rig.good("alerts", "--small").out == "No small anomalies.\n"
    found = replace(finding("spike", title="render spent 4 credits"), small=Small(3 * CREDIT, 10 * CREDIT))
    store = Store(f"sqlite:///{rig.database}")
    with store.write() as work:
        work.small.note([found], alerts=(), now=NOON)
    store.close()
    assert rig.good("alerts", "--small").out == (
        "2026-03-02 12:00 UTC  render spent 4 credits: not told, 3 credits beyond the expected "
        "(detectors.spike.least_credits is 10)\n"
    )
    (told,) = rig.good("alerts", "--small", "--json").json["small_anomalies"]
    assert (told["kind"], told["credits_beyond_expected"], told["told_from"]) == ("spike", 3, 10)
    assert rig.run("alerts", "--small", "--open").code == 2
