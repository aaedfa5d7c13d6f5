"""The commands; prints, exits.

Longer than other files: one short function per command, and splitting them would hide which there are. What they need
is imported inside them, so that `--help` answers at once.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowy_watch import __version__
from flowy_watch.errors import FlowyWatchError

if TYPE_CHECKING:
    from flowy_watch.core.digest import Digest
    from flowy_watch.core.period import Period
    from flowy_watch.core.usage import Reading
    from flowy_watch.jobs.backtest import Backtest
    from flowy_watch.render.chart_page import Table
    from flowy_watch.settings import Settings

app = typer.Typer(
    name="flowy-watch",
    help="Watches what every Flowy API key spends and says how to revoke it when something is wrong.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="--config FILE may stand before or after the command. Exit codes: 0 done, 1 failed, 2 wrong usage.",
)
db = typer.Typer(help="The database: info, upgrade, backup, prune.", no_args_is_help=True)
app.add_typer(db, name="db", rich_help_panel=None)

SilenceNumber = Annotated[int, typer.Argument(metavar="ID", help="The silence's number.", min=1, max=2**30)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the log.")]
By = Annotated[str, typer.Option("--by", help="Who does it; default: your user name.")]
For = Annotated[str | None, typer.Option("--for", help="How long: 90s, 15m, 24h, 30d.")]
Until = Annotated[str | None, typer.Option("--until", help="An end, as ISO 8601.")]
AlertNumber = Annotated[int, typer.Argument(metavar="ALERT", help="The alert's number.", min=1, max=2**62)]


def main() -> None:
    """The entry point: errors of ours are one line on stderr and exit 1."""
    try:
        app(args=_config_first(sys.argv[1:]), prog_name="flowy-watch")
    except FlowyWatchError as error:
        from flowy_watch.core.redact import redact

        print(f"flowy-watch: {redact(str(error))}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _config_first(arguments: list[str]) -> list[str]:
    """Move `--config FILE` to the front, wherever it stands."""
    rest, found = list(arguments), []
    for place, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--config" and place + 1 < len(arguments):
            found = rest[place : place + 2]
            del rest[place : place + 2]
            break
        if argument.startswith("--config="):
            found = [rest.pop(place)]
            break
    return [*found, *rest]


def _version(wanted: bool) -> None:  # the form that Typer calls
    if wanted:
        _say(f"flowy-watch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="Default: $FLOWY_WATCH_CONFIG, else ./flowy-watch.toml.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    context.obj = config


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _fail(text: str) -> typer.Exit:
    sys.stderr.write(f"flowy-watch: {text}\n")
    return typer.Exit(1)


def _usage(text: str) -> typer.BadParameter:
    return typer.BadParameter(text)


def _settings(context: typer.Context, *, quiet: bool = True) -> "Settings":
    """Read the configuration and set up the log, which is silent for commands that answer by themselves."""
    from flowy_watch.log import configure
    from flowy_watch.settings import load

    settings = load(context.obj, environ=os.environ)
    configure("critical" if quiet else settings.log.level, settings.log.format, settings.secrets())
    return settings


def _now() -> datetime:
    from flowy_watch.clock import SystemClock

    return SystemClock().now()


def _me(by: str) -> str:
    from getpass import getuser

    from flowy_watch.core.usage import clean_name

    if by:
        return clean_name(by)
    try:
        return getuser()
    except (KeyError, OSError):
        return "somebody"


def _span(text: str, option: str) -> timedelta:
    from flowy_watch.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise _usage(f"{option}: {error}") from None


def _end(for_: str | None, until: str | None, now: datetime) -> datetime | None:
    """The instant that `--for` or `--until` names; None when neither is given."""
    if for_ and until:
        raise _usage("give --for or --until, not both")
    if for_:
        span = _span(for_, "--for")
        if not span:
            raise _usage("--for must be longer than nothing")
        return now + span
    if until is None:
        return None
    try:
        end = datetime.fromisoformat(until)
    except ValueError:
        raise _usage("--until must be ISO 8601, such as 2026-11-27T18:00+01:00") from None
    try:
        end = (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise _usage("--until lies beyond any calendar") from None
    if end <= now:
        raise _usage("--until lies in the past")
    return end


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
        raise _fail(f"{path} exists; --force overwrites it") from None
    except OSError as error:
        raise _fail(f"cannot write {path}: {error.strerror}") from None
    _say(f"Wrote {path}. Set source.token_file and a channel, then run: flowy-watch check")


@app.command()
def check(context: typer.Context, json: Json = False) -> None:
    """Check configuration, database, source and channels; say for each what to do."""
    from flowy_watch.app import build_app
    from flowy_watch.core.check import Check
    from flowy_watch.show import as_json

    settings = _settings(context)
    lines: list[tuple[str, Check]] = [("configuration", Check("readable", ok=True))]
    with build_app(settings) as built:
        lines.append(("database", Check("schema", ok=True, detail=built.store.database.shown)))
        lines += [("source", line) for line in built.source.check(_now())]
        for name, channel in built.channels.items():
            lines += [(f"channel {name}", line) for line in channel.check()]
    if not settings.channels:
        lines.append(("channels", Check("configured", ok=False, detail="nobody is told: add a [channels.…] section")))
    if json:
        _say(as_json([{"what": what, "name": c.name, "ok": c.ok, "detail": c.detail} for what, c in lines]))
    else:
        for what, c in lines:
            _say(f"{'ok  ' if c.ok else 'FAIL'}  {what}: {c.name}" + (f" – {c.detail}" if c.detail else ""))
    if not all(c.ok for _, c in lines):
        raise typer.Exit(1)


@app.command()
def run(
    context: typer.Context,
    no_web: Annotated[bool, typer.Option("--no-web", help="Without the dashboard.")] = False,
) -> None:
    """Watch until told to stop (SIGTERM); SIGHUP reads the configuration again."""
    import structlog

    from flowy_watch.app import App, build_app
    from flowy_watch.daemon import Daemon
    from flowy_watch.notify_socket import NotifySocket

    settings = _settings(context, quiet=False)
    built = build_app(settings)

    def reload() -> App | None:
        log = structlog.get_logger()
        try:
            fresh = _settings(context, quiet=False)
            if fresh.store.url != settings.store.url:
                log.error("reload.refused", reason="store.url changed: restart instead")
                return None
            again = build_app(fresh)
        except FlowyWatchError as error:
            log.error("reload.refused", reason=str(error))
            return None
        log.info("reload.done")
        return again

    if no_web:
        daemon = Daemon(built)
    else:
        from flowy_watch.web import beside

        daemon = Daemon(built, beside=beside)
    with built.store.database.watching():
        daemon.run(NotifySocket(), reload=reload)


@app.command("open")
def open_(
    context: typer.Context,
    viewer: Annotated[bool, typer.Option("--viewer", help="A link that may look and not act.")] = False,
    by: By = "",
    json: Json = False,
) -> None:
    """Print a link that signs in to the dashboard once, within ten minutes."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json
    from flowy_watch.web.identity import LINK_LIVES, make_link
    from flowy_watch.web.visit import Role

    settings, now = _settings(context), _now()
    if not settings.web.enabled:
        raise _fail("the dashboard is switched off; set web.enabled = true and restart flowy-watch run")
    store = open_store(settings)
    try:
        code = make_link(store, role=Role.VIEWER if viewer else Role.OPERATOR, by=_me(by), now=now)
    finally:
        store.close()
    url = f"{settings.web.public_url}/login/{code}"
    _say(as_json({"url": url, "expires_at": now + LINK_LIVES}) if json else url)


@app.command()
def poll(context: typer.Context, json: Json = False) -> None:
    """Do one poll, then deliver what is due."""
    from flowy_watch.app import build_app
    from flowy_watch.show import alert_fields, as_json

    with build_app(_settings(context)) as built:
        polled = built.poll.run(_now())
        built.postman.deliver_due(within=timedelta(seconds=60))
        if built.digest.run(_now()):  # after the alerts: nothing about it may hold them up
            built.postman.deliver_due(within=timedelta(seconds=60))
    changes = [{"change": t.change.value, **alert_fields(t.alert)} for t in polled.transitions]
    if json:
        fields = {"outcome": polled.outcome, "reason": polled.reason, "keys": polled.keys, "skipped": polled.skipped}
        _say(as_json(fields | {"transitions": changes}))
    elif polled.outcome == "failed":
        raise _fail(f"poll failed: {polled.reason}")
    else:
        note = f" ({polled.reason})" if polled.reason else ""
        _say(f"Poll {polled.outcome}{note}: {polled.keys} keys, {polled.skipped} skipped, {len(changes)} changes")
        for entry in changes:
            _say(f"  {entry['change']} {entry['id']}: {entry['title']}")
    if polled.outcome == "failed":
        raise typer.Exit(1)


@app.command()
def status(context: typer.Context, json: Json = False) -> None:
    """Show the state in one glance: last poll, balance, open alerts, deliveries, keys."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json, print_status, status_fields

    store = open_store(_settings(context))
    with store.read() as work:
        fields = status_fields(work, _now())
    store.close()
    _say(as_json(fields)) if json else print_status(fields)


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

    store = open_store(_settings(context))
    with store.read() as work:
        found = work.alerts.unresolved()[::-1] if open_only else work.alerts.all()
    store.close()
    if json:
        _say(as_json({"alerts": [alert_fields(alert) for alert in found]}))
    elif found:
        Console().print(alerts_table(found))
    else:
        _say("No alerts.")


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
        raise _usage("--revoked has no end: give it without --for")
    now, settings, me = _now(), _settings(context), _me(by)
    store, telling, until = open_store(settings), telling_of(settings), _end(for_, None, now)
    try:
        if revoked:
            done, *others = actions.report_stop(store, alert, by=me, why=why, telling=telling, now=now)
        else:
            done, others = actions.acknowledge(store, alert, by=me, why=why, until=until, telling=telling, now=now), []
    finally:
        store.close()
    if json:
        _say(as_json(state_fields(done)))
        return
    word = "Reported as revoked, to be checked by the next two polls:" if revoked else "Acknowledged"
    if not revoked and done.acknowledged_by != me:
        word = f"Already acknowledged by {done.acknowledged_by}, which stays; yours is in the log:"
    _say(f"{word} {done.id}: {done.finding.title}")
    for other in others:
        _say(f"  the same key, taken on too: {other.id}: {other.finding.title}")


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

    settings = _settings(context)
    store, telling = open_store(settings), telling_of(settings)
    done = actions.resolve(store, alert, by=_me(by), why=why, no_anomaly=not_an_anomaly, telling=telling, now=_now())
    store.close()
    _say(as_json(alert_fields(done)) if json else f"Resolved {done.id}: {done.finding.title}")


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

    now = _now()
    end = _end(for_, until, now)
    if end is None:
        raise _usage("a silence needs an end: --for 24h or --until TIME")
    if not pattern.strip():
        raise _usage("a silence needs a pattern: a key's name or id, or * for everything")
    if kind and kind not in LIVES:
        raise _usage(f"--kind must be one of {', '.join(LIVES)}")
    store = open_store(_settings(context))
    made = actions.silence(store, pattern, until=end, kind=kind, by=_me(by), why=why, now=now)
    store.close()
    fields = {"id": made.id, "pattern": made.pattern, "kind": made.kind, "until": made.until, "by": made.by}
    _say(as_json(fields) if json else f"Silence {made.id} on {made.pattern} until {made.until:%Y-%m-%d %H:%M} UTC")


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
    """Say that a key's unusual use is wanted, until then: no spike, ramp or last_used alert about it."""
    from flowy_watch import actions
    from flowy_watch.app import open_store, telling_of
    from flowy_watch.core.silence import limit
    from flowy_watch.core.usage import credits_to_micro
    from flowy_watch.core.words import credit_words
    from flowy_watch.show import as_json

    now = _now()
    end = _end(for_, until, now)
    if end is None:
        raise _usage("an expectation needs an end: --until TIME or --for 24h")
    try:
        at_most = None if credits_ is None else credits_to_micro(credits_)
    except ValueError as error:
        raise _usage(f"--credits {error}") from None
    settings = _settings(context)
    store, telling = open_store(settings), telling_of(settings)
    try:
        made, taken = actions.expect(
            store, key, until=end, at_most=at_most, by=_me(by), why=why, telling=telling, now=now
        )
    finally:
        store.close()
    if json:
        amount = None if made.credits_at_most is None else made.credits_at_most / 1e6
        fields = {"id": made.id, "key": made.pattern, "until": made.until, "credits": amount, "by": made.by}
        _say(as_json(fields | {"alerts": [alert.id for alert in taken]}))
        return
    if made.credits_at_most is None:
        most = ", however much: nothing is known of its spend (--credits N sets an amount)"
    else:
        given = "" if at_most is not None else " (at its present pace, twice its usual day or half its cap)"
        told = credit_words(limit(made.credits_at_most))
        most = f", {credit_words(made.credits_at_most)} credits a UTC day{given}; beyond {told} you are told"
    _say(f"Expected (silence {made.id}): {made.pattern} until {made.until:%Y-%m-%d %H:%M} UTC{most}")
    for alert in taken:
        _say(f"  takes on alert {alert.id}: {alert.finding.title}")


@app.command()
def unsilence(context: typer.Context, silence_id: SilenceNumber, why: Why = "", by: By = "") -> None:
    """End a silence now; what is still open is told with the next poll."""
    from flowy_watch import actions
    from flowy_watch.app import open_store

    store = open_store(_settings(context))
    actions.unsilence(store, silence_id, by=_me(by), why=why, now=_now())
    store.close()
    _say(f"Ended silence {silence_id}")


@app.command()
def why(context: typer.Context, alert: AlertNumber, json: Json = False) -> None:
    """Say what happened to an alert and why each notice was sent or withheld."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json, state_fields, story_lines

    store = open_store(_settings(context))
    with store.read() as work:
        found = work.alerts.get(alert)
        lines = story_lines(work, found) if found else []
    store.close()
    if found is None:
        raise _fail(f"there is no alert {alert}; `flowy-watch alerts` lists them")
    if json:
        _say(as_json(state_fields(found) | {"evidence": found.finding.evidence, "story": lines}))
        return
    _say(f"Alert {found.id} ({found.finding.severity.word}, {found.status.value}): {found.finding.title}")
    for words in found.finding.evidence:
        _say(f"  {words}")
    for line in lines:
        _say(f"{line['at']:%Y-%m-%d %H:%M:%S} UTC  {line['line']}")


@app.command()
def digest(
    context: typer.Context,
    week: Annotated[str | None, typer.Option("--week", metavar="2026-W47", help="Default: the last finished.")] = None,
    month: Annotated[str | None, typer.Option("--month", metavar="2026-10", help="A month instead.")] = None,
    owner: Annotated[str, typer.Option("--owner", help="Only the keys of this owner.")] = "",
    preview: Annotated[
        Path | None, typer.Option("--preview", metavar="FILE.html", help="Write what would be mailed, for a browser.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Print what a text-only mail program shows (default).")] = False,
    json: Json = False,
    send: Annotated[bool, typer.Option("--send", help="Send it now to all who get it and did not have it.")] = False,
    again: Annotated[bool, typer.Option("--again", help="With --send: also to those who had it.")] = False,
) -> None:
    """Show or send a finished week or month in numbers."""
    from flowy_watch.app import build_renderer, open_store
    from flowy_watch.core.edition import Edition, Issue
    from flowy_watch.core.message import Dialect, EmailMessage
    from flowy_watch.jobs.digest import digest_of
    from flowy_watch.render.digest_json import digest_fields
    from flowy_watch.render.digest_mail import page_of
    from flowy_watch.show import as_json

    if sum((preview is not None, text, json, send)) > 1:
        raise _usage("give one of --preview, --text, --json and --send")
    if again and not send:
        raise _usage("--again goes with --send")
    now = _now()
    period = _finished(week, month, now)
    settings = _settings(context)
    store = open_store(settings)
    try:
        with store.read() as work:
            whole = digest_of(work, period, owner_of=settings.owner_of, now=now, late_by=timedelta(0))
    finally:
        store.close()
    made = whole.for_owner(owner) if owner else whole
    if owner and not made.keys:
        raise _fail(f'no key of {period.name} belongs to {owner}; [keys."pattern"] owner says whose a key is')
    if json:
        _say(as_json(digest_fields(made)))
        return
    if send:
        _send_digest(settings, whole, owner, again=again)
        return
    mail = build_renderer(settings).render_digest(Issue(Edition("", owner=owner), made), Dialect.EMAIL)
    assert isinstance(mail, EmailMessage)
    if preview is None:
        _say(mail.text.rstrip("\n"))
        return
    try:
        preview.write_text(page_of(mail), encoding="utf-8")
    except OSError as error:
        raise _fail(f"cannot write {preview}: {error.strerror}") from None
    _say(f"Wrote {preview}: {mail.subject}")


def _send_digest(settings: "Settings", whole: "Digest", owner: str, *, again: bool) -> None:
    """Put it into the outbox for those who get it by the configuration, and deliver."""
    from flowy_watch.app import build_app, editions
    from flowy_watch.store.outbox import DEAD, SENT

    wanted = [one for one in editions(settings) if one.span is whole.period.span and one.owner == owner]
    if not wanted:
        section = "digest.editions" if owner else "digest.channels"
        raise _fail(f"nobody gets this digest; name channels in {section}")
    with build_app(settings) as built:
        issues = built.digest.send_now(whole, wanted, again=again)
        built.postman.deliver_due(within=timedelta(seconds=60))
        with built.store.read() as work:
            fates = {issue.edition: work.outbox.fate(issue.identity) for issue in issues}
    for one in wanted:
        where = one.channel + (f" ({one.recipient})" if one.recipient else "")
        status, reason = fates.get(one, ("", ""))
        if not status:
            _say(f"{where} had {whole.period.name} already; --again sends it once more")
        elif status == SENT:
            _say(f"{where}: sent {whole.period.name}" + (f" ({reason})" if reason else ""))
        else:
            trying = "" if status == DEAD else "; `run` and `poll` go on trying"
            _say(f"{where}: not delivered: {reason or 'not tried yet'}{trying}")
    if any(status not in ("", SENT) for status, _ in fates.values()):
        raise typer.Exit(1)


def _finished(week: str | None, month: str | None, now: datetime) -> "Period":
    from flowy_watch.core.period import Period, Span, last_finished

    if week and month:
        raise _usage("give --week or --month, not both")
    if not (week or month):
        return last_finished(Span.WEEK, now)
    option, span = ("--week", Span.WEEK) if week else ("--month", Span.MONTH)
    try:
        period = Period.parse(week or month or "")
    except ValueError:
        period = None
    if period is None or period.span is not span:
        raise _usage(f"{option} must be a {span.value} such as {'2026-W47' if week else '2026-10'}")
    if period.end_at > now:
        raise _usage(f"{period.name} is not over; a digest is of a finished {span.value}")
    return period


@app.command("notify-test")
def notify_test(context: typer.Context, channel: str) -> None:
    """Send a harmless test message through one channel."""
    from uuid import uuid4

    from flowy_watch.app import build_renderer, open_channels
    from flowy_watch.channels.base import Envelope

    settings = _settings(context)
    channels = open_channels(settings)
    if channel not in channels:
        raise _fail(f"no channel {channel} is configured; there are: {', '.join(channels) or 'none'}")
    target = channels[channel]
    message = build_renderer(settings).render_test(target.dialect, channel, _now())
    identity = uuid4().hex
    receipt = target.send(message, Envelope(identity, f"test-{identity}"))
    _say(f"Sent to {channel}." + (f" Refused: {', '.join(receipt.refused)}" if receipt.refused else ""))


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

    store = open_store(_settings(context))
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Importing polls", total=None)
        done = import_file(
            store, file, workspace, now=_now(), progress=lambda n, of: bar.update(task, completed=n, total=of)
        )
    store.close()
    for line in done.bad[:20]:
        sys.stderr.write(f"line {line.number} skipped: {line.reason}\n")
    fields = {"polls": done.polls, "snapshots": done.snapshots, "known": done.known, "bad_lines": len(done.bad)}
    _say(
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
        raise _usage("--format must be csv or jsonl")
    start = _now() - _span(since, "--since")
    store = open_store(_settings(context))
    export_to(store, sys.stdout, since=start, form=format_)
    store.close()


@app.command()
def backtest(
    context: typer.Context,
    snapshots: Annotated[Path | None, typer.Argument(metavar="[SNAPSHOTS.csv[.gz]]")] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="A file of at,balance.")] = None,
    last: Annotated[str | None, typer.Option("--last", help="From the database instead of a file: 30d.")] = None,
    sweep: Annotated[
        float | None,
        typer.Option("--sweep", metavar="WANTED", help="Find the setting for so many alerts about odd spend a month."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with a chart for each alert.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="DIR", help="Write each chart as a picture into a folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the same detectors over history: what would have been told, and what other settings would tell."""
    from flowy_watch import show
    from flowy_watch.jobs.backtest import FINE_SETTINGS, SETTINGS, setting_for

    if (snapshots is None) == (last is None):
        raise _usage("give a file of snapshots or --last, one of the two")
    if last and workspace:
        raise _usage("--workspace goes with a file; the database knows its balances")
    if sweep is not None and not 0 < sweep < float("inf"):
        raise _usage("--sweep must be a number of alerts above 0")
    settings = _settings_for_backtest(context, needed=last is not None)
    present = settings.workspace.false_alarms_per_month
    told = {} if json and not sweep and not html else dict.fromkeys((*SETTINGS, present))
    finer = FINE_SETTINGS if sweep else ()
    result = _replay(settings, snapshots, workspace, last, tried=(*told, *finer), scenes=bool(html or png))
    chosen = setting_for(sweep, result.settings) if sweep else None
    tables = (
        show.kinds_table(result.alerts, result.months),
        show.knob_table([one for one in result.settings if one.false_alarms_per_month in told], present),
    )
    if html:
        _write_page(html, result, tables)
    if png:
        _write_pictures(png, result)
    if json:
        fields = show.backtest_fields(result.alerts, result.polls, result.keys)
        if sweep:
            fields["settings"] = [show.setting_fields(one) for one in result.settings]
            fields["chosen"] = chosen and chosen.false_alarms_per_month
        _say(show.as_json(fields))
        return
    for alert in result.alerts:
        _say(f"{alert.opened_at:%Y-%m-%d %H:%M} UTC  {alert.finding.severity.word:8}  {alert.finding.title}")
    _say(f"{len(result.alerts)} alerts in {result.polls} polls of {result.keys} keys{show.period(result)}")
    for table in tables:
        show.print_table(table)
    if sweep:
        _say("\n" + show.sweep_words(sweep, chosen, result.settings))


def _settings_for_backtest(context: typer.Context, *, needed: bool) -> "Settings":
    """A file needs no configuration; the database has to be found."""
    from flowy_watch.errors import SettingsError
    from flowy_watch.settings import parse

    try:
        return _settings(context)
    except SettingsError:
        if needed or context.obj:
            raise
        return parse('source.token = "not used here"', environ={})


def _replay(
    settings: "Settings",
    snapshots: Path | None,
    workspace: Path | None,
    last: str | None,
    *,
    tried: Iterable[float],
    scenes: bool,
) -> "Backtest":
    """The history of a file, or of the database where there is none, with a bar on a terminal."""
    from contextlib import ExitStack, closing

    from rich.console import Console
    from rich.progress import Progress

    from flowy_watch.app import build_detectors, open_store
    from flowy_watch.jobs.backtest import backtest as replay
    from flowy_watch.sources.file import read_export

    readings: Iterable[Reading]
    with ExitStack() as stack:
        bar = stack.enter_context(Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()))
        task = bar.add_task("Reading", total=None)
        if snapshots:
            readings = read_export(snapshots, workspace).readings
            start, end = readings[0].taken_at, readings[-1].taken_at
        else:
            end = _now()
            start = end - _span(last or "", "--last")
            store = stack.enter_context(closing(open_store(settings)))
            readings = stack.enter_context(store.read()).usage.readings(start)
        bar.update(task, description="Replaying", total=(end - start).total_seconds())
        result = replay(
            readings,
            build_detectors(settings),
            settings.rules_of,
            settings.workspace.false_alarms_per_month,
            settings=tried,
            scenes=scenes,
            progress=lambda at: bar.update(task, completed=(at - start).total_seconds()),
        )
    if not result.polls:
        raise _fail(f"the database holds no snapshot of the last {last}; `flowy-watch import` adds some")
    return result


def _write_page(file: Path, result: "Backtest", tables: "Sequence[Table]") -> None:
    from flowy_watch import show
    from flowy_watch.render.chart_page import backtest_page

    summary = f"{len(result.alerts)} alerts in {result.polls:,} polls of {result.keys:,} keys{show.period(result)}."
    html = backtest_page("What flowy-watch would have told", summary, tables, result.scenes)
    try:
        file.write_text(html, encoding="utf-8")
    except OSError as error:
        raise _fail(f"cannot write {file}: {error.strerror}") from None


def _write_pictures(folder: Path, result: "Backtest") -> None:
    from flowy_watch.render.chart_alert import picture, picture_name

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for scene in result.scenes:
            (folder / picture_name(scene)).write_bytes(picture(scene))
    except OSError as error:
        raise _fail(f"cannot write {error.filename or folder}: {error.strerror}") from None


@app.command()
def simulate(
    scenario: Annotated[str, typer.Option("--scenario", help="What happens; see --list.")] = "ordinary",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = 8421,
    speed: Annotated[float, typer.Option("--speed", help="Simulated seconds per second.", min=0.01)] = 1.0,
    keys: Annotated[int | None, typer.Option("--keys", help="How many keys instead of the named ones.")] = None,
    history: Annotated[Path | None, typer.Option("--history", help="Write 45 days of snapshots there first.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False,
) -> None:
    """Serve a local Flowy: the documented API and the assumed usage contract."""
    from flowy_watch.demo import serve_simulator
    from flowy_watch.simulator import SCENARIOS

    if list_:
        for name, found in SCENARIOS.items():
            _say(f"{name}: {found.story}")
        return
    if scenario not in SCENARIOS:
        raise _usage(f"--scenario must be one of {', '.join(SCENARIOS)}")
    serve_simulator(scenario, port=port, speed=speed, keys=keys, history=history, say=_say)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End by itself; 0 if just the expected alerts came.")] = False,
    inbox: Annotated[Path, typer.Option("--inbox", help="Where messages are kept.")] = Path("inbox"),
) -> None:
    """Show the whole product on a simulated day: real HTTP, SQLite and SMTP, all on this machine."""
    from flowy_watch.demo import run_demo

    if not run_demo(inbox, once=once, environ=os.environ):
        raise typer.Exit(1)


@db.command("info")
def db_info(context: typer.Context, json: Json = False) -> None:
    """Say what is stored."""
    from flowy_watch.app import open_store
    from flowy_watch.show import as_json

    store = open_store(_settings(context))
    with store.read() as work:
        counts = work.usage.count()
    fields: dict[str, Any] = {"database": store.database.shown, "rows": counts}
    store.close()
    rows = "\n".join(f"  {name}: {count:,}" for name, count in counts.items())
    _say(as_json(fields) if json else f"{fields['database']}\n{rows}")


@db.command("upgrade")
def db_upgrade(context: typer.Context) -> None:
    """Bring the schema to this version (`run` and `poll` do so by themselves)."""
    from flowy_watch.app import open_store

    open_store(_settings(context)).close()
    _say("The schema is up to date.")


@db.command("backup")
def db_backup(context: typer.Context, file: Path) -> None:
    """Copy a SQLite database to FILE while the daemon runs. PostgreSQL: use pg_dump."""
    from flowy_watch.app import open_store

    store = open_store(_settings(context))
    store.database.backup(file)
    store.close()
    _say(f"Wrote {file}")


@db.command("prune")
def db_prune(context: typer.Context) -> None:
    """Forget raw snapshots older than store.retain (the daemon does so every night)."""
    from flowy_watch.app import open_store
    from flowy_watch.jobs.prune import prune

    settings = _settings(context)
    store = open_store(settings)
    polls, notices = prune(store, retain=settings.store.retain, now=_now())
    store.close()
    _say(f"Forgot {polls} polls and {notices} notices")


if __name__ == "__main__":
    main()
