"""The only package that talks to a database. Rows never leave it for long: what comes out are values of the core."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from flowy_watch.store.alerts import Alerts
from flowy_watch.store.buttons import Buttons
from flowy_watch.store.commits import Commits
from flowy_watch.store.digests import Digests, Planned
from flowy_watch.store.engine import Database
from flowy_watch.store.knowledge import Knowledge
from flowy_watch.store.outbox import Claimed, Outbox, Page
from flowy_watch.store.sending import sending
from flowy_watch.store.sign_in import Guest, SignIns
from flowy_watch.store.small import SmallAnomalies
from flowy_watch.store.usage import Usage
from flowy_watch.store.views import Views


@dataclass(frozen=True, slots=True)
class Work:
    """The repositories of one transaction."""

    usage: Usage
    knowledge: Knowledge
    alerts: Alerts
    small: SmallAnomalies
    outbox: Outbox
    buttons: Buttons
    digests: Digests
    sign_ins: SignIns
    views: Views


class Store:
    """One database and its use cases' transactions. The use case opens them; repositories never commit."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)

    @contextmanager
    def write(self) -> Iterator[Work]:
        """Commits when the block ends, or nothing at all. Raises StoreError."""
        with self.database.write() as connection:
            yield _work(connection)

    @contextmanager
    def read(self) -> Iterator[Work]:
        """One consistent view; never waits for a writer."""
        with self.database.read() as connection:
            yield _work(connection)

    @contextmanager
    def sending(self, channel: str) -> Iterator[bool]:
        """Whether this process is the one that may send on the channel, until the block ends. Raises StoreError."""
        with sending(self.database, channel) as mine:
            yield mine

    def commits(self) -> Commits:
        """To see that somebody committed; close it."""
        return Commits(self.database)

    def migrate(self) -> None:
        self.database.migrate()

    def close(self) -> None:
        self.database.close()


def _work(connection: Connection) -> Work:
    return Work(
        Usage(connection),
        Knowledge(connection),
        Alerts(connection),
        SmallAnomalies(connection),
        Outbox(connection),
        Buttons(connection),
        Digests(connection),
        SignIns(connection),
        Views(connection),
    )


__all__ = [
    "Alerts",
    "Claimed",
    "Commits",
    "Digests",
    "Guest",
    "Knowledge",
    "Outbox",
    "Page",
    "Planned",
    "SignIns",
    "SmallAnomalies",
    "Store",
    "Usage",
    "Views",
    "Work",
]
