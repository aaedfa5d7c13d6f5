"""A connection to a mail server that keeps to a deadline."""

import re
import smtplib
import socket
import ssl
from time import monotonic


class SmtpSession(smtplib.SMTP):
    """smtplib with one deadline over several steps, instead of a fresh timeout for every read."""

    def __init__(self, seconds: float) -> None:
        super().__init__(local_hostname=_own_name(), timeout=seconds)
        self.patience(seconds)

    @property
    def secured(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    def patience(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds

    def open(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._tls, self._host = context, host  # smtplib checks the certificate of STARTTLS against _host
        code, answer = self.connect(host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)
        self.ehlo_or_helo_if_needed()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        if self._tls is None:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # the stub's buffer type has no public name
        self._hurry()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        self._hurry()
        return super().getreply()

    def _hurry(self) -> None:
        if self.sock:
            self.sock.settimeout(max(self._deadline - monotonic(), 0.001))


def _own_name() -> str:
    """What the greeting says. smtplib would ask the DNS for it, which can take longer than the whole timeout."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"
