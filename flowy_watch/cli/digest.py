"""`digest`: a finished period in numbers, shown or sent."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowy_watch.cli.common import Json, a_file, app, fail, now_utc, say, settings_of, usage
from flowy_watch.cli.desk import Server, TokenFile, desk_of

if TYPE_CHECKING:
    from flowy_watch.core.period import Period
    from flowy_watch.settings import Settings


@app.command()
def digest(
    context: typer.Context,
    week: Annotated[str | None, typer.Option("--week", metavar="2026-W47", help="Default: the last finished.")] = None,
    month: Annotated[str | None, typer.Option("--month", metavar="2026-10", help="A month instead.")] = None,
    owner: Annotated[str, typer.Option("--owner", help="Only the keys of this owner.")] = "",
    preview: Annotated[
        Path | None,
        typer.Option(
            "--preview", metavar="FILE.html", callback=a_file, help="Write what would be mailed, for a browser."
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Print what a text-only mail program shows (default).")] = False,
    json: Json = False,
    send: Annotated[bool, typer.Option("--send", help="Send it now to all who get it and did not have it.")] = False,
    again: Annotated[bool, typer.Option("--again", help="With --send: also to those who had it.")] = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Show or send a finished week or month in numbers."""
    from flowy_watch.show import as_json

    if sum((preview is not None, text, json, send)) > 1:
        raise usage("give one of --preview, --text, --json and --send")
    if again and not send:
        raise usage("--again goes with --send")
    if send and server:
        raise usage("--send goes without --server: the daemon there sends by its calendar")
    period = _finished(week, month, now_utc())
    if send:
        _send_digest(settings_of(context), period, owner, again=again)
        return
    with desk_of(context, server, token_file) as desk:
        if json:
            say(as_json(desk.digest(period.name, owner)))
            return
        mail = desk.digest_mail(period.name, owner)
    if preview is None:
        say(mail["text"].rstrip("\n"))
        return
    try:
        preview.write_text(mail["html"], encoding="utf-8")
    except OSError as error:
        raise fail(f"cannot write {preview}: {error.strerror}") from None
    say(f"Wrote {preview}: {mail['subject']}")


def _send_digest(settings: "Settings", period: "Period", owner: str, *, again: bool) -> None:
    """Put it into the outbox for those who get it by the configuration, and deliver."""
    from flowy_watch.app import build_app, editions, open_store
    from flowy_watch.jobs.digest import digest_of, part_of
    from flowy_watch.store.outbox import DEAD, SENT

    store = open_store(settings)
    try:
        with store.read() as work:
            whole = digest_of(work, period, owner_of=settings.owner_of, now=now_utc(), late_by=timedelta(0))
    finally:
        store.close()
    if owner:
        part_of(whole, owner)
    wanted = [one for one in editions(settings) if one.span is whole.period.span and one.owner == owner]
    if not wanted:
        section = "digest.editions" if owner else "digest.channels"
        raise fail(f"nobody gets this digest; name channels in {section}")
    with build_app(settings) as built:
        issues = built.digest.send_now(whole, wanted, again=again)
        built.postman.deliver_due(within=timedelta(seconds=60))
        with built.store.read() as work:
            fates = {issue.edition: work.outbox.fate(issue.identity) for issue in issues}
    for one in wanted:
        where = one.channel + (f" ({one.recipient})" if one.recipient else "")
        status, reason = fates.get(one, ("", ""))
        if not status:
            say(f"{where} had {whole.period.name} already; --again sends it once more")
        elif status == SENT:
            say(f"{where}: sent {whole.period.name}" + (f" ({reason})" if reason else ""))
        else:
            trying = "" if status == DEAD else "; `run` and `poll` go on trying"
            say(f"{where}: not delivered: {reason or 'not tried yet'}{trying}")
    if any(status not in ("", SENT) for status, _ in fates.values()):
        raise typer.Exit(1)


def _finished(week: str | None, month: str | None, now: datetime) -> "Period":
    from flowy_watch.core.period import Period, Span, last_finished

    if week and month:
        raise usage("give --week or --month, not both")
    if not (week or month):
        return last_finished(Span.WEEK, now)
    option, span = ("--week", Span.WEEK) if week else ("--month", Span.MONTH)
    try:
        period = Period.parse(week or month or "")
    except ValueError:
        period = None
    if period is None or period.span is not span:
        raise usage(f"{option} must be a {span.value} such as {'2026-W47' if week else '2026-10'}")
    if period.end_at > now:
        raise usage(f"{period.name} is not over; a digest is of a finished {span.value}")
    return period
