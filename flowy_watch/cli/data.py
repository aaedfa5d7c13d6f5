"""The commands about data: snapshots in and out, and the database."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flowy_watch.cli.common import Json, app, now_utc, say, settings_of, span_of, usage

db = typer.Typer(help="The database: info, upgrade, backup, prune.", no_args_is_help=True)
app.add_typer(db, name="db", rich_help_panel=None)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines, .gz too.")],
    workspace: Annotated[Path | None, typer.Option("--workspace", help="A file of at,balance.")] = None,
    json: Json = False,
) -> None:
    """Add snapshots from a file: key_id,name,at,spent_today,last_used_at,daily_cap[,status]."""
    from rich.console import Console
    from rich.progress import Progress

    from flowy_watch.app import open_store
    from flowy_watch.jobs.exchange import import_file
    from flowy_watch.show import as_json

    store = open_store(settings_of(context))
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Importing polls", total=None)
        done = import_file(
            store, file, workspace, now=now_utc(), progress=lambda n, of: bar.update(task, completed=n, total=of)
        )
    store.close()
    for line in done.bad[:20]:
        sys.stderr.write(f"line {line.number} skipped: {line.reason}\n")
    fields = {"polls": done.polls, "snapshots": done.snapshots, "known": done.known, "bad_lines": len(done.bad)}
    say(
        as_json(fields)
        if json
        else f"Imported {done.snapshots} snapshots in {done.polls} polls; {done.known} polls were known already; "
        f"{len(done.bad)} lines skipped"
    )


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
    store = open_store(settings_of(context))
    export_to(store, sys.stdout, since=start, form=format_)
    store.close()


@db.command("info")
def db_info(context: typer.Context, json: Json = False) -> None:
    """Say what is stored."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json

    store = open_store(settings_of(context))
    with store.read() as work:
        counts = work.usage.count()
    fields: dict[str, Any] = {"database": store.database.shown, "rows": counts}
    store.close()
    rows = "\n".join(f"  {name}: {count:,}" for name, count in counts.items())
    say(as_json(fields) if json else f"{fields['database']}\n{rows}")


@db.command("upgrade")
def db_upgrade(context: typer.Context) -> None:
    """Bring the schema to this version (`run` and `poll` do so by themselves)."""
    from flowy_watch.app import open_store

    open_store(settings_of(context)).close()
    say("The schema is up to date.")


@db.command("backup")
def db_backup(context: typer.Context, file: Path) -> None:
    """Copy a SQLite database to FILE while the daemon runs. PostgreSQL: use pg_dump."""
    from flowy_watch.app import open_store

    store = open_store(settings_of(context))
    store.database.backup(file)
    store.close()
    say(f"Wrote {file}")


@db.command("prune")
def db_prune(context: typer.Context) -> None:
    """Forget raw snapshots older than store.retain (the daemon does so every night)."""
    from flowy_watch.app import open_store
    from flowy_watch.jobs.prune import prune

    settings = settings_of(context)
    store = open_store(settings)
    polls, notices = prune(store, retain=settings.store.retain, now=now_utc())
    store.close()
    say(f"Forgot {polls} polls and {notices} notices")
