"""Messages that one read brought whole and that say nothing unusual: nearly all there are, read without the parser.

What is read here the parser would read alike (tests/meter/test_whole.py asks it); whatever is odd, cut off, chunked or
in doubt is None, and the parser's to read or refuse. So there is still one reading of every message.
"""

import re

from flowy_watch.meter.config import Limits, Target
from flowy_watch.meter.request import Prepared, Request

_MOST_HEAD = 8192
_BODILESS = (b"204", b"304")

_KNOWN = rb"""(?:[Hh](?i:ost|ttp2-settings)|[Aa](?i:uthorization)|[Uu](?i:ser-agent|pgrade)|[Cc](?i:onnection
    |ontent-length|ontent-encoding)|[Kk](?i:eep-alive)|[Tt](?i:e|railer|ransfer-encoding)|[Ee](?i:xpect)
    |[Pp](?i:roxy-[a-z]+)):"""
_TEXT = rb"[\t\ -~\x80-\xff]*+"
_PLAIN = rb"(?!" + _KNOWN + rb")[!\#$%&'*+\-.^_`|~0-9A-Za-z]++:" + _TEXT


def _once(group: int, line: bytes) -> bytes:
    """Where that group stands already, no second such line. What is in `_KNOWN` and not here is not let in at all."""
    return rb"|(?(%d)(?!)|%b)" % (group, line)


def _lines(first: int) -> bytes:
    """A length, and what is between this hop and the next and says no more than everybody does."""
    return (
        _once(first, rb"[Cc](?i:ontent-length):\ *+([0-9]{1,15}+)\ *+\r\n")
        + _once(first + 1, rb"([Cc](?i:onnection):\ *+(?i:keep-alive)\ *+\r\n)")
        + _once(first + 2, rb"([Kk](?i:eep-alive):[\t\ -~]*+\r\n)")
    )


_REQUEST = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE)\ (/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*+)\ HTTP/1\.1\r\n(?:"
    + (_PLAIN + rb"\r\n" + _lines(3))
    + _once(6, rb"[Hh](?i:ost):(" + _TEXT + rb")\r\n")
    + _once(7, rb"[Aa](?i:uthorization):\ *+(" + _TEXT + rb")\r\n")
    + _once(8, rb"[Uu](?i:ser-agent):\ *+(" + _TEXT + rb")\r\n")
    + rb")*\r\n",
    re.VERBOSE,
)
_ANSWER = re.compile(
    rb"HTTP/1\.1\ ([2-5][0-9][0-9])\ [\t\ -~]*+\r\n(?:"
    + (_PLAIN + rb"\r\n" + _lines(2))
    + _once(5, rb"[Cc](?i:ontent-encoding):\ *+(" + _TEXT + rb")\r\n")
    + rb")*\r\n",
    re.VERBOSE,
)


def whole_request(data: bytes, target: Target, limits: Limits) -> tuple[Request, Prepared] | None:
    """The head of what is ready is the body's too."""
    found = _REQUEST.match(data, 0, _MOST_HEAD)
    if not found:
        return None
    method, path, length, hop, kept, host, key, agent = found.groups()
    end = found.end()
    if len(data) != end + int(length or 0) or host is None or len(data) - end > limits.body_bytes:
        return None
    if end > limits.head_bytes or data.count(b"\r\n", 0, end) > limits.headers:
        return None
    noted = {}
    if length is not None:
        noted[b"content-length"] = length
    if key is not None:
        noted[b"authorization"] = key
    if agent is not None:
        noted[b"user-agent"] = agent
    start, after = found.span(6)
    raw = b"%b %b%b" % (data[:start], target.authority, data[after:])
    if hop or kept:
        raw = _without(raw, hop, kept)
    if target.path:
        raw = b"%b %b%b" % (method, target.full(path), raw[len(method) + 1 + len(path) :])
    return Request(method, path, [], False, True), Prepared(raw, noted, False)


def whole_answer(data: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    """Its status, its encoding, the whole of it as it is handed on, and its body; never one that has no length."""
    found = _ANSWER.match(data, 0, _MOST_HEAD)
    if not found:
        return None
    status, length, hop, kept, encoding = found.groups()
    end = found.end()
    if length is None or len(data) != end + int(length) or status in _BODILESS:
        return None
    raw = _without(data, hop, kept) if hop or kept else data
    return int(status), encoding or b"", raw, data[end:]


def _without(data: bytes, *lines: bytes | None) -> bytes:
    """Without the first of each that stands at a line's beginning, where the pattern found it."""
    for line in lines:
        if line:
            data = data.replace(b"\r\n" + line, b"\r\n", 1)
    return data
