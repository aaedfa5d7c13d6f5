"""Slack's end of Socket Mode on loopback: who presses a button is heard over a WebSocket that the app has opened."""

import base64
import hashlib
import json
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import count
from threading import Condition, Lock
from time import monotonic
from typing import Any

PATH = "/link/"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An envelope that the app took, and how many seconds that took."""

    envelope_id: str
    after: float
    payload: Mapping[str, Any]


class SocketMode:
    """Hands out addresses, holds the connections that come to them, and sends envelopes down the newest."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._tickets: set[str] = set()
        self._numbers = count(1)
        self._connections: list[_Connection] = []
        self._sent_at: dict[str, float] = {}
        self._acknowledged: list[Acknowledged] = []
        self._opened = 0

    def ticket(self) -> str:
        """Good for one connection."""
        with self._changed:
            ticket = f"ticket-{next(self._numbers)}"
            self._tickets.add(ticket)
            return ticket

    def serve(self, path: str, key: str, reads: BufferedIOBase, sock: socket.socket) -> None:
        """One connection, until it ends; called in a thread of its own."""
        ticket = path.partition("ticket=")[2].partition("&")[0]
        with self._changed:
            known = ticket in self._tickets
            self._tickets.discard(ticket)
        if not known:
            sock.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            return
        accept = base64.b64encode(hashlib.sha1(f"{key}{_MAGIC}".encode()).digest()).decode()  # noqa: S324  # the RFC's
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
        sock.sendall(f"{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        sock.settimeout(None)
        connection = _Connection(sock)
        connection.say({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0SIM"}})
        with self._changed:
            self._connections.append(connection)
            self._opened += 1
            self._changed.notify_all()
        try:
            with suppress(OSError, struct.error):
                self._listen(connection, reads)
        finally:
            with self._changed:
                self._connections.remove(connection)
                self._changed.notify_all()

    def send(self, payload: Mapping[str, Any], *, envelope_id: str = "") -> str:
        """An envelope down the newest connection; its id. Raises ConnectionError when there is none."""
        with self._changed:
            envelope = envelope_id or f"envelope-{next(self._numbers)}"
            if not self._connections:
                raise ConnectionError("nobody is connected")
            self._sent_at[envelope] = monotonic()
            connection = self._connections[-1]
        connection.say(
            {"envelope_id": envelope, "type": "interactive", "accepts_response_payload": False, "payload": payload}
        )
        return envelope

    def say(self, text: str) -> None:
        """Any words, down the newest connection."""
        with self._changed:
            connection = self._connections[-1]
        connection.write(_TEXT, text.encode())

    def refresh(self, reason: str = "refresh_requested") -> None:
        """Slack asks for a new connection."""
        self.say(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "simulated"}}))

    def cut(self) -> None:
        """Every connection ends, as when a network goes away in good order."""
        with self._changed:
            connections = tuple(self._connections)
        for connection in connections:
            connection.end()

    @property
    def acknowledged(self) -> tuple[Acknowledged, ...]:
        with self._changed:
            return tuple(self._acknowledged)

    @property
    def opened(self) -> int:
        """How many connections came so far."""
        with self._changed:
            return self._opened

    def wait_for_connections(self, opened: int, *, within: float = 10) -> bool:
        """Whether so many connections came in all, and one of them is there."""
        with self._changed:
            return self._changed.wait_for(lambda: self._opened >= opened and bool(self._connections), within)

    def wait_for_acknowledgement(self, envelope_id: str, *, within: float = 10) -> Acknowledged | None:
        def found() -> Acknowledged | None:
            return next((one for one in self._acknowledged if one.envelope_id == envelope_id), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, within)
            return found()

    def _listen(self, connection: "_Connection", reads: BufferedIOBase) -> None:
        while True:
            opcode, data = _frame(reads)
            if opcode == _PING:
                connection.write(_PONG, data)
            elif opcode == _CLOSE:
                return
            elif opcode == _TEXT:
                self._take(json.loads(data))

    def _take(self, answer: Mapping[str, Any]) -> None:
        envelope_id = str(answer.get("envelope_id", ""))
        with self._changed:
            after = monotonic() - self._sent_at.get(envelope_id, monotonic())
            self._acknowledged.append(Acknowledged(envelope_id, after, answer.get("payload") or {}))
            self._changed.notify_all()


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self._socket, self._lock = sock, Lock()

    def say(self, what: Mapping[str, Any]) -> None:
        self.write(_TEXT, json.dumps(what).encode())

    def write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
        with self._lock:
            self._socket.sendall(head + data)

    def end(self) -> None:
        with suppress(OSError):  # it may have ended just now
            self._socket.shutdown(socket.SHUT_RDWR)


def _frame(reads: BufferedIOBase) -> tuple[int, bytes]:
    """The next frame of a client, which must be masked. Raises struct.error at the end of the stream."""
    first, second = struct.unpack("!BB", reads.read(2))
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", reads.read(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", reads.read(8))
    if not second & 0x80:
        raise ConnectionAbortedError("a client's frame is not masked")
    mask, data = reads.read(4), reads.read(length)
    return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
