"""The digest by hand."""

import json
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from flowy_watch.core.period import Period, Span, last_finished
from flowy_watch.simulator.people import MailSink
from tests.cli.rig import SOURCE_TOKEN, Ran, cli, now

WEEK = last_finished(Span.WEEK, now())
CREDIT = 1_000_000


class Workspace:
    """A database with the last finished week in it, and the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "flowy-watch.toml"
        self.configure()
        self.spend({"prod-render": 100, "design": 40, "idle": 0})

    def configure(self, more: str = "") -> None:
        self.config.write_text(
            f"""
[store]
url = "sqlite:///{self.folder / "watch.db"}"
[source]
token = "{SOURCE_TOKEN}"
[keys."prod-*"]
owner = "media-team"
{more}"""
        )

    def spend(self, per_day: dict[str, float]) -> None:
        rows = ["key_id,name,at,spent_today,last_used_at,daily_cap"]
        for n in range(35):
            day = WEEK.end_at - timedelta(days=35 - n)
            at = (day + timedelta(hours=23, minutes=59, seconds=50)).isoformat()
            rows += [f"key_{name},{name},{at},{amount},," for name, amount in per_day.items()]
        file = self.folder / "spend.csv"
        file.write_text("\n".join(rows) + "\n")
        assert cli("--config", self.config, "import", file).code == 0

    def run(self, *words: object) -> Ran:
        return cli("--config", self.config, "digest", *words)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_the_last_finished_week_is_printed_in_integers_that_add_up(workspace: Workspace) -> None:
    told = workspace.run("--json").json
    assert (told["period"], told["total_microcredits"]) == (WEEK.name, 980 * CREDIT)
    assert sum(part["microcredits"] for part in told["contributions"]) == told["total_microcredits"]
    assert sum(sum(key["by_day_microcredits"]) for key in told["keys"]) == told["total_microcredits"]
    assert (told["change_to_before"], told["at_least"], told["missing_days"]) == (0, False, [])
    assert [(task["task"], task["key_id"], task["owner"]) for task in told["to_do"]] == [
        ("set cap", "key_prod-render", "media-team"),
        ("revoke", "key_idle", None),
    ]


def test_one_owners_edition_has_their_keys_and_their_share(workspace: Workspace) -> None:
    told = workspace.run("--json", "--owner", "media-team").json
    assert [key["name"] for key in told["keys"]] == ["prod-render"]
    assert told["share_of_workspace"] == pytest.approx(100 / 140)


def test_an_owner_without_keys_is_an_error_that_says_where_owners_come_from(workspace: Workspace) -> None:
    ran = workspace.run("--json", "--owner", "nobody")
    assert (ran.code, ran.out) == (1, "")
    assert 'belongs to nobody; [keys."pattern"] owner says whose' in ran.err


def test_a_month_can_be_asked_for(workspace: Workspace) -> None:
    month = last_finished(Span.MONTH, now())
    assert workspace.run("--month", month.name, "--json").json["period"] == month.name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--week", "soon"], "--week must be a week such as 2026-W47"),
        (["--week", "2026-10"], "--week must be a week"),
        (["--month", "2026-W47"], "--month must be a month such as 2026-10"),
        (["--week", "2026-W47", "--month", "2026-10"], "not both"),
        (["--week", Period.week_of(now().date()).name], "is not over"),
    ],
)
def test_what_is_no_finished_period_is_a_mistake_that_is_named(
    workspace: Workspace, words: list[str], said: str
) -> None:
    ran = workspace.run(*words, "--json")
    assert (ran.code, said in " ".join(ran.err.split())) == (2, True), ran.err


def test_a_week_nobody_saw_is_all_missing(workspace: Workspace) -> None:
    told = json.loads(workspace.run("--week", "2020-W01", "--json").out)
    assert (told["total_microcredits"], len(told["missing_days"])) == (0, 7)


def test_without_an_option_it_is_printed_as_a_text_only_mail_program_shows_it(workspace: Workspace) -> None:
    said = workspace.run().out
    assert said.startswith("Flowy spend, week ")
    assert "TO DO" in said
    again = workspace.run("--text").out
    assert said.partition("Figures as of")[0] == again.partition("Figures as of")[0]  # the minute may have changed


def test_the_preview_is_a_page_that_holds_everything_it_shows(workspace: Workspace) -> None:
    file = workspace.folder / "digest.html"
    ran = workspace.run("--preview", file)
    assert ran.out.startswith(f"Wrote {file}: Flowy spend W")
    page = file.read_text()
    assert "data:image/png;base64," in page
    assert "cid:" not in page
    assert "http" not in page


def test_one_thing_at_a_time(workspace: Workspace) -> None:
    for words in (["--json", "--text"], ["--send", "--preview", "x.html"], ["--again"]):
        assert workspace.run(*words).code == 2


def test_a_preview_that_cannot_be_written_is_named(workspace: Workspace) -> None:
    ran = workspace.run("--preview", workspace.folder / "nowhere" / "x.html")
    assert (ran.code, "cannot write" in ran.err) == (1, True)


def test_sending_without_anybody_to_send_to_says_what_to_configure(workspace: Workspace) -> None:
    ran = workspace.run("--send")
    assert (ran.code, "name channels in digest.channels" in ran.err) == (1, True)
    ran = workspace.run("--send", "--owner", "media-team")
    assert (ran.code, "name channels in digest.editions" in ran.err) == (1, True)


def test_by_hand_each_recipient_is_sent_it_once_and_again_only_when_asked(workspace: Workspace) -> None:
    with MailSink() as sink:
        workspace.configure(
            f"""
[channels.mail]
kind = "email"
host = "{sink.host}"
port = {sink.port}
security = "none"
from = "flowy-watch@example.com"
to = ["oncall@example.com"]
[digest]
channels = ["mail"]
recipients = ["ana@example.com", "ben@example.com"]
[[digest.editions]]
owner = "media-team"
channels = ["mail"]
recipients = ["media@example.com"]
"""
        )
        assert workspace.run("--send").out.splitlines() == [
            f"mail (ana@example.com): sent {WEEK.name}",
            f"mail (ben@example.com): sent {WEEK.name}",
        ]
        assert f"mail (ana@example.com) had {WEEK.name} already; --again" in workspace.run("--send").out
        assert len(sink.mails) == 2
        workspace.run("--send", "--owner", "media-team")
        workspace.run("--send", "--owner", "media-team", "--again")
        mails = [message_from_bytes(mail.raw, policy=policy.default) for mail in sink.mails]

    assert [mail["To"] for mail in mails] == ["ana@example.com", "ben@example.com", *["media@example.com"] * 2]
    assert len({mail["Message-ID"] for mail in mails}) == 4
    assert "media-team" in mails[2]["Subject"]
    assert mails[0]["List-Id"] == "<digest.flowy-watch.example.com>"
    kinds = [part.get_content_type() for part in mails[0].walk()]
    assert kinds[:5] == ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html"]
    assert kinds[-1] == "text/csv"


def test_a_mail_server_that_is_away_is_told_and_the_digest_waits(workspace: Workspace) -> None:
    workspace.configure(
        """
[channels.mail]
kind = "email"
host = "127.0.0.1"
port = 9
security = "none"
from = "flowy-watch@example.com"
to = ["oncall@example.com"]
[digest]
channels = ["mail"]
"""
    )
    ran = workspace.run("--send")
    assert ran.code == 1
    assert "mail (oncall@example.com): not delivered:" in ran.out
    assert "could not be reached; `run` and `poll` go on trying" in ran.out
