"""Telling systemd: ready, alive, stopping."""

import os
import socket
from collections.abc import Mapping
from datetime import timedelta

_PATIENCE = 1.0  # seconds; who does not read fills the socket's short queue, and sending would then wait for ever


class NotifySocket:
    """systemd's notification socket, silent where there is none (sd_notify(3))."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog = timedelta(microseconds=int(usec)) if usec.isdigit() else None
        """How soon systemd kills a service that says nothing."""

    def tell(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_PATIENCE)
                sender.sendto(state.encode(), address)
        except OSError:
            return  # being watched is a courtesy: its absence must not stop the watch
