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
    settings_of,
    usage,
)


@app.command()
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
) -> None:
    """Acknowledge an alert: no more notices unless it gets worse (or until --for is over)."""
    from flowy_watch import actions
    from flowy_watch.app import open_store, telling_of
    from flowy_watch.show import as_json, state_fields

    if revoked and for_:
        raise usage("--revoked has no end: give it without --for")
    now, settings, me = now_utc(), settings_of(context), me_or(by)
    store, telling, until = open_store(settings), telling_of(settings), end_of(for_, None, now)
    try:
        if revoked:
            done, *others = actions.report_stop(store, alert, by=me, why=why, telling=telling, now=now)
        else:
            done, others = actions.acknowledge(store, alert, by=me, why=why, until=until, telling=telling, now=now), []
    finally:
        store.close()
    if json:
        say(as_json(state_fields(done)))
        return
    word = "Reported as revoked, to be checked by the next two polls:" if revoked else "Acknowledged"
    if not revoked and done.acknowledged_by != me:
        word = f"Already acknowledged by {done.acknowledged_by}, which stays; yours is in the log:"
    say(f"{word} {done.id}: {done.finding.title}")
    for other in others:
        say(f"  the same key, taken on too: {other.id}: {other.finding.title}")


@app.command()
def resolve(
    context: typer.Context,
    alert: AlertNumber,
    not_an_anomaly: Annotated[
        bool, typer.Option("--not-an-anomaly", help="Judge this key more leniently for five weeks.")
    ] = False,
    why: Why = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Say that an alert is over; it opens anew if a poll finds it again."""
    from flowy_watch import actions
    from flowy_watch.app import open_store, telling_of
    from flowy_watch.show import alert_fields, as_json

    settings = settings_of(context)
    store, telling = open_store(settings), telling_of(settings)
    done = actions.resolve(
        store, alert, by=me_or(by), why=why, no_anomaly=not_an_anomaly, telling=telling, now=now_utc()
    )
    store.close()
    say(as_json(alert_fields(done)) if json else f"Resolved {done.id}: {done.finding.title}")


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
) -> None:
    """Do not tell about keys that match, until then."""
    from flowy_watch import actions
    from flowy_watch.app import open_store
    from flowy_watch.core.alert import LIVES
    from flowy_watch.show import as_json

    now = now_utc()
    end = end_of(for_, until, now)
    if end is None:
        raise usage("a silence needs an end: --for 24h or --until TIME")
    if not pattern.strip():
        raise usage("a silence needs a pattern: a key's name or id, or * for everything")
    if kind and kind not in LIVES:
        raise usage(f"--kind must be one of {', '.join(LIVES)}")
    store = open_store(settings_of(context))
    made = actions.silence(store, pattern, until=end, kind=kind, by=me_or(by), why=why, now=now)
    store.close()
    fields = {"id": made.id, "pattern": made.pattern, "kind": made.kind, "until": made.until, "by": made.by}
    say(as_json(fields) if json else f"Silence {made.id} on {made.pattern} until {made.until:%Y-%m-%d %H:%M} UTC")


@app.command()
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
) -> None:
    """Say that a key's unusual use is wanted, until then: no alert that its use is odd or new."""
    from flowy_watch import actions
    from flowy_watch.app import open_store, telling_of
    from flowy_watch.core.silence import limit
    from flowy_watch.core.usage import credits_to_micro
    from flowy_watch.core.words import credit_words
    from flowy_watch.show import as_json

    now = now_utc()
    end = end_of(for_, until, now)
    if end is None:
        raise usage("an expectation needs an end: --until TIME or --for 24h")
    try:
        at_most = None if credits_ is None else credits_to_micro(credits_)
    except ValueError as error:
        raise usage(f"--credits {error}") from None
    settings = settings_of(context)
    store, telling = open_store(settings), telling_of(settings)
    try:
        made, taken = actions.expect(
            store, key, until=end, at_most=at_most, by=me_or(by), why=why, telling=telling, now=now
        )
    finally:
        store.close()
    if json:
        amount = None if made.credits_at_most is None else made.credits_at_most / 1e6
        fields = {"id": made.id, "key": made.pattern, "until": made.until, "credits": amount, "by": made.by}
        say(as_json(fields | {"alerts": [alert.id for alert in taken]}))
        return
    if made.credits_at_most is None:
        most = ", however much: nothing is known of its spend (--credits N sets an amount)"
    else:
        given = "" if at_most is not None else " (at its present pace, twice its usual day or half its cap)"
        told = credit_words(limit(made.credits_at_most))
        most = f", {credit_words(made.credits_at_most)} credits a UTC day{given}; beyond {told} you are told"
    say(f"Expected (silence {made.id}): {made.pattern} until {made.until:%Y-%m-%d %H:%M} UTC{most}")
    for alert in taken:
        say(f"  takes on alert {alert.id}: {alert.finding.title}")


@app.command()
def unsilence(context: typer.Context, silence_id: SilenceNumber, why: Why = "", by: By = "") -> None:
    """End a silence now; what is still open is told with the next poll."""
    from flowy_watch import actions
    from flowy_watch.app import open_store

    store = open_store(settings_of(context))
    actions.unsilence(store, silence_id, by=me_or(by), why=why, now=now_utc())
    store.close()
    say(f"Ended silence {silence_id}")
