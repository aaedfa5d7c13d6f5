"""What the commands share: the application they register with, their options, and how they speak.

What a command needs is imported inside it, so that `--help` answers at once.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from flowy_watch.errors import WrongUsage

if TYPE_CHECKING:
    from flowy_watch.settings import Settings

_ORDER = (
    *("init", "check", "run", "open", "poll", "status", "alerts", "ack", "silence", "unsilence", "resolve", "expect"),
    *("block", "unblock", "why", "digest", "backtest", "import", "export", "notify-test", "demo", "simulate", "meter"),
    "db",
)


class _InOrder(TyperGroup):
    """Lists the commands as people meet them, not as their modules are imported; what is missing above comes last."""

    def list_commands(self, ctx: Any) -> list[str]:  # the type of the context is not public
        return sorted(super().list_commands(ctx), key=lambda name: (*_ORDER, name).index(name))


app = typer.Typer(
    name="flowy-watch",
    cls=_InOrder,
    help="Watches what every Flowy API key spends and says how to revoke it when something is wrong.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="--config FILE may stand before or after the command. Exit codes: 0 done, 1 failed, 2 wrong usage.",
)

SilenceNumber = Annotated[int, typer.Argument(metavar="ID", help="The silence's number.", min=1, max=2**30)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the log.")]
By = Annotated[str, typer.Option("--by", help="Who does it; default: your user name.")]
For = Annotated[str | None, typer.Option("--for", help="How long: 90s, 15m, 24h, 30d.")]
Until = Annotated[str | None, typer.Option("--until", help="An end, as ISO 8601.")]
Mapping = Annotated[
    list[str] | None, typer.Option("--map", metavar="OURS=THEIRS", help="What the file calls one of our columns.")
]
AlertNumber = Annotated[int, typer.Argument(metavar="ALERT", help="The alert's number.", min=1, max=2**62)]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()  # else what a long command says into a pipe or a file stays here until it ends


def fail(text: str) -> typer.Exit:
    sys.stderr.write(f"flowy-watch: {text}\n")
    return typer.Exit(1)


def usage(text: str) -> WrongUsage:
    return WrongUsage(text)


def a_file(path: Path | None) -> Path | None:
    """For Typer to call: an empty name would be taken for the present folder."""
    if path == Path():
        raise usage("the name of a file is empty")
    return path


def settings_of(context: typer.Context, *, quiet: bool = True, to_look: bool = False) -> "Settings":
    """Read the configuration and set up the log, which is silent for commands that answer by themselves.

    `to_look`: no source is asked and no channel told, so their secrets may be out of reach.
    """
    from flowy_watch.log import configure
    from flowy_watch.settings import load, load_to_look

    settings = (load_to_look if to_look else load)(context.obj, environ=os.environ)
    configure("critical" if quiet else settings.log.level, settings.log.format, settings.secrets())
    return settings


def now_utc() -> datetime:
    from flowy_watch.clock import SystemClock

    return SystemClock().now()


def me_or(by: str) -> str:
    from getpass import getuser

    from flowy_watch.core.usage import clean_name

    if by:
        return clean_name(by)
    try:
        return getuser()
    except (KeyError, OSError):
        return "somebody"


def span_of(text: str, option: str) -> timedelta:
    from flowy_watch.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise usage(f"{option}: {error}") from None


def mapped(pairs: list[str] | None) -> dict[str, str]:
    """What files call our columns, by our names."""
    from flowy_watch.sources.file import COLUMNS

    found = {}
    for pair in pairs or ():
        ours, _, theirs = pair.partition("=")
        if ours not in COLUMNS or not theirs:
            raise usage(f"--map must be OURS=THEIRS, where OURS is one of {', '.join(COLUMNS)}")
        found[ours] = theirs
    return found


def end_of(for_: str | None, until: str | None, now: datetime) -> datetime | None:
    """The instant that `--for` or `--until` names; None when neither is given."""
    if for_ and until:
        raise usage("give --for or --until, not both")
    if for_:
        span = span_of(for_, "--for")
        if not span:
            raise usage("--for must be longer than nothing")
        return now + span
    if until is None:
        return None
    try:
        end = datetime.fromisoformat(until)
    except ValueError:
        raise usage("--until must be ISO 8601, such as 2026-11-27T18:00+01:00") from None
    try:
        end = (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise usage("--until lies beyond any calendar") from None
    if end <= now:
        raise usage("--until lies in the past")
    return end
