"""What the daemon says of itself: events with fields, to standard error, with every secret hidden."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from flowy_watch.core.redact import HIDDEN, redact

Level = Literal["debug", "info", "warning", "error", "critical"]
Format = Literal["auto", "json", "console"]

LIBRARIES = ("alembic", "apscheduler", "httpcore", "httpx", "slack_sdk", "sqlalchemy", "uvicorn", "uvicorn.error")
_SHORTEST = 4  # hiding a shorter "secret", such as a query's `1`, would hide half of every line


def configure(level: Level, format: Format, secrets: Iterable[str] = ()) -> None:
    """Set up our events, and those of libraries from WARNING on, for the whole process. May be called again.

    Exceptions are written without their local variables, which may hold secrets.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    for_machines = format == "json" or (format == "auto" and not sys.stderr.isatty())
    render: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if for_machines
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    ready: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _Hides(secrets),  # last: whatever is added above is hidden too
    ]
    structlog.configure(
        processors=[*ready, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_over_libraries(max(threshold, logging.WARNING), ready, render)


def hide_addresses() -> None:
    """httpx writes every URL to the log at INFO, and those of channels and of a sign of life hold secrets."""
    logging.getLogger("httpx").addFilter(_only_warnings)


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _take_over_libraries(threshold: int, ready: list[Processor], render: Processor) -> None:
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *ready,
                render,
            ],
            # The formatter's own text of an exception would go round the processors.
            keep_exc_info=False,
        )
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(threshold)
    # One line for each request, with its address in it.
    logging.getLogger("uvicorn.access").disabled = True


class _Handler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """Writes the line without its arguments; logging's own way is to print them as they are, secrets and all."""
        if record.args:  # else it is the stream that fails, and there is nowhere to say so
            record.args = None
            self.emit(record)


class _Hides:
    """Hides secrets, by their shape and by their value, in every text of an event."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        # The longest first: one secret may begin another.
        pattern = "|".join(re.escape(form) for form in sorted(known, key=len, reverse=True))
        self._hide: Callable[[str], str] = (lambda text: re.sub(pattern, HIDDEN, text)) if known else (lambda t: t)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {self._text(key): self._clean(value) for key, value in event.items()}

    def _text(self, text: str) -> str:
        return redact(self._hide(text))

    def _clean(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self._text(str(key)): self._clean(part) for key, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(part) for part in value]
        return self._text(str(value))


def _forms(secret: str) -> tuple[str, ...]:
    """As it is, and as other people's words quote it: in a repr, in one of bytes, in JSON, in an address."""
    return secret, repr(secret)[1:-1], repr(secret.encode())[2:-1], json.dumps(secret)[1:-1], quote(secret, safe="")
