"""`flowy-watch run` in a process of its own, with its log and what it tells systemd."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Self

from tests.cli.rig import COMMAND, Rig, environment, wait_until


class Running:
    """`with Running(rig) as daemon: …`; killed at the end when it still runs."""

    def __init__(
        self,
        rig: Rig,
        *,
        name: str = "daemon",
        env: dict[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.rig, self._command = rig, command
        self._log = rig.folder / f"{name}.log"
        self._address = rig.folder / f"{name}.notify"
        self._address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._address))
        self._socket.setblocking(False)
        self.told: list[str] = []
        self._env = environment({"NOTIFY_SOCKET": str(self._address)} | (env or {}))

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self._command, "--config", str(self.rig.config), "run", "--no-web"],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._socket.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log_file(self) -> Path:
        return self._log

    def log(self) -> list[dict[str, Any]]:
        """The complete lines so far."""
        lines = self._log.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def heard(self) -> list[str]:
        """What systemd was told so far."""
        with suppress(BlockingIOError):
            while True:
                self.told.append(self._socket.recv(4096).decode())
        return self.told

    def count(self, event: str) -> int:
        return sum(line.get("event") == event for line in self.log())

    def until_heard(self, state: str, times: int = 1) -> None:
        wait_until(lambda: self.heard().count(state) >= times, f"{state} ({times}); log: {self._log}")

    def until_logged(self, event: str, times: int = 1) -> None:
        wait_until(lambda: self.count(event) >= times, f"{event} ({times}) in {self._log}")

    def until_polled(self) -> None:
        self.until_logged("poll")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stopped(self, *, within: float = 5) -> tuple[int, float]:
        """Exit code and seconds after SIGTERM."""
        began = monotonic()
        self.send(signal.SIGTERM)
        code = self.process.wait(within + 10)
        return code, monotonic() - began
