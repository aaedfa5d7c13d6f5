"""Heads of messages: what is between two hops is taken out, everything else stays as it is, in its order."""

from collections.abc import Iterable
from typing import TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

# Between this hop and the next (RFC 9110 section 7.6.1).
_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization",
        b"te", b"transfer-encoding", b"upgrade", b"http2-settings",
    )
)  # fmt: skip
# Without these a message would mean something else, whatever its `Connection` names.
_NEVER_HOP = frozenset((b"authorization", b"content-length", b"content-type", b"content-encoding", b"host"))
_NOTED = frozenset(
    (
        b"authorization", b"connection", b"content-encoding", b"content-length", b"expect", b"host",
        b"transfer-encoding", b"user-agent",
    )
)  # fmt: skip
CHUNKED = b"Transfer-Encoding: chunked"
CLOSE = b"Connection: close"


def sorted_out(headers: Headers, *, host: bytes = b"") -> tuple[list[bytes], dict[bytes, bytes], frozenset[bytes]]:
    """The lines to forward, the values the meter looks at by name in lower case, and the names that came twice.

    `host` takes the place of the one that came.
    """
    lines: list[bytes] = []
    noted: dict[bytes, bytes] = {}
    twice: frozenset[bytes] = frozenset()
    for name, value in headers:
        lower = name.lower()
        if lower in _NOTED:
            if lower in noted:
                twice |= {lower}
                value_noted = noted[lower] + b"," + value
            else:
                value_noted = value
            noted[lower] = value_noted
            if lower == b"host" and host:
                value = host
        if lower not in _HOP:
            lines.append(name + b": " + value)
    connection = noted.get(b"connection")
    if connection and connection.lower() not in (b"close", b"keep-alive"):
        named = {token.strip().lower() for token in connection.split(b",")} - _NEVER_HOP
        lines = [line for line in lines if line[: line.index(b":")].lower() not in named]
    return lines, noted, twice


def head_bytes(first_line: bytes, lines: Iterable[bytes]) -> bytes:
    return b"\r\n".join((first_line, *lines, b"", b""))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers) -> bytes:
    return head_bytes(b"0", [name + b": " + value for name, value in trailers])
