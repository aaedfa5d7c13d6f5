"""The commands that stop a key at the meter, and let it through again."""

from typing import Annotated

import typer

from flowy_watch.cli.common import By, Json, Why, app, me_or, say, usage
from flowy_watch.cli.desk import Server, TokenFile, desk_of

Key = Annotated[str, typer.Argument(help="A key's name, id, fingerprint, or last four where no other has them.")]


@app.command(short_help="Have the meter refuse a key from its next request on.")
def block(
    context: typer.Context,
    key: Key,
    why: Why = "",
    by: By = "",
    json: Json = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Have the meter refuse a key from its next request on; what does not pass through the meter goes on."""
    from flowy_watch.show import as_json

    _require(key)
    with desk_of(context, server, token_file) as desk:
        done = desk.block(key, by=me_or(by), why=why)
    taken = done.pop("taken")
    if json:
        say(as_json(done | {"alerts": [alert["id"] for alert in taken]}))
        return
    if not done["new"]:
        say(f"Already blocked by {done['by']} since {done['at']:%Y-%m-%d %H:%M} UTC: {done['key']}")
    else:
        say(f"Blocked at the meter: {done['key']}. Its next request there gets 401.")
        say("What does not pass through the meter goes on: revoke it in Flowy too (Settings → API keys → Revoke).")
    for alert in taken:
        say(f"  takes on alert {alert['id']}: {alert['title']}")


@app.command()
def unblock(
    context: typer.Context, key: Key, why: Why = "", by: By = "", server: Server = None, token_file: TokenFile = None
) -> None:
    """Let the meter pass a blocked key on again."""
    _require(key)
    with desk_of(context, server, token_file) as desk:
        done = desk.unblock(key, by=me_or(by), why=why)
    say(f"Let through again: {done['key']} (blocked by {done['by']} on {done['at']:%Y-%m-%d %H:%M} UTC)")


def _require(key: str) -> None:
    """Said before anything is opened: what is missing then is not the point."""
    if not key.strip():
        raise usage("KEY is empty: give the name, id, fingerprint or last four of a key")
