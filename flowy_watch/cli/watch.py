"""The commands that watch: the daemon, one poll, the way to its dashboard; and the simulated Flowy."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from threading import active_count
from typing import TYPE_CHECKING, Annotated

import typer

from flowy_watch.cli.common import By, Json, app, fail, me_or, now_utc, say, settings_of, usage
from flowy_watch.errors import FlowyWatchError

if TYPE_CHECKING:
    from flowy_watch.settings import Settings


@app.command(short_help="Watch until told to stop; SIGHUP reads the configuration.")
def run(
    context: typer.Context,
    no_web: Annotated[bool, typer.Option("--no-web", help="Without the dashboard.")] = False,
) -> None:
    """Watch until told to stop (SIGTERM); SIGHUP reads the configuration again."""
    import structlog

    from flowy_watch.app import App, build_app
    from flowy_watch.daemon import Daemon, share_one_heap
    from flowy_watch.notify_socket import NotifySocket

    share_one_heap()
    settings = settings_of(context, quiet=False)
    migrate_apart(settings)
    built = build_app(settings)

    def reload() -> App | None:
        log = structlog.get_logger()
        try:
            fresh = settings_of(context, quiet=False)
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


def migrate_apart(settings: "Settings") -> None:
    """Bring the schema up in a process of its own, so that what Alembic takes (9 MB) does not stay with the daemon.

    Should that fail, so will the daemon's own try, which says why.
    """
    from flowy_watch.app import open_store

    if active_count() > 1:
        return  # a fork would copy locks that other threads hold
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        open_store(settings).close()
    finally:
        os._exit(0)


@app.command("open", short_help="Print a link that signs in to the dashboard once.")
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

    settings, now = settings_of(context, to_look=True), now_utc()
    if not settings.web.enabled:
        raise fail("the dashboard is switched off; set web.enabled = true and restart flowy-watch run")
    store = open_store(settings)
    try:
        served = store.database.is_watched()
        code = make_link(store, role=Role.VIEWER if viewer else Role.OPERATOR, by=me_or(by), now=now)
    finally:
        store.close()
    url = f"{settings.web.public_url}/login/{code}"
    say(as_json({"url": url, "expires_at": now + LINK_LIVES}) if json else url)
    if not served:
        sys.stderr.write("flowy-watch: no daemon serves it at present; start one: flowy-watch run\n")


@app.command()
def poll(context: typer.Context, json: Json = False) -> None:
    """Do one poll, then deliver what is due."""
    from flowy_watch.app import build_app
    from flowy_watch.core.words import counted
    from flowy_watch.heartbeat import Heartbeat
    from flowy_watch.show import alert_fields, as_json

    settings = settings_of(context)
    url = settings.heartbeat.url
    with build_app(settings) as built, Heartbeat(url.get_secret_value() if url else "") as heartbeat:
        try:
            with heartbeat.after():
                built.poll.catch_up()
                polled = built.poll.run(now_utc())
            built.postman.deliver_due(within=timedelta(seconds=60))
            if built.digest.run(now_utc()):  # after the alerts: nothing about it may hold them up
                built.postman.deliver_due(within=timedelta(seconds=60))
        finally:
            if url:
                heartbeat.idle.wait(10)  # a ping that is on its way would end with the process
    changes = [{"change": t.change.value, **alert_fields(t.alert)} for t in polled.transitions]
    if json:
        fields = {"outcome": polled.outcome, "reason": polled.reason, "keys": polled.keys, "skipped": polled.skipped}
        say(as_json(fields | {"transitions": changes}))
    elif polled.outcome == "failed":
        raise fail(f"poll failed: {polled.reason}")
    else:
        note = f" ({polled.reason})" if polled.reason else ""
        found, changed = counted(polled.keys, "key"), counted(len(changes), "change")
        say(f"Poll {polled.outcome}{note}: {found}, {polled.skipped} skipped, {changed}")
        for entry in changes:
            say(f"  {entry['change']} {entry['id']}: {entry['title']}")
    if polled.outcome == "failed":
        raise typer.Exit(1)


@app.command(short_help="Serve a local Flowy.")
def simulate(
    scenario: Annotated[str, typer.Option("--scenario", help="What happens; see --list.")] = "ordinary",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = 8421,
    speed: Annotated[float, typer.Option("--speed", help="Simulated seconds per second.", min=0.01)] = 1.0,
    keys: Annotated[int | None, typer.Option("--keys", help="How many keys instead of the named ones.", min=1)] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="DIR", help="First write 45 days of snapshots into this folder."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False,
) -> None:
    """Serve a local Flowy: the documented API and the assumed usage contract."""
    from flowy_watch.demo import serve_simulator
    from flowy_watch.simulator import SCENARIOS

    if list_:
        for name, found in SCENARIOS.items():
            say(f"{name}: {found.story}")
        return
    if scenario not in SCENARIOS:
        raise usage(f"--scenario must be one of {', '.join(SCENARIOS)}")
    serve_simulator(scenario, port=port, speed=speed, keys=keys, history=history, say=say)


@app.command(short_help="Show the whole product on a simulated day.")
def demo(
    once: Annotated[bool, typer.Option("--once", help="End by itself; 0 if just the expected alerts came.")] = False,
    inbox: Annotated[Path, typer.Option("--inbox", help="Where messages are kept.")] = Path("inbox"),
) -> None:
    """Show the whole product on a simulated day: real HTTP, SQLite and SMTP, all on this machine."""
    from flowy_watch.demo import run_demo

    if not run_demo(inbox, once=once, environ=os.environ):
        raise typer.Exit(1)
