"""What a server sent: bytes counted while they are unpacked, and the JSON in them."""

import json
import zlib
from collections.abc import Callable
from typing import Literal

import httpx
import orjson

from flowy_watch.errors import SourceError

ENCODINGS = "gzip"  # the only one we ask for: the more kinds of compression, the more kinds of bomb
_GZIP = 16 + zlib.MAX_WBITS


def receive(
    response: httpx.Response, most: int, *, beyond: Literal["refuse", "cut"] = "refuse", abandoned: Callable[[], bool]
) -> bytes:
    """The decompressed body. Never holds more than `most` bytes and one chunk, whatever they would unpack to.

    Raises SourceError beyond `most` (unless told to cut), and for a compression that is broken or unknown.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise SourceError("is compressed in a way we did not ask for")
    unzip = zlib.decompressobj(_GZIP) if "gzip" in encoding else None
    body = bytearray()
    for chunk in response.iter_raw():
        if abandoned():
            break
        try:
            body += chunk if unzip is None else unzip.decompress(chunk, max_length=most + 1 - len(body))
        except zlib.error:
            raise SourceError("is compressed, but broken") from None
        if len(body) > most:
            if beyond == "cut":
                return bytes(body[:most])
            raise SourceError(f"is larger than {most:,} bytes (source.max_body)")
    if unzip is not None and not unzip.eof:
        raise SourceError("is compressed, but cut short")
    return bytes(body)


def parse(body: bytes) -> object:
    """The JSON in `body`, with NaN let through so that it spoils one key and not the list.

    Raises SourceError with what is wrong with it, never with a part of it.
    """
    if not body.strip():
        raise SourceError("is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise SourceError("is a web page, not JSON")
    # `from None`: the causes carry the whole body, which may hold a secret.
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SourceError("is not UTF-8") from None
    except RecursionError:
        raise SourceError("is nested too deeply") from None
    except ValueError:
        raise SourceError("is not JSON, or is cut short") from None
