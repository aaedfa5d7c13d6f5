"""The composition root: settings in, a closable App out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from functools import partial
from types import TracebackType

from flowy_watch.channels import CHANNELS
from flowy_watch.channels.base import Act, Channel, Listener, Listens
from flowy_watch.channels.email import EmailConfig
from flowy_watch.clock import Clock, SystemClock
from flowy_watch.core.edition import Edition
from flowy_watch.core.hours import Hours
from flowy_watch.core.period import Calendar, Span
from flowy_watch.core.press import Press
from flowy_watch.core.route import Telling
from flowy_watch.detectors import DETECTORS, Detector
from flowy_watch.jobs.check import knowledge
from flowy_watch.jobs.deliver import Postman
from flowy_watch.jobs.digest import DigestJob, Plan
from flowy_watch.jobs.poll import PollJob, Rules
from flowy_watch.ledger import Ledger
from flowy_watch.presses import pressed
from flowy_watch.render import Reader, Renderer
from flowy_watch.settings import Settings
from flowy_watch.sources import SOURCES
from flowy_watch.sources.base import Source
from flowy_watch.sources.several import Named, Several
from flowy_watch.store import Store


@dataclass(frozen=True, slots=True)
class App:
    """Everything that is open; closed in reverse."""

    settings: Settings
    clock: Clock
    store: Store
    source: Source
    channels: Mapping[str, Channel]
    poll: PollJob
    postman: Postman
    digest: DigestJob
    listeners: Sequence[Listener] = ()
    """Hear what people press; the daemon starts them."""

    def __enter__(self) -> "App":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()
        self.source.close()
        self.store.close()


def build_app(settings: Settings, *, clock: Clock | None = None, migrate: bool = True) -> App:
    """Open what the settings name. The database is brought to this version's schema. Raises StoreError."""
    polls_by = clock or SystemClock()
    store = open_store(settings, migrate=migrate)
    source = open_source(settings, polls_by)
    channels = open_channels(settings)
    rules = Rules(
        telling=telling_of(settings),
        rules_of=settings.rules_of,
        false_alarms_per_month=settings.workspace.false_alarms_per_month,
        rests_until=settings.rests_until,
        sources=frozenset(name for name, _ in settings.by_trust),
    )
    poll = PollJob(source, store, build_detectors(settings), rules)
    # Delivery lives by the real clock: its leases and pauses guard real sockets.
    postman = Postman(store, channels, build_renderer(settings), SystemClock(), quiet_hours=rules.telling.quiet_hours)
    digest = DigestJob(store, digest_plan(settings))
    act = partial(_act, settings=settings, store=store, clock=polls_by, postman=postman)
    return App(settings, polls_by, store, source, channels, poll, postman, digest, open_listeners(channels, act))


def _act(press: Press, *, settings: Settings, store: Store, clock: Clock, postman: Postman) -> str:
    said = pressed(
        store,
        press,
        telling=telling_of(settings),
        timezone=settings.workspace.zone,
        open_ledger=partial(open_ledger, settings),
        now=clock.now(),
    )
    postman.ring()
    return said


def open_listeners(channels: Mapping[str, Channel], act: Act) -> list[Listener]:
    able = (channel for channel in channels.values() if isinstance(channel, Listens))
    return [listener for channel in able if (listener := channel.listener(act))]


def telling_of(settings: Settings) -> Telling:
    """Who is told of what."""
    return Telling(
        routes=tuple(route.as_route() for route in settings.routes),
        owner_of=settings.owner_of,
        traits={name: CHANNELS[channel.kind].traits for name, channel in settings.channels.items()},
        quiet_hours={
            name: Hours.parse_daily(channel.quiet_hours)
            for name, channel in settings.channels.items()
            if channel.quiet_hours
        },
    )


def open_store(settings: Settings, *, migrate: bool = True) -> Store:
    store = Store(settings.store.url.get_secret_value())
    try:
        if migrate:
            store.migrate()
    except BaseException:
        store.close()
        raise
    return store


def open_source(settings: Settings, clock: Clock) -> Source:
    """The one there is, or all of them as one."""
    opened = [
        Named(name, SOURCES[one.kind](one.config, clock), knowledge(one.kind, one.config), one.match)
        for name, one in settings.by_trust
    ]
    return opened[0].source if len(opened) == 1 else Several(opened, lambda *key: settings.rules_of(*key).same_as)


def open_ledger(settings: Settings) -> Ledger:
    """The meter's, for blocks."""
    return Ledger(settings.ledger)


def open_channels(settings: Settings) -> dict[str, Channel]:
    return {name: CHANNELS[channel.kind](name, channel.config) for name, channel in settings.channels.items()}


def build_detectors(settings: Settings) -> list[Detector]:
    chosen = {name: settings.detectors[name] for name in DETECTORS}
    return [DETECTORS[name](detector.config) for name, detector in chosen.items() if detector.enabled]


def digest_plan(settings: Settings) -> Plan:
    weekday, time = settings.digest.calendar
    calendar = Calendar(weekday, time, settings.digest_zone)
    return Plan(editions(settings), calendar, settings.owner_of, send_empty=settings.digest.empty == "line")


def editions(settings: Settings) -> list[Edition]:
    """Who gets which digest: each mail recipient alone, so that whatever happens to one happens to that one."""
    found = []
    for span in Span if settings.digest.monthly else (Span.WEEK,):
        for owner, channels, recipients in settings.digest.audiences:
            for channel in channels:
                config = settings.channels[channel].config
                own = config.to if isinstance(config, EmailConfig) else ()
                to = [parseaddr(one)[1] for one in (recipients or own)] if own else [""]
                found += [Edition(channel, one, owner, span) for one in to]
    return list(dict.fromkeys(found))


def build_renderer(settings: Settings) -> Renderer:
    return Renderer(Reader(settings.workspace.name, settings.workspace.api_keys_url, settings.workspace.zone))
