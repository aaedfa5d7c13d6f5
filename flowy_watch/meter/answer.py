"""The meter's own answers: in the shape of Flowy's errors, and saying that they are not Flowy's."""

from collections.abc import Sequence
from http import HTTPStatus

import orjson

from flowy_watch.meter.head import CLOSE, head_bytes


def answer(
    status: int, error: str, headers: Sequence[tuple[bytes, bytes]] = (), *, close: bool, head_only: bool = False
) -> bytes:
    body = orjson.dumps({"error": f"{error} (flowy-watch meter)"})
    lines = [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    lines += [name + b": " + value for name, value in headers]
    if close:
        lines.append(CLOSE)
    head = head_bytes(b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()), lines)
    return head if head_only else head + body
