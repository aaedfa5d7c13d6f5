"""Which job runs when: APScheduler and signals, nothing else."""

import ctypes
import gc
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from flowy_watch.app import App, open_ledger
from flowy_watch.errors import FlowyWatchError, Interrupted
from flowy_watch.heartbeat import Heartbeat
from flowy_watch.jobs.prices import learn_prices
from flowy_watch.jobs.prune import prune
from flowy_watch.notify_socket import NotifySocket

_STOP_WITHIN = timedelta(seconds=4)
_PRESSES_WITHIN = timedelta(seconds=1)  # for what was pressed just before
_BEAT = 1.0  # seconds between looks at signals; the watchdog is fed from the same loop
_LOOK_FOR_DIGESTS = 60.0
_LOOK_AT_BUTTONS = 2.0
_POLL = "poll"
_M_ARENA_MAX = -8  # malloc.h

log = structlog.get_logger()


class Daemon:
    """Runs until it is told to stop or to read its configuration again."""

    def __init__(
        self,
        app: App,
        *,
        poll_at: Callable[[], datetime] | None = None,
        beside: Callable[[App], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """`poll_at` tells each poll its instant; the App's clock does by default. `beside` runs while jobs do."""
        self._app = app
        self._poll_at = poll_at
        self._beside = beside
        self._stop, self._reload = Event(), Event()
        self._poll_began: float | None = None
        self._told_late: float | None = None
        self._heartbeat = Heartbeat()
        self._buttons: dict[str, str] = {}
        """What was last noted of the channels' buttons."""

    def run(self, notify: NotifySocket, *, reload: Callable[[], App | None] | None = None) -> None:
        """Work until SIGTERM or SIGINT. On SIGHUP `reload` gives a new App, or None to go on with this one."""
        with self._signals():
            self.serve(notify, reload=reload)

    def serve(self, notify: NotifySocket, *, reload: Callable[[], App | None] | None = None) -> None:
        """As `run`, without touching signals: ends after `stop`."""
        look_for_garbage_rarely()
        while not self._stop.is_set():
            with self._jobs(), self._beside(self._app):
                notify.tell("READY=1")
                log.info("daemon.ready", every=self._app.settings.poll.every.total_seconds())
                self._beat(notify)
            if self._reload.is_set() and not self._stop.is_set():
                self._reload.clear()
                notify.tell("RELOADING=1")
                if reload and (fresh := reload()):
                    self._app.close()
                    self._app = fresh
        notify.tell("STOPPING=1")
        self._app.source.close()  # else the process ends only after a poll that waits for an answer
        log.info("daemon.stopped")

    def stop(self) -> None:
        self._stop.set()

    def _beat(self, notify: NotifySocket) -> None:
        while not (self._stop.is_set() or self._reload.is_set()):
            self._stop.wait(_BEAT if not notify.watchdog else min(_BEAT, notify.watchdog.total_seconds() / 3))
            if not self._hung():
                notify.tell("WATCHDOG=1")

    def _hung(self) -> bool:
        """A poll bounds itself; one that runs ten minutes never will, and systemd should start us anew."""
        began = self._poll_began
        return began is not None and monotonic() - began > 600

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The old handlers come back at the end: tests and the demo run daemons in their own process."""
        wanted = {signal.SIGTERM: self._stop.set, signal.SIGINT: self._stop.set, signal.SIGHUP: self._reload.set}
        old = {number: signal.signal(number, lambda *_, act=act: act()) for number, act in wanted.items()}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    @contextmanager
    def _jobs(self) -> Iterator[None]:
        scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None})
        scheduler.add_listener(self._late, EVENT_JOB_MAX_INSTANCES)
        logging.getLogger("apscheduler.scheduler").addFilter(_not_about_late_jobs)
        every = self._app.settings.poll.every.total_seconds() / self._app.clock.speed
        scheduler.add_job(
            self._guarded(self._poll),
            IntervalTrigger(seconds=every, timezone=UTC),
            id=_POLL,
            next_run_time=datetime.now(UTC),  # noqa: TID251  # the scheduler's own clock
        )
        closing = CronTrigger(hour=23, minute=59, second=50, timezone=UTC)  # reads each cap day's last counters
        scheduler.add_job(self._guarded(self._poll), closing)
        look = IntervalTrigger(seconds=max(_LOOK_FOR_DIGESTS / self._app.clock.speed, 1), timezone=UTC)
        scheduler.add_job(self._guarded(self._digest), look)
        scheduler.add_job(self._guarded(self._prune), CronTrigger(hour=3, minute=17, timezone=UTC))
        scheduler.add_job(self._guarded(self._learn_prices), CronTrigger(minute=23, timezone=UTC))
        self._buttons = {}
        if self._app.listeners:
            look = IntervalTrigger(seconds=_LOOK_AT_BUTTONS, timezone=UTC)
            scheduler.add_job(self._guarded(self._note_buttons), look)
        beats = self._app.settings.heartbeat
        with Heartbeat(beats.url.get_secret_value() if beats.url else "", every=beats.every) as self._heartbeat:
            self._app.postman.start()
            for listener in self._app.listeners:
                listener.start()
            self._app.poll.leaving.clear()
            scheduler.start()
            try:
                yield
            finally:
                self._app.poll.leaving.set()
                scheduler.shutdown(wait=False)
                for listener in self._app.listeners:
                    listener.stop(within=_PRESSES_WITHIN)
                self._guarded(self._forget_buttons)()
                self._app.postman.stop(within=_STOP_WITHIN)

    def _guarded(self, job: Callable[[], None]) -> Callable[[], None]:
        """A job that fails is a line in the log and runs again at its next time."""

        def run() -> None:
            try:
                job()
            except FlowyWatchError as error:
                log.error("job.failed", job=job.__name__, reason=str(error))
            except Exception as error:  # the job wrapper: the daemon outlives any one job
                log.exception("job.crashed", job=job.__name__, error=type(error).__name__)

        return run

    def _late(self, event: JobSubmissionEvent) -> None:
        """A poll was due while the one before still ran: said once of each that takes so long."""
        began = self._poll_began
        if event.job_id == _POLL and began is not None and began != self._told_late:
            self._told_late = began
            log.warning("poll.late", running_for=round(monotonic() - began, 1), advice="is poll.every too short?")

    def _poll(self) -> None:
        self._alive()
        try:
            self._app.poll.catch_up(self._alive)
            with self._heartbeat.after():
                polled = self._app.poll.run((self._poll_at or self._app.clock.now)())
        except Interrupted as error:
            log.info("poll.interrupted", reason=str(error))
            return
        finally:
            self._poll_began = None
        if polled.waiting:
            self._app.postman.ring()

    def _alive(self) -> None:
        self._poll_began = monotonic()

    def _digest(self) -> None:
        """Which one is due stands in the database: a machine that slept over the hour sends it late, and once."""
        if self._app.digest.run(self._app.clock.now()):
            self._app.postman.ring()

    def _note_buttons(self) -> None:
        """Whether presses are heard, for `status` and /metrics."""
        self._noted({listener.name: listener.trouble for listener in self._app.listeners})

    def _forget_buttons(self) -> None:
        """Of a daemon that does not run there is nothing to say."""
        self._noted({})

    def _noted(self, troubles: dict[str, str]) -> None:
        if troubles != self._buttons:
            with self._app.store.write() as work:
                work.buttons.note(troubles, self._app.clock.now())
            self._buttons = troubles

    def _learn_prices(self) -> None:
        ledger = open_ledger(self._app.settings)
        try:
            learn_prices(self._app.store, ledger, self._app.clock.now())
        finally:
            ledger.close()

    def _prune(self) -> None:
        prune(self._app.store, retain=self._app.settings.store.retain, now=self._app.clock.now())


def _not_about_late_jobs(record: logging.LogRecord) -> bool:
    """The scheduler says it at every time it skips; `poll.late` says it once."""
    return "maximum number of running instances" not in record.getMessage()


def look_for_garbage_rarely() -> None:
    """For a process that polls. Reference counts free what a poll leaves; only cycles wait longer for their end."""
    # A poll makes 40,000 values at 10,000 keys: at Python's threshold of 700 it is interrupted over fifty times to
    # search them, and now and then all histories, for cycles that it does not make.
    gc.set_threshold(100_000, 20, 20)


def share_one_heap() -> None:
    """For a process with a dozen threads that mostly wait, before it starts them: with glibc each would get a heap of
    its own, which keeps what one busy moment took (10 MB in all)."""
    with suppress(OSError, AttributeError):  # another C library, which does not do that
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
