"""Where commands look and act: the database of this machine, or a daemon elsewhere by its API.

Both say the same in the same words: plain fields, with instants as datetimes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from flowy_watch.cli.common import a_file, fail, now_utc, settings_of, usage

if TYPE_CHECKING:
    from flowy_watch.actions import Blocked
    from flowy_watch.core.digest import Digest
    from flowy_watch.ledger import Ledger
    from flowy_watch.settings import Settings
    from flowy_watch.store import Store

Server = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL", envvar="FLOWY_WATCH_SERVER", help="Ask the daemon there instead of the database."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file", metavar="FILE", callback=a_file, help="Its web.token, for --server; else $FLOWY_WATCH_TOKEN."
    ),
]
Fields = dict[str, Any]


class Desk(Protocol):
    """Each act raises NotFound as `actions` does, and is done when it returns."""

    def status(self) -> Fields: ...
    def alerts(self, *, unresolved: bool) -> list[Fields]: ...
    def small(self) -> list[Fields]: ...
    def story(self, alert: int) -> Fields: ...
    def digest(self, period: str, owner: str) -> Fields: ...
    def digest_mail(self, period: str, owner: str) -> Fields: ...
    def acknowledge(self, alert: int, *, by: str, why: str, until: datetime | None) -> Fields: ...
    def report_stop(self, alert: int, *, by: str, why: str) -> tuple[Fields, list[Fields]]: ...
    def resolve(self, alert: int, *, by: str, why: str, no_anomaly: bool) -> Fields: ...
    def silence(self, pattern: str, *, by: str, why: str, kind: str, until: datetime) -> Fields: ...
    def expect(
        self, key: str, *, by: str, why: str, credits_: float | None, until: datetime
    ) -> tuple[Fields, list[Fields]]: ...
    def unsilence(self, silence: int, *, by: str, why: str) -> None: ...
    def block(self, key: str, *, by: str, why: str) -> Fields: ...
    def unblock(self, key: str, *, by: str, why: str) -> Fields: ...


@contextmanager
def desk_of(context: typer.Context, server: str | None, token_file: Path | None) -> Iterator[Desk]:
    """The daemon that `--server` names, else the configured database."""
    if server is None:
        if token_file is not None:
            raise usage("--token-file goes with --server")
        from flowy_watch.app import open_store

        settings = settings_of(context, to_look=True)
        store = open_store(settings)
        try:
            yield _Here(settings, store)
        finally:
            store.close()
        return
    from flowy_watch.cli.remote import Remote

    with Remote(server, _token(token_file)) as remote:
        yield remote


def _token(file: Path | None) -> str:
    """Never from the command line, where everybody on the machine could read it."""
    if file is None:
        token = os.environ.get("FLOWY_WATCH_TOKEN", "").strip()
        if not token:
            raise usage("--server needs its web.token: --token-file FILE, or $FLOWY_WATCH_TOKEN")
        return token
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"cannot read {file}: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if not token:
        raise fail(f"{file} is empty: it must hold the daemon's web.token")
    return token


class _Here:
    """The database itself; whether a daemon runs does not matter."""

    def __init__(self, settings: "Settings", store: "Store") -> None:
        from flowy_watch.app import telling_of

        self._store, self._telling, self._settings = store, telling_of(settings), settings

    def status(self) -> Fields:
        from flowy_watch.show import meter_fields, status_fields

        now = now_utc()
        with self._store.read() as work:
            return status_fields(work, now) | meter_fields(self._settings.ledger, now)

    def alerts(self, *, unresolved: bool) -> list[Fields]:
        from flowy_watch.show import alert_fields

        with self._store.read() as work:
            found = work.alerts.unresolved()[::-1] if unresolved else work.alerts.all()
        return [alert_fields(alert) for alert in found]

    def small(self) -> list[Fields]:
        from flowy_watch.show import small_fields

        with self._store.read() as work:
            return [small_fields(one) for one in work.small.latest()]

    def digest(self, period: str, owner: str) -> Fields:
        from flowy_watch.render.digest_json import digest_fields

        return digest_fields(self._digest(period, owner))

    def digest_mail(self, period: str, owner: str) -> Fields:
        from flowy_watch.app import build_renderer
        from flowy_watch.core.edition import Edition, Issue
        from flowy_watch.core.message import Dialect, EmailMessage
        from flowy_watch.render.digest_mail import page_of

        issue = Issue(Edition("", owner=owner), self._digest(period, owner))
        mail = build_renderer(self._settings).render_digest(issue, Dialect.EMAIL)
        assert isinstance(mail, EmailMessage)
        return {"subject": mail.subject, "text": mail.text, "html": page_of(mail)}

    def _digest(self, period: str, owner: str) -> "Digest":
        from flowy_watch.core.period import Period
        from flowy_watch.jobs.digest import asked_for

        with self._store.read() as work:
            return asked_for(work, Period.parse(period), owner, owner_of=self._settings.owner_of, now=now_utc())

    def story(self, alert: int) -> Fields:
        from flowy_watch.errors import NotFound
        from flowy_watch.show import state_fields, story_lines, sureness_fields

        with self._store.read() as work:
            found = work.alerts.get(alert)
            if found is None:
                raise NotFound(f"there is no alert {alert}; `flowy-watch alerts` lists them")
            told = {"evidence": found.finding.evidence, "story": story_lines(work, found)}
            return state_fields(found) | told | sureness_fields(work, found, self._settings.ledger, now_utc())

    def acknowledge(self, alert: int, *, by: str, why: str, until: datetime | None) -> Fields:
        from flowy_watch import actions
        from flowy_watch.show import state_fields

        return state_fields(
            actions.acknowledge(self._store, alert, by=by, why=why, until=until, telling=self._telling, now=now_utc())
        )

    def report_stop(self, alert: int, *, by: str, why: str) -> tuple[Fields, list[Fields]]:
        from flowy_watch import actions
        from flowy_watch.show import alert_fields, state_fields

        done, *others = actions.report_stop(self._store, alert, by=by, why=why, telling=self._telling, now=now_utc())
        return state_fields(done), [alert_fields(other) for other in others]

    def resolve(self, alert: int, *, by: str, why: str, no_anomaly: bool) -> Fields:
        from flowy_watch import actions
        from flowy_watch.show import alert_fields

        return alert_fields(
            actions.resolve(
                self._store, alert, by=by, why=why, no_anomaly=no_anomaly, telling=self._telling, now=now_utc()
            )
        )

    def silence(self, pattern: str, *, by: str, why: str, kind: str, until: datetime) -> Fields:
        from flowy_watch import actions
        from flowy_watch.show import silence_fields

        return silence_fields(
            actions.silence(self._store, pattern, until=until, kind=kind, by=by, why=why, now=now_utc())
        )

    def expect(
        self, key: str, *, by: str, why: str, credits_: float | None, until: datetime
    ) -> tuple[Fields, list[Fields]]:
        from flowy_watch import actions
        from flowy_watch.core.usage import credits_to_micro
        from flowy_watch.show import alert_fields, silence_fields

        at_most = None if credits_ is None else credits_to_micro(credits_)
        made, taken = actions.expect(
            self._store, key, until=until, at_most=at_most, by=by, why=why, telling=self._telling, now=now_utc()
        )
        return silence_fields(made), [alert_fields(alert) for alert in taken]

    def unsilence(self, silence: int, *, by: str, why: str) -> None:
        from flowy_watch import actions

        actions.unsilence(self._store, silence, by=by, why=why, now=now_utc())

    def block(self, key: str, *, by: str, why: str) -> Fields:
        from flowy_watch import actions

        telling = self._telling
        return self._at_meter(lambda s, m: actions.block(s, m, key, by=by, why=why, telling=telling, now=now_utc()))

    def unblock(self, key: str, *, by: str, why: str) -> Fields:
        from flowy_watch import actions

        return self._at_meter(lambda store, m: actions.unblock(store, m, key, by=by, why=why, now=now_utc()))

    def _at_meter(self, act: "Callable[[Store, Ledger], Blocked]") -> Fields:
        from flowy_watch.app import open_ledger
        from flowy_watch.show import blocked_fields

        with closing(open_ledger(self._settings)) as ledger:
            done = act(self._store, ledger)
        return blocked_fields(done.words, done.block, new=done.new, taken=done.taken)
