"""A request as it came, and as it is sent on, if it is."""

from typing import NamedTuple

from flowy_watch.meter.config import Target
from flowy_watch.meter.head import CHUNKED, Headers, head_bytes, sorted_out

_NEVER_TWICE = frozenset((b"host", b"authorization", b"content-length", b"transfer-encoding"))


class Request(NamedTuple):
    """Before anything of it is believed."""

    method: bytes
    target: bytes
    headers: Headers
    old: bool
    """HTTP/1.0, which knows no chunks."""
    keep_alive: bool


class Wrong(NamedTuple):
    """Why a request is not forwarded."""

    status: int
    error: str


class Prepared(NamedTuple):
    """What is sent to the upstream, and what the meter goes by."""

    head: bytes
    noted: dict[bytes, bytes]
    """Values by name in lower case."""
    chunked: bool

    @property
    def has_body(self) -> bool:
        return self.chunked or self.length > 0

    @property
    def length(self) -> int:
        """Of the body, where it is not chunked."""
        return int(self.noted.get(b"content-length") or 0)


def prepared(request: Request, target: Target, most_body: int) -> Prepared | Wrong:
    """Everything stays as it is but the host, what is between two hops, and a path that has not `target`'s yet."""
    path = request.target
    if path[:1] != b"/" and not (path == b"*" and request.method == b"OPTIONS"):
        return Wrong(400, "The request must name a path of Flowy's API, not another server")
    lines, noted, twice = sorted_out(request.headers, host=target.authority)
    if twice & _NEVER_TWICE:
        return Wrong(400, "A header that must not be repeated is")
    if b"host" not in noted:
        if not request.old:
            return Wrong(400, "The Host header is missing")
        lines.insert(0, b"Host: " + target.authority)
    coding = noted.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked" or request.old:
            return Wrong(501, "This transfer coding is not supported")
        lines.append(CHUNKED)
    elif int(noted.get(b"content-length") or 0) > most_body:
        return Wrong(413, f"The body is larger than {most_body} bytes")
    if noted.get(b"expect", b"100-continue").lower() != b"100-continue":
        return Wrong(417, "This expectation is not supported")
    first_line = request.method + b" " + target.full(path) + b" HTTP/1.1"
    return Prepared(head_bytes(first_line, lines), noted, coding is not None)
