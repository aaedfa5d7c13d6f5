"""The commands that show: state, alerts, and why each notice was sent or withheld."""

from typing import Annotated

import typer

from flowy_watch.cli.common import AlertNumber, Json, app, fail, now_utc, say, settings_of


@app.command()
def status(context: typer.Context, json: Json = False) -> None:
    """Show the state in one glance: last poll, balance, open alerts, deliveries, keys."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json, print_status, status_fields

    store = open_store(settings_of(context))
    with store.read() as work:
        fields = status_fields(work, now_utc())
    store.close()
    say(as_json(fields)) if json else print_status(fields)


@app.command()
def alerts(
    context: typer.Context,
    json: Json = False,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not resolved.")] = False,
) -> None:
    """List alerts, newest first."""
    from rich.console import Console

    from flowy_watch.app import open_store
    from flowy_watch.show import alert_fields, alerts_table, as_json

    store = open_store(settings_of(context))
    with store.read() as work:
        found = work.alerts.unresolved()[::-1] if open_only else work.alerts.all()
    store.close()
    if json:
        say(as_json({"alerts": [alert_fields(alert) for alert in found]}))
    elif found:
        Console().print(alerts_table(found))
    else:
        say("No alerts.")


@app.command()
def why(context: typer.Context, alert: AlertNumber, json: Json = False) -> None:
    """Say what happened to an alert and why each notice was sent or withheld."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json, state_fields, story_lines

    store = open_store(settings_of(context))
    with store.read() as work:
        found = work.alerts.get(alert)
        lines = story_lines(work, found) if found else []
    store.close()
    if found is None:
        raise fail(f"there is no alert {alert}; `flowy-watch alerts` lists them")
    if json:
        say(as_json(state_fields(found) | {"evidence": found.finding.evidence, "story": lines}))
        return
    say(f"Alert {found.id} ({found.finding.severity.word}, {found.status.value}): {found.finding.title}")
    for words in found.finding.evidence:
        say(f"  {words}")
    for line in lines:
        say(f"{line['at']:%Y-%m-%d %H:%M:%S} UTC  {line['line']}")
