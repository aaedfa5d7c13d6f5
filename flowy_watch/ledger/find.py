"""Which key somebody means."""

import re
from collections.abc import Iterable

from flowy_watch.core.redact import redact
from flowy_watch.errors import NotFound
from flowy_watch.ledger.values import NO_KEY, OTHER, KeyUse, fingerprint_of

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_SHOWN = 5


def find_key(uses: Iterable[KeyUse], called: Iterable[str]) -> tuple[str, str]:
    """Fingerprint and words for the key that goes by one of these: fingerprint, name, last four, or the key itself.

    A fingerprint need not have been seen before. Raises NotFound where none is meant, or more than one could be.
    """
    texts = [fingerprint_of(text) if redact(text) != text else text for text in called if text]
    known = [use for use in uses if use.fingerprint not in (NO_KEY, OTHER)]
    for names_of in (_fingerprint, _name, _last_four):
        found = {use.fingerprint: use for use in known if names_of(use) in texts}
        if len(found) > 1:
            few = ", ".join(key_words(use) for use in list(found.values())[:_SHOWN])
            raise NotFound(f"{len(found)} keys go by that: {few}; name one by its fingerprint")
        if found:
            (use,) = found.values()
            return use.fingerprint, key_words(use)
    for text in texts:
        if _FINGERPRINT.fullmatch(text):
            return text, f"the key {text}"
    raise NotFound("no such key has passed through the meter; `flowy-watch status` lists the keys")


def key_words(use: KeyUse) -> str:
    """`render (…4f2a, 0123456789abcdef)`"""
    tail = f"…{use.last_four}, {use.fingerprint}" if use.last_four else use.fingerprint
    return f"{use.name} ({tail})" if use.name else f"the key {tail}"


def _fingerprint(use: KeyUse) -> str:
    return use.fingerprint


def _name(use: KeyUse) -> str:
    return use.name


def _last_four(use: KeyUse) -> str:
    return use.last_four
