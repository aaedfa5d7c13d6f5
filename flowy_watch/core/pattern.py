"""Which keys a person means: a name or an id, `*` standing for anything."""

import re
from functools import lru_cache


def matches(pattern: str, *names: str) -> bool:
    """Whether any of `names` is what `pattern` says. Only `*` is special: names may hold brackets."""
    wanted = _compiled(pattern)
    return any(wanted.fullmatch(name) for name in names)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *parts = (re.escape(part) for part in pattern.split("*"))
    if not parts:
        return re.compile(first)
    # The first place of each part is as good as any other: an atomic group never looks for another one, without which
    # a pattern of many stars would take for ever.
    middle = "".join(f"(?>.*?{part})" for part in parts[:-1] if part)
    return re.compile(f"{first}{middle}.*{parts[-1]}", re.DOTALL)
