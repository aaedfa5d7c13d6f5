"""Every key and day of a digest as a table for spreadsheets, exact."""

import csv
import gzip
import io

from flowy_watch.core.digest import Digest
from flowy_watch.core.message import Enclosure
from flowy_watch.core.spreadsheet import guarded
from flowy_watch.core.usage import CREDIT, Microcredits
from flowy_watch.render.phrase import visible

HEADS = ("day", "key_id", "name", "owner", "credits", "daily_cap", "seen_to_its_end")
_LARGE = 1_000_000


def table_of(digest: Digest) -> Enclosure:
    """A CSV, or from a million bytes on a compressed one. A key that was not listed on a day has no credits there."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS)
    days = [(day.day.isoformat(), "no" if day.missing else "yes") for day in digest.days[-digest.period.length :]]
    for key in digest.keys:
        about = (cell(key.key_id), cell(key.name), cell(key.owner))
        cap = "" if key.cap is None else exact(key.cap)
        for (day, seen), spent in zip(days, key.days, strict=True):
            amount = "" if spent is None else exact(spent)
            writer.writerow((day, *about, amount, cap, "no" if spent is None else seen))
    name, content = f"flowy-spend-{digest.period.name}.csv", out.getvalue().encode()
    if len(content) > _LARGE:
        return Enclosure(f"{name}.gz", "application/gzip", gzip.compress(content, mtime=0))
    return Enclosure(name, "text/csv", content)


def exact(amount: Microcredits) -> str:
    """`12`, `12.5`, `0.000001`."""
    whole, rest = divmod(amount, CREDIT)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def cell(text: str) -> str:
    """Words from elsewhere that no spreadsheet takes for a formula."""
    return guarded(visible(text))
