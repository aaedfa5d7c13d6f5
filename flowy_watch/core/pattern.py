"""Which keys a person means: a name or an id, `*` standing for anything."""

import re
from functools import lru_cache


def matches(pattern: str, *names: str) -> bool:
    """Whether any of `names` is what `pattern` says. Only `*` is special: names may hold brackets."""
    wanted = _compiled(pattern)
    return any(wanted.fullmatch(name) for name in names)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
