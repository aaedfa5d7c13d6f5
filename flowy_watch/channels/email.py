"""Mail over SMTP: each recipient alone, each told apart.

Longer than other files: headers, delivery and what an answer means are one protocol, and are read together.
"""

import hashlib
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from email import message as mime
from email.header import Header
from email.headerregistry import Address
from email.policy import SMTP as SMTP_POLICY
from email.utils import localtime, parseaddr
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from flowy_watch.channels.base import Envelope, Receipt
from flowy_watch.channels.smtp_session import SmtpSession
from flowy_watch.core.check import Check
from flowy_watch.core.message import Dialect, EmailMessage, Enclosure, Message
from flowy_watch.core.redact import HIDDEN, redact
from flowy_watch.core.route import Traits
from flowy_watch.errors import ChannelError, Doubtful, Refused, TryLater

LONGEST_SUBJECT = 400
BROKEN = (OSError, smtplib.SMTPException)  # what smtplib raises when a connection ends or never was

_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,80}@[!-;=?A-~]{1,255}>")
_POLICY = SMTP_POLICY.clone(cte_type="7bit")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


def _address(text: str) -> str:
    """Checks `ana@example.com` or `Ana <ana@example.com>`."""
    address = parseaddr(text)[1]  # forgiving: "a@b c" becomes "a@bc"
    whole = text == address or text.endswith(f"<{address}>")
    if not (whole and text.isprintable() and _ADDRESS.fullmatch(address)):
        raise ValueError("must be a mail address such as ana@example.com")
    return text


MailAddress: TypeAlias = Annotated[str, AfterValidator(_address)]


class EmailConfig(BaseModel):
    """`[channels.<name>]` with `kind = "email"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    host: str = Field(min_length=1)
    port: int = Field(default=0, ge=0, le=65535)
    """0: the usual port of `security` (587, 465 or 25)."""
    security: Security = Security.STARTTLS
    username: str = ""
    password: SecretStr = SecretStr("")
    from_: MailAddress = Field(alias="from")
    to: tuple[MailAddress, ...] = Field(min_length=1)
    ca_file: Path | None = None
    """Certificates to trust instead of the machine's own."""
    timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password belong together: set both or none")
        if self.username and self.security is Security.NONE and not _is_this_machine(self.host):
            raise ValueError('a password would travel unencrypted: set security to "starttls" or "tls"')
        return self


class EmailChannel:
    """Sends one mail to each recipient over one connection.

    Nobody sees the others, and whatever happens to one recipient happens to that one alone. When a message must be
    tried again, those with whom it is over are left out, and the next try begins with another of the rest: a mail to
    one of them that stalls the server does so last. Where a crash cost the memory of that, the `Message-ID` and the
    words, the same over every try, let the receiving side drop the double.

    Every mail of an alert answers the one before it and refers to the same made-up first message, so mail programs
    show them as one conversation whichever of them arrived. It is never itself sent: were the first mail to carry
    that id, two mails that both believe to be first would carry it, and servers drop the second as a double.

    The timeout covers the way to the first recipient and then each recipient anew; a server that stalls ends the try.
    """

    Config: ClassVar = EmailConfig
    dialect = Dialect.EMAIL
    traits = Traits()

    def __init__(self, name: str, config: EmailConfig) -> None:
        self.name = name
        self._config = config
        self._to = tuple(dict.fromkeys(parseaddr(to)[1] for to in config.to))
        self._sender = parseaddr(config.from_)

    def send(self, message: Message, envelope: Envelope) -> Receipt:
        if not isinstance(message, EmailMessage):
            raise Refused(f'channel "{self.name}" takes mail only; this is a bug of flowy-watch')
        recipients, settled = message.to or self._to, dict(envelope.settled)
        mail = self._compose(message, envelope)
        above = _subject(message.subject) + self._thread(envelope) + self._list(message.series)
        later = ""
        if waiting := [recipient for recipient in recipients if recipient not in settled]:
            first = (envelope.tries - 1) % len(waiting)
            with self._connected() as smtp:
                for recipient in (*waiting[first:], *waiting[:first]):
                    del mail["To"]
                    mail["To"] = recipient
                    later = self._deliver(smtp, recipient, above + mail.as_bytes(), settled) or later
        if later:
            raise TryLater(later, settled=settled)
        refused = {recipient: why for recipient, why in settled.items() if why}
        if len(refused) == len(settled):
            whom, why = next(iter(refused.items()))
            raise Refused(
                f'the mail server refused every recipient of channel "{self.name}" ({whom}: {why}); '
                f"fix channels.{self.name}.to"
            )
        return Receipt(str(mail["Message-ID"]), refused)

    def check(self) -> Iterator[Check]:
        name = f"channels.{self.name}"
        try:
            with self._connected() as smtp:
                code, _ = smtp.noop()
                secured = f"{smtp.sock.version()}" if isinstance(smtp.sock, ssl.SSLSocket) else "unencrypted"
        except ChannelError as error:
            yield Check(name, ok=False, detail=str(error))
            return
        except BROKEN:
            yield Check(name, ok=False, detail=f"the mail server of {name} hung up")
            return
        who = "logged in" if self._config.username else "no login"
        yield Check(name, ok=code == 250, detail=f"{self._config.host}:{self.port} answers, {secured}, {who}")

    def close(self) -> None:
        """No connection outlives a message."""

    @property
    def port(self) -> int:
        return self._config.port or PORTS[self._config.security]

    def _compose(self, message: EmailMessage, envelope: Envelope) -> mime.EmailMessage:
        domain = self._domain
        mail = mime.EmailMessage(policy=_POLICY)
        mail["Message-ID"] = f"<{_token(envelope.outbox_id)}@{domain}>"
        mail["Date"] = envelope.written_at or localtime()
        mail["From"] = Address(self._sender[0], addr_spec=self._sender[1])
        # RFC 3834: a machine wrote this, so no machine should answer. `Precedence` is left out: it is no standard,
        # and "bulk" sends alerts to where nobody looks.
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
        mail.set_content(message.text, cte="quoted-printable")
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
        _enclose(mail, message.enclosures)
        # Fixed, so that a second try is the same to the last byte.
        boxes = [part for part in mail.walk() if part.is_multipart()]
        for depth, part in enumerate(boxes):
            part.set_boundary(hashlib.sha256(f"{domain} {envelope.outbox_id} {depth}".encode()).hexdigest()[:40])
        return mail

    @property
    def _domain(self) -> str:
        return f"flowy-watch.{self._sender[1].rpartition('@')[2]}"

    def _thread(self, envelope: Envelope) -> bytes:
        """What holds a conversation together. As bytes, since EmailMessage keeps only the first of several ids."""
        root = f"<{_token(envelope.thread)}@{self._domain}>"
        before = envelope.after if _MESSAGE_ID.fullmatch(envelope.after) else ""
        answers = f"In-Reply-To: {before or root}\r\n" if before or not envelope.first else ""
        return f"{answers}References: {f'{root} {before}'.strip()}\r\n".encode("ascii")

    def _list(self, series: str) -> bytes:
        """The headers of a list (RFC 2369 and 2919). As bytes: folded, they would turn into encoded words."""
        if not series:
            return b""
        sender = self._sender[1]
        domain = sender.rpartition("@")[2]
        leave = f"<mailto:{sender}?subject=unsubscribe%20{series}>"
        return f"List-Id: <{series}.flowy-watch.{domain}>\r\nList-Unsubscribe: {leave}\r\n".encode("ascii")

    @contextmanager
    def _connected(self) -> Iterator[SmtpSession]:
        """A connection that is secured and logged in, or the reason why there is none."""
        smtp = SmtpSession(self._config.timeout.total_seconds())
        try:
            self._open(smtp)
            yield smtp
        finally:
            with suppress(*BROKEN):
                if smtp.sock:
                    smtp.patience(1)
                    smtp.docmd("QUIT")
            smtp.close()

    def _open(self, smtp: SmtpSession) -> None:
        config, name = self._config, self.name
        try:
            encrypted = config.security is not Security.NONE
            context = ssl.create_default_context(cafile=config.ca_file) if encrypted else None
        except OSError as error:
            raise Refused(f"channels.{name}.ca_file cannot be read as certificates") from error
        try:
            smtp.open(config.host, self.port, context if config.security is Security.TLS else None)
            if config.security is Security.STARTTLS:
                smtp.starttls(context=context)
                smtp.ehlo_or_helo_if_needed()
            if config.username:
                smtp.login(config.username, config.password.get_secret_value())
        except ssl.SSLCertVerificationError as error:
            raise Refused(
                f'the certificate of the mail server of channel "{name}" could not be verified '
                f"({error.verify_message}); fix channels.{name}.host or set channels.{name}.ca_file"
            ) from error
        except ssl.SSLError as error:
            if error.reason == "WRONG_VERSION_NUMBER":
                raise Refused(
                    f'the mail server of channel "{name}" does not speak TLS on port {self.port}; '
                    f"set channels.{name}.port or channels.{name}.security"
                ) from error
            raise TryLater(f'no secure connection to the mail server of channel "{name}"') from error
        except smtplib.SMTPNotSupportedError as error:
            option = "security" if config.security is Security.STARTTLS and not smtp.secured else "username"
            what = "STARTTLS" if option == "security" else "logging in"
            raise Refused(
                f'the mail server of channel "{name}" does not offer {what}; fix channels.{name}.{option}'
            ) from error
        except smtplib.SMTPAuthenticationError as error:
            # The server's words and the cause stay out: they may repeat what was sent.
            if error.smtp_code < 500:
                raise TryLater(f'channel "{name}" cannot log in just now ({error.smtp_code})') from None
            raise Refused(
                f'the mail server refused the login of channel "{name}" ({error.smtp_code}); '
                f"fix channels.{name}.username and channels.{name}.password"
            ) from None
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= 500:
                words = self._words(error.smtp_code, error.smtp_error)
                raise Refused(f'the mail server of channel "{name}" refused the connection ({words})') from None
            raise TryLater(f'the mail server of channel "{name}" is busy ({error.smtp_code})') from None
        except UnicodeEncodeError:  # carries what it could not encode, which may be the password
            raise Refused(f"channels.{name}: host, username and password must be plain ASCII") from None
        except BROKEN as error:
            raise TryLater(f'the mail server of channel "{name}" could not be reached') from error

    def _deliver(self, smtp: SmtpSession, recipient: str, mail: bytes, settled: dict[str, str]) -> str:
        """One mail to one recipient. Returns why it must be tried later, else nothing."""
        smtp.patience(self._config.timeout.total_seconds())
        try:
            steps = (f"MAIL FROM:<{self._sender[1]}>", f"RCPT TO:<{recipient}>", "DATA")
            for step in steps:
                code, answer = smtp.docmd(step)
                if code // 100 != (3 if step == "DATA" else 2):
                    with suppress(*BROKEN):
                        smtp.docmd("RSET")
                    return self._refused(step, recipient, code, answer, settled)
            smtp.send(re.sub(rb"(?m)^\.", b"..", mail) + b".\r\n")
        except BROKEN:
            return f'the mail server of channel "{self.name}" hung up'
        try:
            code, answer = smtp.getreply()
        except BROKEN as error:
            raise Doubtful(
                f'the mail server of channel "{self.name}" took the mail to {recipient} and gave no answer',
                settled=settled,
            ) from error
        if 400 <= code < 600:
            return self._refused("the mail", recipient, code, answer, settled)
        if code // 100 != 2:
            raise Doubtful(f'the mail server of channel "{self.name}" took the mail and talks no SMTP', settled=settled)
        settled[recipient] = ""
        return ""

    def _refused(self, step: str, recipient: str, code: int, answer: bytes, settled: dict[str, str]) -> str:
        words = self._words(code, answer)
        if 500 <= code < 600:
            whose = f"sender {self._sender[1]}: " if step.startswith("MAIL") else ""
            settled[recipient] = f"{whose}{words}"
            return ""
        return f'the mail server of channel "{self.name}" asks to wait with {recipient} ({words})'

    def _words(self, code: int, answer: bytes | str) -> str:
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        text = "".join(c if c.isprintable() else " " for c in redact(text))
        if password := self._config.password.get_secret_value():
            text = text.replace(password, HIDDEN)
        return f"{code} {text[:160]}".strip()


def _enclose(mail: mime.EmailMessage, enclosures: Sequence[Enclosure]) -> None:
    """Pictures beside the HTML that shows them, files beside it all."""
    html = mail.get_body(("html",))
    assert isinstance(html, mime.EmailMessage)  # it was put there a moment ago
    for file in enclosures:
        kind: dict[str, Any] = dict(zip(("maintype", "subtype"), file.media_type.split("/"), strict=True))
        named: dict[str, Any] = {"filename": file.name, "cte": "base64"}
        if kind["maintype"] == "text":
            named["params"] = {"charset": "utf-8"}  # else it means ASCII
        if file.inline:  # the first one makes the HTML a part among related ones
            html.add_related(file.content, cid=f"<{file.cid}>", disposition="inline", **kind, **named)
        else:
            mail.add_attachment(file.content, **kind, **named)


def _subject(text: str) -> bytes:
    """The header as it is sent. EmailMessage folds one of 70 to 78 characters into an empty first line, which some
    mail programs show as no subject, and doubles spaces where it encodes: plain words stay on their line instead (RFC
    5322 allows 998 characters), all others are encoded whole."""
    line = _one_line(text)[:LONGEST_SUBJECT]
    plain = line.isascii() and "=?" not in line  # a name that looks like an encoded word would be read as one
    encoded = line if plain else Header(line, "utf-8", maxlinelen=76, header_name="Subject").encode(linesep="\r\n")
    return f"Subject: {encoded}\r\n".encode("ascii")


def _token(name: str) -> str:
    """A name as the left part of a message id: itself where it may stand there, else its hash."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def _one_line(text: str) -> str:
    joiner = "\u200d"  # not printable, but it holds emoji together
    return " ".join("".join(c if c.isprintable() or c == joiner else " " for c in text).split())


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
