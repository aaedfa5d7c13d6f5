"""The commands of the first day: a configuration, a check of it, a test message."""

import os
from pathlib import Path
from typing import Annotated

import typer

from flowy_watch.cli.common import Json, app, fail, now_utc, say, settings_of


@app.command()
def init(context: typer.Context, force: Annotated[bool, typer.Option("--force", help="Overwrite.")] = False) -> None:
    """Write a commented configuration."""
    from flowy_watch.settings import DEFAULT_PATH, TEMPLATE

    path: Path = context.obj or Path(os.environ.get("FLOWY_WATCH_CONFIG") or DEFAULT_PATH)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE)
        path.chmod(0o600)
    except FileExistsError:
        raise fail(f"{path} exists; --force overwrites it") from None
    except OSError as error:
        raise fail(f"cannot write {path}: {error.strerror}") from None
    say(f"Wrote {path}. Set source.token_file and a channel, then run: flowy-watch check")


@app.command(short_help="Say of each part whether it works, or what to do.")
def check(context: typer.Context, json: Json = False) -> None:
    """Check configuration, database, source and channels; say for each what to do.

    Then say what the Flowy it is pointed at offers, by its public document, and which alerts the source can raise.
    """
    from flowy_watch.app import build_app
    from flowy_watch.cli.sight import show_sight
    from flowy_watch.core.check import Check
    from flowy_watch.show import as_json

    settings = settings_of(context)
    lines: list[tuple[str, Check]] = [("configuration", Check("readable", ok=True))]
    with build_app(settings) as built:
        lines.append(("database", Check("schema", ok=True, detail=built.store.database.shown)))
        lines += [("source", line) for line in built.source.check(now_utc())]
        for name, channel in built.channels.items():
            lines += [(f"channel {name}", line) for line in channel.check()]
    if not settings.channels:
        lines.append(("channels", Check("configured", ok=False, detail="nobody is told: add a [channels.…] section")))
    if not json:
        for what, c in lines:
            say(f"{'ok  ' if c.ok else 'FAIL'}  {what}: {c.name}" + (f" – {c.detail}" if c.detail else ""))
    seen = show_sight(settings, quiet=json)
    if json:
        said = [{"what": what, "name": c.name, "ok": c.ok, "detail": c.detail} for what, c in lines]
        say(as_json(said + seen))
    if not all(c.ok for _, c in lines):
        raise typer.Exit(1)


@app.command("notify-test")
def notify_test(context: typer.Context, channel: str) -> None:
    """Send a harmless test message through one channel."""
    from uuid import uuid4

    from flowy_watch.app import build_renderer, open_channels
    from flowy_watch.channels.base import Envelope

    settings = settings_of(context)
    channels = open_channels(settings)
    if channel not in channels:
        raise fail(f"no channel {channel} is configured; there are: {', '.join(channels) or 'none'}")
    target = channels[channel]
    message = build_renderer(settings).render_test(target.dialect, channel, now_utc())
    identity = uuid4().hex
    receipt = target.send(message, Envelope(identity, f"test-{identity}"))
    say(f"Sent to {channel}." + (f" Refused: {', '.join(receipt.refused)}" if receipt.refused else ""))
