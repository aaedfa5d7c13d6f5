"""The commands by which people act on alerts; what they do stands in `actions.py`."""

from typing import Annotated

import typer

from flowy_watch.cli.common import (
    AlertNumber,
    By,
    For,
    Json,
    SilenceNumber,
    Until,
    Why,
    app,
    end_of,
    me_or,
    now_utc,
    say,
    usage,
)
from flowy_watch.cli.desk import Server, TokenFile, desk_of

_MINUTE = "%Y-%m-%d %H:%M"


@app.command(short_help="Acknowledge an alert: it is yours, unless it gets worse.")
def ack(
    context: typer.Context,
    alert: AlertNumber,
    revoked: Annotated[
        bool, typer.Option("--revoked", help="You revoked its key: the next two polls check that it is quiet.")
    ] = False,
    why: Why = "",
    by: By = "",
    for_: For = None,
    json: Json = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Acknowledge an alert: no more notices unless it gets worse (or until --for is over)."""
    from flowy_watch.show import as_json

    if revoked and for_:
        raise usage("--revoked has no end: give it without --for")
    me, until = me_or(by), end_of(for_, None, now_utc())
    with desk_of(context, server, token_file) as desk:
        if revoked:
            done, others = desk.report_stop(alert, by=me, why=why)
        else:
            done, others = desk.acknowledge(alert, by=me, why=why, until=until), []
    if json:
        say(as_json(done))
        return
    word = "Reported as revoked, to be checked by the next two polls:" if revoked else "Acknowledged"
    if not revoked and done["acknowledged_by"] != me:
        word = f"Already acknowledged by {done['acknowledged_by']}, which stays; yours is in the log:"
    say(f"{word} {done['id']}: {done['title']}")
    for other in others:
        say(f"  the same key, taken on too: {other['id']}: {other['title']}")


@app.command(short_help="Say that an alert is over.")
def resolve(
    context: typer.Context,
    alert: AlertNumber,
    not_an_anomaly: Annotated[
        bool, typer.Option("--not-an-anomaly", help="Judge this key more leniently for five weeks.")
    ] = False,
    why: Why = "",
    by: By = "",
    json: Json = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Say that an alert is over; it opens anew if a poll finds it again."""
    from flowy_watch.show import as_json

    with desk_of(context, server, token_file) as desk:
        done = desk.resolve(alert, by=me_or(by), why=why, no_anomaly=not_an_anomaly)
    say(as_json(done) if json else f"Resolved {done['id']}: {done['title']}")


@app.command()
def silence(
    context: typer.Context,
    pattern: Annotated[str, typer.Argument(help="Key names or ids; * matches anything.")],
    for_: For = None,
    until: Until = None,
    kind: Annotated[str, typer.Option("--kind", help="Only alerts of this kind.")] = "",
    why: Why = "",
    by: By = "",
    json: Json = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Do not tell about keys that match, until then."""
    from flowy_watch.core.alert import LIVES
    from flowy_watch.show import as_json, nothing_called

    end = end_of(for_, until, now_utc())
    if end is None:
        raise usage("a silence needs an end: --for 24h or --until TIME")
    if not pattern.strip():
        raise usage("a silence needs a pattern: a key's name or id, or * for everything")
    if kind and kind not in LIVES:
        raise usage(f"--kind must be one of {', '.join(LIVES)}")
    with desk_of(context, server, token_file) as desk:
        made = desk.silence(pattern, by=me_or(by), why=why, kind=kind, until=end)
        unmet = not json and nothing_called(pattern, desk.status()["keys"])
    if json:
        say(as_json({name: made[name] for name in ("id", "pattern", "kind", "until", "by")}))
        return
    say(f"Silence {made['id']} on {made['pattern']} until {made['until']:{_MINUTE}} UTC")
    if unmet:
        say("  no key is called so at present; `flowy-watch status` lists them")


@app.command(short_help="Say that a key's unusual use is wanted, until then.")
def expect(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="A key's name or id; * matches anything.")],
    until: Until = None,
    for_: For = None,
    credits_: Annotated[
        float | None,
        typer.Option(
            "--credits",
            help="What it spends in a UTC day; half as much again is told. Default: at its present pace.",
            min=0,
        ),
    ] = None,
    why: Why = "",
    by: By = "",
    json: Json = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Say that a key's unusual use is wanted, until then: no alert that its use is odd or new."""
    from flowy_watch.core.silence import limit
    from flowy_watch.core.usage import credits_to_micro
    from flowy_watch.core.words import credit_words
    from flowy_watch.show import as_json

    end = end_of(for_, until, now_utc())
    if end is None:
        raise usage("an expectation needs an end: --until TIME or --for 24h")
    try:
        credits_to_micro(credits_ or 0)
    except ValueError as error:
        raise usage(f"--credits {error}") from None
    with desk_of(context, server, token_file) as desk:
        made, taken = desk.expect(key, by=me_or(by), why=why, credits_=credits_, until=end)
    if json:
        fields = {"id": made["id"], "key": made["pattern"], "until": made["until"], "credits": made["credits"]}
        say(as_json(fields | {"by": made["by"], "alerts": [alert["id"] for alert in taken]}))
        return
    if made["credits"] is None:
        most = ", however much: nothing is known of its spend (--credits N sets an amount)"
    else:
        given = "" if credits_ is not None else " (at its present pace, twice its usual day or half its cap)"
        amount = credits_to_micro(made["credits"])
        told = credit_words(limit(amount))
        most = f", {credit_words(amount)} credits a UTC day{given}; beyond {told} you are told"
    say(f"Expected (silence {made['id']}): {made['pattern']} until {made['until']:{_MINUTE}} UTC{most}")
    for alert in taken:
        say(f"  takes on alert {alert['id']}: {alert['title']}")


@app.command(short_help="End a silence now.")
def unsilence(
    context: typer.Context,
    silence_id: SilenceNumber,
    why: Why = "",
    by: By = "",
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """End a silence now; what is still open is told with the next poll."""
    with desk_of(context, server, token_file) as desk:
        desk.unsilence(silence_id, by=me_or(by), why=why)
    say(f"Ended silence {silence_id}")
