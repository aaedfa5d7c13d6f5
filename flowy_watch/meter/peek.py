"""The few small answers the meter looks into as they pass: which run was started, and how one ended."""

import zlib

import orjson

MOST = 64 * 1024  # bytes, before and after unpacking


class Peek:
    """Collects the beginning of a body; holds nothing up and never more than it may."""

    __slots__ = ("_encoding", "_parts", "_size")

    def __init__(self, encoding: bytes) -> None:
        self._encoding = encoding
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MOST:
            self._parts.append(data)
        else:
            self._parts.clear()

    @property
    def is_full(self) -> bool:
        return self._size > MOST

    def data(self) -> dict[str, object]:
        return {} if self._size > MOST else data_of(b"".join(self._parts), self._encoding)


def data_of(body: bytes, encoding: bytes) -> dict[str, object]:
    """An answer's `data`, empty when it is not what it should be."""
    if len(body) > MOST:
        return {}
    try:
        content = orjson.loads(_unpacked(body, encoding) if encoding else body)
    except (ValueError, zlib.error):
        return {}
    data = content.get("data") if isinstance(content, dict) else None
    return data if isinstance(data, dict) else {}


def _unpacked(body: bytes, encoding: bytes) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in (b"", b"identity"):
        return body
    if encoding in (b"gzip", b"x-gzip", b"deflate"):
        unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either of them, told by its head
        return unpacking.decompress(body, MOST)
    raise ValueError("packed in a way that cannot be looked into")
