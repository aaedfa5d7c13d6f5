"""Running under systemd."""

import re

import pytest

SERVICES = ["flowy-watch.service", "flowy-watch-poll.service"]
METER = "flowy-watch-meter.service"
MAX_EXPOSURE = 1.5  # of 10; a unit without hardening has 9.6


@pytest.fixture
def units(checkout, tmp_path):
    """The units, with a command that exists on every machine in place of ours."""
    for path in (checkout / "systemd").glob("flowy-watch*.[st]*"):
        text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text)
    return tmp_path


@pytest.fixture
def analyze(need, run, units):
    tool = need("systemd-analyze")
    return lambda *arguments: run(tool, *arguments, cwd=units, SYSTEMD_LOG_LEVEL="warning", SYSTEMD_PAGER="cat")


def directives(text):
    return [line for line in text.splitlines() if re.match(r"[A-Z]\w*=", line)]


def verify(analyze, units):
    names = sorted(path.name for path in units.iterdir() if path.suffix in {".service", ".socket", ".timer"})
    # Its exit code says nothing: a misspelt directive is only warned of.
    return analyze("verify", "--man=no", *(units / name for name in names)).stderr


def test_systemd_finds_nothing_to_complain_about(analyze, units):
    assert verify(analyze, units) == ""


def test_a_misspelt_directive_would_be_noticed(analyze, units):
    unit = units / "flowy-watch.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in verify(analyze, units)


@pytest.mark.parametrize("name", [*SERVICES, METER])
def test_a_service_is_exposed_to_little(analyze, units, name):
    said = analyze("security", "--offline=true", "--no-pager", units / name)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    assert exposure, said.stderr
    assert float(exposure[1]) <= MAX_EXPOSURE


def test_the_daemon_reports_to_systemd_and_can_be_reloaded(checkout):
    lines = directives((checkout / "systemd" / "flowy-watch.service").read_text())
    wanted = ["Type=notify", "ExecStart=flowy-watch run", "ExecReload=/bin/kill -HUP $MAINPID", "WatchdogSec=2min"]
    assert [line for line in wanted if line not in lines] == []


def test_the_daemon_and_the_timer_run_under_the_same_restrictions(checkout):
    daemon, poll = (directives((checkout / "systemd" / name).read_text()) for name in SERVICES)
    of_one = ("Description", "Type", "Exec", "Notify", "Watchdog", "Timeout", "Restart", "StartLimit", "WantedBy")
    assert [line for line in daemon if not line.startswith(of_one)] == [
        line for line in poll if not line.startswith(of_one)
    ]


def test_the_meter_runs_as_the_daemon_does_without_its_secrets_and_with_a_socket_that_stays_open(checkout):
    lines = directives((checkout / "systemd" / METER).read_text())
    daemon = directives((checkout / "systemd" / SERVICES[0]).read_text())
    of_one = ("Description", "After", "Exec", "Watchdog", "Timeout", "RestartSec", "WantedBy", "LoadCredential")
    shared = [line for line in daemon if not line.startswith(of_one) and "TOKEN_FILE" not in line]
    assert [line for line in shared if line not in lines] == []
    assert not any("LoadCredential" in line or "TOKEN" in line for line in lines)
    assert "ListenStream=127.0.0.1:8430" in directives((checkout / "systemd" / "flowy-watch-meter.socket").read_text())


def test_secrets_are_credentials_and_never_stand_in_a_unit(checkout):
    for name in SERVICES:
        lines = directives((checkout / "systemd" / name).read_text())
        loaded = {line.removeprefix("LoadCredential=").split(":")[0] for line in lines if "LoadCredential=" in line}
        assert loaded == {"source_token", "slack_token", "smtp_password"}
        assert "Environment=FLOWY_WATCH__SOURCE__TOKEN_FILE=%d/source_token" in lines


def test_the_timer_polls_every_five_minutes_and_closes_the_utc_day(analyze, checkout):
    timer = directives((checkout / "systemd" / "flowy-watch-poll.timer").read_text())
    calendar = [line.removeprefix("OnCalendar=") for line in timer if line.startswith("OnCalendar=")]
    said = analyze("calendar", "--base-time=2026-11-23 23:58:00 UTC", "--iterations=2", *calendar).stdout
    # A machine in another zone prints the UTC instants on lines of their own.
    elapses = set(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?= UTC)", said))
    assert elapses == {"2026-11-24 00:00:00", "2026-11-24 00:05:00", "2026-11-23 23:59:50", "2026-11-24 23:59:50"}
    assert "AccuracySec=1s" in timer


def test_the_account_of_the_units_is_one_systemd_makes(need, run, checkout):
    made = run(need("systemd-sysusers"), "--dry-run", checkout / "systemd" / "flowy-watch.sysusers", cwd=checkout)
    assert made.returncode == 0, made.stderr
    for name in SERVICES:
        assert "User=flowy-watch" in directives((checkout / "systemd" / name).read_text())
