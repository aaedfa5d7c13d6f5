"""What a request wants, as far as the meter cares."""

import posixpath
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_LONGEST = 100  # of an app's or a run's id; what is longer is none of Flowy's


class Errand(NamedTuple):
    app_id: str = ""
    """Of the app that a run is to be started of."""
    run_id: str = ""
    """Of the run that is looked at."""


NOTHING = Errand()
_LONGEST_KNOWN = 200  # bytes of a target that is remembered


def errand_of(method: bytes, target: bytes) -> Errand:
    """`POST …/apps/{id}/runs` or `GET …/runs/{id}`, however the path is spelt: a guardrail must not miss a run."""
    return _known(method, target) if len(target) <= _LONGEST_KNOWN else _errand_of(method, target)


def _errand_of(method: bytes, target: bytes) -> Errand:
    if method != b"POST" and method != b"GET":
        return NOTHING
    path = target.partition(b"?")[0]
    if b"%" in path or b"/." in path or b"//" in path or path[-1:] == b"/":
        path = posixpath.normpath(unquote_to_bytes(path))
    parts = path.rsplit(b"/", 3)
    if method == b"POST":
        if len(parts) == 4 and parts[3].lower() == b"runs" and parts[1].lower() == b"apps":
            return Errand(app_id=_identifier(parts[2]))
    elif len(parts) > 2 and parts[-2] == b"runs":
        return Errand(run_id=_identifier(parts[-1]))
    return NOTHING


_known = lru_cache(maxsize=2048)(_errand_of)


def _identifier(raw: bytes) -> str:
    """A run of an app whose id cannot be kept is still a run: its app is "?"."""
    text = raw.decode("ascii", "replace")
    return text if 0 < len(text) <= _LONGEST and text.isascii() and text.isprintable() else "?"
