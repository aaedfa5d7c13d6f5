"""Everything else, by the apprise package: Teams, Discord, Telegram, ntfy, Opsgenie and a hundred more."""

import logging
import re
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.core.check import Check
from flowy_watch.core.finding import Severity
from flowy_watch.core.message import Dialect, FactsMessage, Message
from flowy_watch.core.route import Traits
from flowy_watch.errors import Doubtful, Refused, SettingsError, TryLater

if TYPE_CHECKING:
    import apprise

MOST_PARTS = 4  # into which a message is split for a service that takes only short ones; then it is cut
SHORTEST_PART = 150

# Each service has its own words that ping everybody or hide a link; without these characters none of them works.
_LOOK_ALIKES = str.maketrans({"@": "＠", "<": "‹", ">": "›", "[": "［", "]": "］"})
_STATUS = re.compile(r"\berror\s?=\s?([1-5][0-9]{2})\b")
_NOTHING_SENT = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|ConnectionRefusedError|CertificateError|"
    r"CERTIFICATE_VERIFY_FAILED|ProxyError"
)
_LIBRARIES = ("apprise", "requests", "urllib3")


class AppriseConfig(BaseModel):
    """`[channels.<name>]` with `kind = "apprise"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(min_length=1)
    """One address as apprise writes them, such as `discord://…`; a secret, for the tokens in it."""
    timeout: timedelta = Field(default=timedelta(seconds=20), gt=timedelta(0))
    """For a whole message."""


class AppriseChannel:
    """Tells one service through apprise.

    At least once: no service can be asked whether a message arrived, and apprise says of a failure only what it
    logged. That is read here; what cannot be understood may have arrived, and is sent again.

    Names cannot ping or forge links: the characters that services use for it become their look-alikes.
    """

    Config: ClassVar = AppriseConfig
    dialect = Dialect.FACTS
    traits = Traits()

    def __init__(self, name: str, config: AppriseConfig) -> None:
        """Raises SettingsError when apprise is not installed or does not understand the address."""
        self.name = name
        self._seconds = config.timeout.total_seconds()
        try:
            import apprise
        except ImportError as error:
            raise SettingsError(
                f'channels.{name}.kind "apprise" needs the apprise package: pip install "flowy-watch[apprise]"'
            ) from error
        for library in _LIBRARIES:
            # They write addresses and tokens into their log lines.
            logging.getLogger(library).propagate = False
            logging.getLogger(library).addHandler(logging.NullHandler())  # without one they go to standard error
        self._apprise = apprise
        asset = apprise.AppriseAsset(http_redirects=False, service_timeout=0)
        # The words of apprise about a wrong address hold the address: they stay unread.
        service = apprise.Apprise.instantiate(config.url.get_secret_value(), asset=asset, suppress_exceptions=True)
        if not isinstance(service, apprise.NotifyBase):
            raise SettingsError(
                f"channels.{name}.url is no address that apprise understands, or its service needs a package more; "
                "the forms are listed at https://appriseit.com/services/"
            )
        # In no hierarchy, so that nobody hears it: what it says in detail is read from the result of a message.
        service.logger = logging.Logger("apprise", logging.DEBUG)
        service.logger.addHandler(logging.NullHandler())
        service.overflow_mode = apprise.OverflowMode.SPLIT
        service.retry = 0  # the outbox tries again, and it alone
        service.socket_connect_timeout = service.socket_read_timeout = 0.8 * self._seconds
        self._service = service
        self._sender = apprise.Apprise(asset=asset)
        self._sender.add(service)

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if not isinstance(message, FactsMessage):
            raise Refused(f'channel "{self.name}" takes facts only; this is a bug of flowy-watch')
        outcome: Future[apprise.AppriseResult] = Future()
        # A thread of its own, which is left behind when it takes too long: the limits of apprise itself run on a
        # pool that would hold up the end of the daemon.
        Thread(target=self._notify, args=(message, outcome), name=f"apprise-{self.name}", daemon=True).start()
        try:
            result = outcome.result(self._seconds)
        except TimeoutError:
            raise Doubtful(f'the service of channel "{self.name}" gave no answer in time') from None
        if not result:
            self._explain(entry.message for entry in result.logs())
        return Receipt()

    def check(self) -> Iterator[Check]:
        """That the host answers, where the address names a host: nothing can be tried without telling people."""
        name, known = f"channels.{self.name}", f"apprise knows it as {self._service.service_name}"
        # Elsewhere the "host" of the address is a token, which must not be looked up.
        if "host" in self._service.template_tokens and self._service.host and self._service.port:
            try:
                socket.create_connection((self._service.host, self._service.port), self._seconds).close()
            except OSError:
                yield Check(name, ok=False, detail=f"{known}; its host could not be reached")
                return
        yield Check(name, ok=True, detail=f"{known}; only notify-test shows whether it works")

    def close(self) -> None:
        """Nothing stays open between two messages."""

    def _notify(self, message: FactsMessage, outcome: "Future[apprise.AppriseResult]") -> None:
        try:
            result = self._sender.notify(
                body=self._body(message),
                title=message.title.translate(_LOOK_ALIKES),
                notify_type=self._type(message),
                body_format=self._apprise.NotifyFormat.TEXT,
                interpret_escapes=False,
                log_level=logging.DEBUG,
            )
            outcome.set_result(result)
        except BaseException as error:  # noqa: BLE001  # carried over to the thread that waits for it
            outcome.set_exception(error)

    def _body(self, message: FactsMessage) -> str:
        """The text without the line that is the title already."""
        first, _, rest = message.text.partition("\n\n")
        body = rest if " ".join(first.split()) == message.title and rest.strip() else message.text
        part = max(self._service.body_maxlen - len(message.title), SHORTEST_PART)
        tame = body.strip().translate(_LOOK_ALIKES)
        return tame if len(tame) <= MOST_PARTS * part else tame[: MOST_PARTS * part - 1] + "…"

    def _type(self, message: FactsMessage) -> "apprise.NotifyType":
        types = self._apprise.NotifyType
        if message.about and all(each.change.ends for each in message.about):
            return types.SUCCESS
        worst = max((each.alert.finding.severity for each in message.about), default=Severity.INFO)
        return {Severity.CRITICAL: types.FAILURE, Severity.WARNING: types.WARNING}.get(worst, types.INFO)

    def _explain(self, lines: Iterable[str]) -> None:
        """Raises what the log of a failed message comes to; nothing of its words is shown."""
        said = list(lines)
        name = self.name
        broken = [line for line in said if "exception" in line.lower()]
        if any(not _NOTHING_SENT.search(line) for line in broken):
            raise Doubtful(f'the service of channel "{name}" gave no answer after the message was sent')
        statuses = [int(found[1]) for line in said if (found := _STATUS.search(line))]
        if 504 in statuses:
            raise Doubtful(f'the service of channel "{name}" stumbled over a message and may have posted it')
        if any(status >= 500 or status in (408, 425, 429) for status in statuses):
            raise TryLater(f'the service of channel "{name}" has trouble or asks to wait (HTTP {max(statuses)})')
        if statuses:
            raise Refused(
                f'the service of channel "{name}" refused (HTTP {max(statuses)}); are the address and the tokens in '
                f"channels.{name}.url right?"
            )
        if broken:
            raise TryLater(f'the service of channel "{name}" could not be reached')
        raise TryLater(
            f'apprise could not tell the service of channel "{name}", and not why; is channels.{name}.url right?'
        )
