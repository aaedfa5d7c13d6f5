"""The digest by hand."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from flowy_watch.core.period import Period, Span, last_finished
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
