"""What `flowy-watch check` says about one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `flowy-watch check`: what was tried, and what to do where it failed."""

    name: str
    ok: bool
    detail: str = ""
