"""The commands that show: state, alerts, and why each notice was sent or withheld."""

from typing import Annotated

import typer

from flowy_watch.cli.common import AlertNumber, Json, app, say, usage
from flowy_watch.cli.desk import Fields, Server, TokenFile, desk_of


@app.command(short_help="Show the state in one glance.")
def status(context: typer.Context, json: Json = False, server: Server = None, token_file: TokenFile = None) -> None:
    """Show the state in one glance: last poll, balance, open alerts, deliveries, keys."""
    from flowy_watch.show import as_json, print_status

    with desk_of(context, server, token_file) as desk:
        fields = desk.status()
    say(as_json(fields)) if json else print_status(fields)


@app.command()
def alerts(
    context: typer.Context,
    json: Json = False,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not resolved.")] = False,
    small: Annotated[bool, typer.Option("--small", help="What was odd and worth too little for an alert.")] = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """List alerts, newest first."""
    from flowy_watch.show import alerts_table, as_json, console

    if small:
        if open_only:
            raise usage("give --small or --open, not both")
        with desk_of(context, server, token_file) as desk:
            _say_small(desk.small(), json=json)
        return
    with desk_of(context, server, token_file) as desk:
        found = desk.alerts(unresolved=open_only)
    if json:
        say(as_json({"alerts": found}))
    elif found:
        console().print(alerts_table(found))
    else:
        say("No alerts.")


def _say_small(found: list[Fields], *, json: bool) -> None:
    from flowy_watch.show import as_json, small_words

    if json:
        say(as_json({"small_anomalies": found}))
    elif found:
        for one in found:
            say(small_words(one))
    else:
        say("No small anomalies.")


@app.command(short_help="Say what happened to an alert, and why it was told or not.")
def why(
    context: typer.Context, alert: AlertNumber, json: Json = False, server: Server = None, token_file: TokenFile = None
) -> None:
    """Say what happened to an alert and why each notice was sent or withheld."""
    from flowy_watch.show import as_json, figures_words, learned_words

    with desk_of(context, server, token_file) as desk:
        found = desk.story(alert)
    if json:
        say(as_json(found))
        return
    say(f"Alert {found['id']} ({found['severity']}, {found['status']}): {found['title']}")
    for words in found["evidence"]:
        say(f"  {words}")
    if found["figures"]:
        say(f"  Where its figures come from: {figures_words(found['figures'])}.")
    for price in found["learned_prices"]:
        say(f"  {learned_words(price)}.")
    for line in found["story"]:
        say(f"{line['at']:%Y-%m-%d %H:%M:%S} UTC  {line['line']}")
