"""The commands; print, exit. Each of the modules imported here registers its own.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

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
from flowy_watch.cli.common import a_file, app, say
from flowy_watch.errors import FlowyWatchError, WrongUsage

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_MISCALLED = cast(type[Any], typer.BadParameter.__base__)
"""What Typer raises for every wrong call; it has no public name."""


def main() -> None:
    """The entry point: errors are one line on stderr, and exit 1, or 2 for a wrong call."""
    for stream in (sys.stdout, sys.stderr):
        _encode(stream)
    try:
        code = app(args=_config_first(sys.argv[1:]), prog_name="flowy-watch", standalone_mode=False)
        if sys.stdout:  # None where the caller closed it
            sys.stdout.flush()
    except FlowyWatchError as error:
        from flowy_watch.core.redact import redact

        _complain(redact(str(error)))
        raise SystemExit(2 if isinstance(error, WrongUsage) else 1) from None
    except _MISCALLED as error:
        _explain(error)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # who read has seen enough
        _stop_writing()
    except Exception as error:  # noqa: BLE001  # Python's own way out shows what an exception quotes, secrets too
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _complain(f"cannot write: {error.strerror}")
            _stop_writing()
        import traceback

        from flowy_watch.core.redact import redact

        told = redact("".join(traceback.format_exception(error)))
        print(f"{told}flowy-watch: a bug of flowy-watch ({type(error).__name__}); please report it", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    raise SystemExit(code)


def _stop_writing() -> NoReturn:
    """Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(1) from None


def _encode(stream: object) -> None:
    """Files and pipes get UTF-8, as `import` and programs read it; a terminal of another encoding shows ? instead."""
    if isinstance(stream, io.TextIOWrapper):
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _explain(error: Any) -> None:
    """In one line, unless it is the help that a group of commands shows when it is given none."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    said = " ".join(error.format_message().split()).rstrip(".")
    called = error.ctx.command_path if error.ctx else "flowy-watch"
    _complain(f"{said}{' See' if said.endswith('?') else '; see'} `{called} --help`")


def _complain(text: str) -> None:
    sys.stderr.write(f"flowy-watch: {text}\n")


def _config_first(arguments: list[str]) -> list[str]:
    """Move `--config FILE` to the front, wherever it stands."""
    rest, found = list(arguments), []
    for place, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--config":
            if place + 1 == len(arguments):
                raise WrongUsage("--config needs the name of a file")
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
        Path | None,
        typer.Option("--config", callback=a_file, help="Default: $FLOWY_WATCH_CONFIG, else ./flowy-watch.toml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    context.obj = config
