"""The commands that stop a key at the meter, and let it through again."""

from typing import Annotated

import typer

from flowy_watch.cli.common import By, Json, Why, app, me_or, now_utc, say, settings_of, usage


def _named(key: str) -> str:
    if not key.strip():
        raise usage("name a key: by its name, id, fingerprint or last four")
    return key


Key = Annotated[
    str, typer.Argument(callback=_named, help="A key's name, id, fingerprint, or last four where no other has them.")
]


@app.command()
def block(context: typer.Context, key: Key, why: Why = "", by: By = "", json: Json = False) -> None:
    """Have the meter refuse a key from its next request on; what does not pass through the meter goes on."""
    from flowy_watch import actions
    from flowy_watch.app import open_ledger, open_store, telling_of
    from flowy_watch.show import as_json, block_fields

    settings = settings_of(context, to_look=True)
    ledger, telling = open_ledger(settings), telling_of(settings)
    store = open_store(settings)
    try:
        done = actions.block(store, ledger, key, by=me_or(by), why=why, telling=telling, now=now_utc())
    finally:
        store.close()
        ledger.close()
    if json:
        say(as_json(block_fields(done.block) | {"new": done.new, "alerts": [alert.id for alert in done.taken]}))
        return
    if not done.new:
        say(f"Already blocked by {done.block.by} since {done.block.at:%Y-%m-%d %H:%M} UTC: {done.words}")
    else:
        say(f"Blocked at the meter: {done.words}. Its next request there gets 401.")
        say("What does not pass through the meter goes on: revoke it in Flowy too (Settings → API keys → Revoke).")
    for alert in done.taken:
        say(f"  takes on alert {alert.id}: {alert.finding.title}")


@app.command()
def unblock(context: typer.Context, key: Key, why: Why = "", by: By = "") -> None:
    """Let the meter pass a blocked key on again."""
    from flowy_watch import actions
    from flowy_watch.app import open_ledger, open_store

    settings = settings_of(context, to_look=True)
    ledger = open_ledger(settings)
    store = open_store(settings)
    try:
        done = actions.unblock(store, ledger, key, by=me_or(by), why=why, now=now_utc())
    finally:
        store.close()
        ledger.close()
    say(f"Let through again: {done.words} (blocked by {done.block.by} on {done.block.at:%Y-%m-%d %H:%M} UTC)")
