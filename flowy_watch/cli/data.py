"""The commands about data: snapshots in and out, and the database."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from flowy_watch.cli.common import Json, Mapping, a_file, app, mapped, now_utc, say, settings_of, span_of, usage

_SHOWN = 20  # bad lines that are named on a terminal

db = typer.Typer(help="The database: info, upgrade, backup, prune.", no_args_is_help=True)
app.add_typer(db, name="db", rich_help_panel=None)


@app.command("import", short_help="Add snapshots from a file.")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(callback=a_file, help="CSV or JSON Lines, .gz too.")],
    workspace: Annotated[
        Path | None, typer.Option("--workspace", callback=a_file, help="A file of at,balance.")
    ] = None,
    map_: Mapping = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a line had to be skipped.")] = False,
    json: Json = False,
) -> None:
    """Add snapshots from a file: key_id,name,at,spent_today,last_used_at,daily_cap[,status].

    Lines that cannot be believed are named and skipped. What is stored already stays, so an import that was
    interrupted may be started again. Unless a daemon runs, what the snapshots teach is learned here, too, so that the
    next start need not.
    """
    from rich.console import Console
    from rich.progress import Progress

    from flowy_watch.app import open_store
    from flowy_watch.core.words import counted
    from flowy_watch.jobs.exchange import import_file
    from flowy_watch.jobs.replay import learn
    from flowy_watch.show import as_json

    settings = settings_of(context, to_look=True)
    called = settings.import_.columns.called | mapped(map_)
    with (
        closing(open_store(settings)) as store,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("Reading", total=None)
        done = import_file(
            store,
            file,
            workspace,
            called=called,
            now=now_utc(),
            progress=lambda what, n, of: bar.update(task, description=what, completed=n, total=of),
        )
        if done.polls and not store.database.is_watched():
            bar.update(task, description="Learning", completed=0, total=None)
            learn(store)
    for line in done.bad[:_SHOWN]:
        sys.stderr.write(f"line {line.number} skipped: {line.reason}\n")
    if done.bad_lines > _SHOWN:
        sys.stderr.write(f"… and {done.bad_lines - _SHOWN:,} more lines skipped\n")
    if json:
        counts = {"polls": done.polls, "snapshots": done.snapshots, "known": done.known, "bad_lines": done.bad_lines}
        say(as_json(counts | {"bad": [{"line": line.number, "reason": line.reason} for line in done.bad]}))
    else:
        say(
            f"Imported {counted(done.snapshots, 'snapshot')} in {counted(done.polls, 'poll')}; "
            f"{counted(done.known, 'poll')} known already; {counted(done.bad_lines, 'line')} skipped"
        )
    if strict and done.bad_lines:
        raise typer.Exit(1)


@app.command()
def export(
    context: typer.Context,
    since: Annotated[str, typer.Option("--since", help="How far back: 30d.")] = "35d",
    format_: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
) -> None:
    """Write stored snapshots to standard output."""
    from flowy_watch.app import open_store
    from flowy_watch.jobs.exchange import export_to

    if format_ not in ("csv", "jsonl"):
        raise usage("--format must be csv or jsonl")
    start = now_utc() - span_of(since, "--since")
    store = open_store(settings_of(context, to_look=True))
    export_to(store, sys.stdout, since=start, form=format_)
    store.close()


@db.command("info")
def db_info(context: typer.Context, json: Json = False) -> None:
    """Say what is stored."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json

    store = open_store(settings_of(context, to_look=True))
    with store.read() as work:
        counts = work.usage.count()
    fields: dict[str, Any] = {"database": store.database.shown, "rows": counts}
    store.close()
    rows = "\n".join(f"  {name}: {count:,}" for name, count in counts.items())
    say(as_json(fields) if json else f"{fields['database']}\n{rows}")


@db.command("upgrade", short_help="Bring the schema to this version.")
def db_upgrade(context: typer.Context) -> None:
    """Bring the schema to this version (`run` and `poll` do so by themselves)."""
    from flowy_watch.app import open_store

    open_store(settings_of(context, to_look=True)).close()
    say("The schema is up to date.")


@db.command("backup")
def db_backup(context: typer.Context, file: Annotated[Path, typer.Argument(callback=a_file)]) -> None:
    """Copy a SQLite database to FILE while the daemon runs. PostgreSQL: use pg_dump."""
    from flowy_watch.app import open_store

    store = open_store(settings_of(context, to_look=True))
    store.database.backup(file)
    store.close()
    say(f"Wrote {file}")


@db.command("prune", short_help="Forget raw snapshots older than store.retain.")
def db_prune(context: typer.Context) -> None:
    """Forget raw snapshots older than store.retain (the daemon does so every night)."""
    from flowy_watch.app import open_store
    from flowy_watch.jobs.prune import prune

    settings = settings_of(context, to_look=True)
    store = open_store(settings)
    polls, notices = prune(store, retain=settings.store.retain, now=now_utc())
    store.close()
    say(f"Forgot {polls} polls and {notices} notices")
