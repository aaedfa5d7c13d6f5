"""The demo, as a visitor starts it."""

from pathlib import Path

import pytest

from tests.cli.rig import spawned


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_the_demo_ends_by_itself_with_just_the_expected_alerts(tmp_path: Path) -> None:
    ran = spawned("demo", "--once", "--inbox", tmp_path / "inbox", cwd=tmp_path, within=420)
    assert ran.code == 0, ran.out + ran.err
    assert "all came, nothing else" in ran.out
    assert list((tmp_path / "inbox").glob("slack-*.json"))
    assert list((tmp_path / "inbox").glob("mail-*.eml"))
    digests = [file for file in (tmp_path / "inbox").glob("mail-*.html") if "Flowy spend, week" in file.read_text()]
    assert len(digests) == 1
    assert "data:image/png;base64," in digests[0].read_text()
