"""The client's end of a WebSocket (RFC 6455), as much of it as Slack's Socket Mode needs.

slack_sdk has one too: when the other side hangs up in good order, it takes a processor for itself until its next pings
have failed. A watch that shares the machine cannot have that.
"""

import base64
import hashlib
import os
import socket
import ssl
import struct
from time import monotonic
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG, _CONTINUATION = 0x1, 0x8, 0x9, 0xA, 0x0
_LONGEST = 4 << 20  # bytes of one message; Slack's are below a hundred thousand
_LONGEST_HEAD = 16_384


class WebSocket:
    """One connection, used by one thread; `hang_up` may come from another. Every failure is an OSError."""

    def __init__(self, sock: socket.socket, beat: float) -> None:
        self._socket, self._beat = sock, beat
        self._buffer = bytearray()

    @classmethod
    def connect(cls, url: str, *, timeout: float, beat: float = 10.0) -> Self:
        """`timeout` seconds for each step of getting there; then a sign of life is asked for every `beat` seconds."""
        parts = urlsplit(url)
        sock = _dial(parts, timeout)
        try:
            sock.settimeout(timeout)
            made = cls(sock, beat)
            made._shake_hands(parts)
            sock.settimeout(beat)
        except BaseException:
            sock.close()
            raise
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hang_up(self) -> None:
        """Whoever waits in `receive` gets an OSError."""
        # Not the method of SSLSocket, which would pull the session away from under the thread that reads.
        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def send(self, text: str) -> None:
        self._write(_TEXT, text.encode())

    def receive(self) -> str:
        """The next message. Raises OSError when the other side hangs up, or is silent for three beats."""
        message = bytearray()
        while True:
            final, opcode, data = self._frame()
            if opcode == _PING:
                self._write(_PONG, data)
            elif opcode == _CLOSE:
                raise ConnectionResetError("the other side closed the connection")
            elif opcode in (_TEXT, _CONTINUATION):
                message += data
                if len(message) > _LONGEST:
                    raise ConnectionAbortedError("a message is too long")
                if final:
                    return message.decode("utf-8", "replace")

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        if length > _LONGEST or second & 0x80 or first & 0x70:
            raise ConnectionAbortedError("the other side does not speak WebSocket as agreed")
        return bool(first & 0x80), first & 0x0F, self._read(length)

    def _write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        self._socket.sendall(head + mask + masked)

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes; pings while nothing comes."""
        heard_at = monotonic()
        while len(self._buffer) < size:
            try:
                data = self._socket.recv(65_536)
            except TimeoutError:
                if monotonic() - heard_at > 3 * self._beat:
                    raise ConnectionAbortedError("nothing was heard for too long") from None
                self._write(_PING, b"")
                continue
            if not data:
                raise ConnectionResetError("the other side hung up")
            heard_at = monotonic()
            self._buffer += data
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _shake_hands(self, parts: SplitResult) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        asked = (
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(asked.encode())
        status, headers = self._head()
        accepted = base64.b64encode(hashlib.sha1(f"{key}{_MAGIC}".encode()).digest()).decode()  # noqa: S324  # the RFC's
        if status != 101 or headers.get("sec-websocket-accept") != accepted:
            raise ConnectionRefusedError(f"the WebSocket was refused (HTTP {status})")

    def _head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of an HTTP answer; what follows them stays in the buffer."""
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(4096)
            if not data or len(self._buffer) > _LONGEST_HEAD:
                raise ConnectionResetError("the other side gave no answer to the WebSocket's greeting")
            self._buffer += data
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split()
        status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
        named = (line.partition(":") for line in lines)
        return status, {name.strip().lower(): value.strip() for name, _, value in named}


def _dial(parts: SplitResult, timeout: float) -> socket.socket:
    secure, host = parts.scheme == "wss", parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    proxy = "" if proxy_bypass(host) else getproxies().get("https" if secure else "http", "")
    sock = _through(urlsplit(proxy), host, port, timeout) if proxy else socket.create_connection((host, port), timeout)
    if not secure:
        return sock
    try:
        return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


def _through(proxy: SplitResult, host: str, port: int, timeout: float) -> socket.socket:
    sock = socket.create_connection((proxy.hostname or "", proxy.port or 80), timeout)
    try:
        who = ""
        if proxy.username:
            pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            who = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
        sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{who}\r\n".encode())
        status, _ = WebSocket(sock, timeout)._head()
        if status != 200:
            raise ConnectionRefusedError(f"the proxy refused (HTTP {status})")
    except BaseException:
        sock.close()
        raise
    return sock
