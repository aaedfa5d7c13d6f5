"""A disk that fills up under a running daemon, and has space again: nothing is lost, and the log says what to do."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.rig import Rig, wait_until

from .running import Running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four megabytes, a real file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system here; tests/jobs/test_full_disk.py goes without")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"0" * 4096)
        except OSError:
            return


@pytest.mark.slow
def test_a_full_disk_stops_nothing_for_good_and_loses_nothing(rig: Rig, small_disk: Path) -> None:
    rig.database = small_disk / "watch.db"
    rig.configure(every="1s")
    with Running(rig) as daemon:
        daemon.until_polled()
        fill(small_disk / "ballast")
        rig.near_cap()
        daemon.until_logged("job.failed")
        reasons = [line["reason"] for line in daemon.log() if line.get("event") == "job.failed"]
        assert all("free some disk space; nothing was half written" in reason for reason in reasons)
        assert rig.good("status", "--json").json["last_poll"]
        assert not rig.slack.posts

        (small_disk / "ballast").unlink()
        wait_until(lambda: rig.slack.posts and rig.sink.mails, "the alert, on both channels")
        assert daemon.stopped()[0] == 0
        assert daemon.count("job.crashed") == daemon.count("deliver.crashed") == 0
    with closing(sqlite3.connect(rig.database)) as opened:
        assert list(opened.execute("PRAGMA integrity_check")) == [("ok",)]
    assert len(rig.slack.posts) == 1
