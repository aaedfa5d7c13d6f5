"""Heads of messages: what is between two hops is taken out, everything else stays as it is, in its order."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

# What the meter does with a field, by its name. Plain numbers: an enum's flags cost more than all the rest here.
_PLAIN = 0
_NOTED = 1  # its value is looked at
_HOP = 2  # between this hop and the next (RFC 9110 section 7.6.1): not forwarded
_LONGEST_KNOWN = 20
_KINDS = {
    b"connection": _NOTED | _HOP,
    b"transfer-encoding": _NOTED | _HOP,
    b"keep-alive": _HOP,
    b"proxy-connection": _HOP,
    b"proxy-authenticate": _HOP,
    b"proxy-authorization": _HOP,
    b"te": _HOP,
    b"upgrade": _HOP,
    b"http2-settings": _HOP,
    b"authorization": _NOTED,
    b"content-encoding": _NOTED,
    b"content-length": _NOTED,
    b"expect": _NOTED,
    b"host": _NOTED,
    b"user-agent": _NOTED,
}
# Without these a message would mean something else, whatever its `Connection` names.
_NEVER_HOP = frozenset((b"authorization", b"content-length", b"content-type", b"content-encoding", b"host"))
CHUNKED = b"Transfer-Encoding: chunked"
CLOSE = b"Connection: close"


@lru_cache(maxsize=1024)
def _kind_of(name: bytes) -> int:
    return _KINDS.get(name.lower(), _PLAIN)


def sorted_out(headers: Headers, *, host: bytes = b"") -> tuple[list[bytes], dict[bytes, bytes], frozenset[bytes]]:
    """The lines to forward, the values the meter looks at by name in lower case, and the names that came twice.

    `host` takes the place of the one that came.
    """
    lines: list[bytes] = []
    noted: dict[bytes, bytes] = {}
    twice: frozenset[bytes] = frozenset()
    for name, value in headers:
        kind = _kind_of(name) if len(name) <= _LONGEST_KNOWN else _PLAIN
        if kind == _PLAIN:
            lines.append(b"%b: %b" % (name, value))
            continue
        if kind & _NOTED:
            lower = name.lower()
            if lower in noted:
                twice |= {lower}
                noted[lower] += b"," + value
            else:
                noted[lower] = value
            if host and lower == b"host":
                value = host
        if not kind & _HOP:
            lines.append(b"%b: %b" % (name, value))
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
    """Trailers pass, but none that would mean something as a header: some servers mix them up."""
    return head_bytes(b"0", [name + b": " + value for name, value in trailers if _kind_of(name) == _PLAIN])
