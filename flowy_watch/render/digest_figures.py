"""Figures, names and days in the words of a digest."""

from datetime import date

from flowy_watch.core.digest import KeyFigures
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.core.words import credit_words
from flowy_watch.render.phrase import shorten, visible

LONGEST = 40


def credits_about(amount: Microcredits) -> str:
    """As `credit_words`, but whole credits from a hundred on: cents are noise there. The table has them exactly."""
    if abs(amount) < 100 * CREDIT:
        return credit_words(amount)
    return credit_words((abs(amount) + CREDIT // 2) // CREDIT * CREDIT * (1 if amount > 0 else -1))


def percent(share: float, *, signed: bool = True) -> str:
    """`+8 %`, `−12 %`, `0 %`; `×12` where per cents would be hard to grasp, and `>×999` where nothing is grasped."""
    if signed and share >= 998.5:
        return ">×999"
    if signed and share >= 9.995:
        return f"×{share + 1:,.0f}"
    per_cent = round(share * 100)
    if not per_cent:
        return "<1 %" if share and not signed else "0 %"
    sign = ("+" if per_cent > 0 else "−") if signed else ""
    return f"{sign}{abs(per_cent):,} %"


def moved(now: Microcredits, before: Microcredits | None) -> str:
    """Against before; empty where that is not known."""
    if before is None:
        return ""
    if before == 0:
        return "new" if now else ""
    return percent((now - before) / before)


def count(number: int, one: str, many: str = "") -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many or one + 's'}"


def key_name(key: KeyFigures) -> str:
    return shorten(visible(key.name) or visible(key.key_id) or "unnamed key", LONGEST)


def key_tail(key: KeyFigures) -> str:
    four = visible(key.last_four)[-4:]
    return f" (…{four})" if four else ""


def day_words(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def owner_name(owner: str) -> str:
    return shorten(visible(owner), LONGEST)
