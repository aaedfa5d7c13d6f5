"""What the daemon tells systemd."""

import socket
from contextlib import suppress
from pathlib import Path

import pytest

from flowy_watch.notify_socket import NotifySocket


@pytest.mark.timeout(20)
def test_a_service_manager_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    deaf, sender = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    with deaf, sender:
        deaf.bind(address)
        sender.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sender.sendto(b"WATCHDOG=1", address)
        NotifySocket({"NOTIFY_SOCKET": address}).tell("WATCHDOG=1")
        assert deaf.recv(100) == b"WATCHDOG=1"
