"""The commands; print, exit. Each of the modules imported here registers its own.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flowy_watch import __version__
from flowy_watch.cli import (  # noqa: F401  # each registers its commands
    act,
    backtest,
    begin,
    block,
    data,
    digest,
    metering,
    see,
    watch,
)
from flowy_watch.cli.common import app, say
from flowy_watch.errors import FlowyWatchError


def main() -> None:
    """The entry point: errors of ours are one line on stderr and exit 1."""
    try:
        app(args=_config_first(sys.argv[1:]), prog_name="flowy-watch")
    except FlowyWatchError as error:
        from flowy_watch.core.redact import redact

        print(f"flowy-watch: {redact(str(error))}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _config_first(arguments: list[str]) -> list[str]:
    """Move `--config FILE` to the front, wherever it stands."""
    rest, found = list(arguments), []
    for place, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--config" and place + 1 < len(arguments):
            found = rest[place : place + 2]
            del rest[place : place + 2]
            break
        if argument.startswith("--config="):
            found = [rest.pop(place)]
            break
    return [*found, *rest]


def _version(wanted: bool) -> None:  # the form that Typer calls
    if wanted:
        say(f"flowy-watch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="Default: $FLOWY_WATCH_CONFIG, else ./flowy-watch.toml.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    context.obj = config
