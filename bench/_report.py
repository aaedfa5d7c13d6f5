"""What `detect.py` measured, in short tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _ordinary import MANNERS
from _score import Score


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    words = [list(head), *[[_word(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*words, strict=True)]
    for line in words:
        cells = [word.rjust(width) for word, width in zip(line, widths, strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells[1:]]))
    print()


def _word(cell: object) -> str:
    if cell is None:
        return "–"
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def show_labelled(found: dict[str, Any], settings: Sequence[float]) -> None:
    for setting in settings:
        scores: dict[str, Score] = {Path(name).name: by[setting] for name, by in found["folders"].items()}
        print(f"false_alarms_per_month = {setting:g}: median SCORE {found['median_score'][setting]:.1f}\n")
        head = ("", "SCORE", "saved", "false/key-month", "recall", "median delay, h", "90 %")
        table(
            head,
            [
                (name, s.score, s.saved, s.false_per_key_month, s.recall, s.median_delay_hours, s.p90_delay_hours)
                for name, s in scores.items()
            ],
        )
        kinds = sorted({kind.kind for s in scores.values() for kind in s.kinds})
        by_kind = {name: {kind.kind: kind.saved for kind in s.kinds} for name, s in scores.items()}
        table(("saved", *scores), [(kind, *(by_kind[name].get(kind) for name in scores)) for kind in kinds])


def show_nab(found: dict[str, Any]) -> None:
    rows = [
        (f"flowy-watch at {setting:g}", None, f"{r['caught']}/{r['windows']}", r["false_episodes"], r["score"])
        for setting, r in found["ours"].items()
    ]
    for name, one in found["best"].items():
        r = one["result"]
        rows.append(
            (
                f"{name}, best score",
                one["threshold"],
                f"{r['caught']}/{r['windows']}",
                r["false_episodes"],
                one["score"],
            )
        )
    table(("", "threshold", "windows caught", "false episodes", "score"), rows)
    table(
        ("z-score, tuned in hindsight", "beside ours at", "caught at no more false", "false at no fewer caught"),
        [(b["rule"], f"{b['setting']:g}", b["caught_at_our_false"], b["false_at_our_caught"]) for b in found["beside"]],
    )
    settings = list(found["ours"])
    table(
        ("caught + false", *(f"at {setting:g}" for setting in settings), "windows"),
        [
            (
                name,
                *(f"{by[str(setting)]['caught']} + {by[str(setting)]['false_episodes']}" for setting in settings),
                by[str(settings[0])]["windows"],
            )
            for name, by in found["files"].items()
        ],
    )


def show_ordinary(found: dict[str, Any]) -> None:
    print(
        f"{found['workspaces']} × {found['keys']} keys, {found['days']} days, {found['months']:.1f} months scored; "
        "false alerts per month, all keys together\n"
    )
    by = found["settings"]
    kinds = ("spike", "ramp", "last_used")
    table(
        ("knob", "alerts", "per month", "ratio", "from–to", *kinds, "episodes"),
        [
            (
                f"{setting:g}",
                s["alerts"],
                s["alerts_per_month"],
                s["ratio"],
                "–".join(f"{bound(s['per_month_of_each_workspace']):.1f}" for bound in (min, max)),
                *(s["kinds"].get(kind, 0.0) for kind in kinds),
                s["episodes_per_month"],
            )
            for setting, s in by.items()
        ],
    )
    every_key = sum(share for share, _ in MANNERS.values())
    table(
        ("alerts per month by", *(f"at {setting:g}" for setting in by), "share of keys"),
        [
            (manner, *(s["manners"].get(manner, 0.0) for s in by.values()), f"{share / every_key:.0%}")
            for manner, (share, _) in MANNERS.items()
        ],
    )
