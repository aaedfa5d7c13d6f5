"""The meter as a process: its socket, its signals, its event loop."""

import asyncio
import gc
import os
import resource
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import structlog

from flowy_watch.clock import Clock
from flowy_watch.errors import FlowyWatchError
from flowy_watch.meter.config import MeterConfig
from flowy_watch.meter.meter import Meter
from flowy_watch.notify_socket import NotifySocket

_BACKLOG = 1024
_FIRST = 3  # the descriptor that systemd hands over first (sd_listen_fds(3))

log = structlog.get_logger()


class CannotListen(FlowyWatchError):
    """The address is taken or not ours."""


class LedgerTaken(FlowyWatchError):
    """Another meter writes to it."""


def run_meter(config: MeterConfig, clock: Clock) -> None:
    """Serve until SIGTERM or SIGINT. Raises CannotListen and LedgerTaken."""
    with alone_with(config.ledger):
        _run_alone(config, clock)


def _run_alone(config: MeterConfig, clock: Clock) -> None:
    listener = listener_for(config.host, config.port, os.environ)
    _raise_file_limit(2 * config.limits.connections + 100)
    # Next to nothing here is garbage that refers to itself, and looking for it among a second's counts takes time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with listener, asyncio.Runner() as runner:
        runner.run(_serve(config, clock, listener))


async def _serve(config: MeterConfig, clock: Clock, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    notify = NotifySocket()

    def end() -> None:
        notify.tell("STOPPING=1")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    host, port = listener.getsockname()[:2]
    log.info("meter.listening", host=host, port=port, upstream=config.target.host)
    notify.tell("READY=1")
    await Meter(config, clock, alive=lambda: notify.tell("WATCHDOG=1")).run(listener, stop)
    log.info("meter.stopped")


@contextmanager
def alone_with(ledger: Path) -> Iterator[None]:
    """Hold the ledger for one meter: two would each let a key go up to its cap. It dies with the process.

    Where files cannot be locked the meter goes on: it is never the outage.
    """
    path = ledger.with_name(ledger.name + ".lock")
    with ExitStack() as held:
        try:
            lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            held.callback(os.close, lock)
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            advice = "stop that one, or point every server at it: caps and blocks are one meter's"
            raise LedgerTaken(f"another meter writes to {ledger}; {advice}") from None
        except OSError as error:
            log.warning("meter.ledger.not_locked", reason=error.strerror or type(error).__name__)
        yield


def listener_for(host: str, port: int, environ: Mapping[str, str]) -> socket.socket:
    """The socket of systemd's socket unit where there is one: clients wait in it while the meter is started anew."""
    if environ.get("LISTEN_PID") == str(os.getpid()) and environ.get("LISTEN_FDS", "").isdigit():
        return socket.socket(fileno=_FIRST)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}; change meter.listen") from error
    return listener


def _raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        with suppress(ValueError, OSError):
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
