"""Mail: security, recipients one by one, and headers that hold a conversation together."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMail
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flowy_watch.channels.email import EmailChannel, EmailConfig
from flowy_watch.core.message import EmailMessage, Enclosure
from flowy_watch.errors import Doubtful, Refused, TryLater
from flowy_watch.simulator.people import MailSink
from tests.builders import NOON

from .rigs import MAIL, PASSWORD, envelope

ANA, BEN, CAT = "ana@example.com", "ben@example.com", "cat@example.com"


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, signed by itself, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", *key, *names, "-days", "2"]
    made = subprocess.run(command, capture_output=True, check=True)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def channel_to(sink: MailSink, *to: str, **options: Any) -> EmailChannel:
    given = {"host": sink.host, "port": sink.port, "security": "none", "timeout": timedelta(seconds=5)}
    people = {"from": "Flowy Watch <watch@example.com>", "to": to or (ANA,)}
    return EmailChannel("mail", EmailConfig.model_validate(given | people | options))


def parsed(sink: MailSink, place: int = -1) -> ParsedMail:
    return message_from_bytes(sink.mails[place].raw, policy=policy.default)  # type: ignore[return-value]


def test_a_mail_has_a_text_and_an_html_part_and_asks_for_no_answer(sink: MailSink) -> None:
    channel_to(sink).send(MAIL, envelope())

    mail = parsed(sink)
    assert mail["Subject"] == "Hello"
    assert mail["From"] == "Flowy Watch <watch@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "AutoReply" in mail["X-Auto-Response-Suppress"]
    assert mail["Date"] is not None
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_pictures_travel_beside_the_html_that_shows_them_and_files_beside_it_all(sink: MailSink) -> None:
    day, week = (Enclosure(f"{name}.png", "image/png", name.encode(), inline=True) for name in ("day", "week"))
    table = Enclosure("keys.csv", "text/csv", "key,credits\nGrün,1\n".encode())
    html = f'<img alt="" src="cid:{day.cid}"><img alt="" src="cid:{week.cid}">'
    channel_to(sink).send(EmailMessage("Hello", "hello\n", html, (day, week, table)), envelope())

    mail = parsed(sink)
    kinds = [(part.get_content_type(), part["Content-ID"], part.get_filename()) for part in mail.walk()]
    assert kinds == [
        ("multipart/mixed", None, None),
        ("multipart/alternative", None, None),
        ("text/plain", None, None),
        ("multipart/related", None, None),
        ("text/html", None, None),
        ("image/png", "<day.png@flowy-watch>", "day.png"),
        ("image/png", "<week.png@flowy-watch>", "week.png"),
        ("text/csv", None, "keys.csv"),
    ]
    assert [part.get_content() for part in mail.iter_attachments()] == ["key,credits\nGrün,1\n"]
    assert [part.get_content() for part in mail.walk() if part.get_content_maintype() == "image"] == [b"day", b"week"]


def test_a_regular_mail_says_of_which_list_it_is_and_how_to_leave_it(sink: MailSink) -> None:
    channel_to(sink).send(EmailMessage("Hello", "hello\n", "<p>hello</p>", series="digest"), envelope())

    mail = parsed(sink)
    assert mail["List-Id"] == "<digest.flowy-watch.example.com>"
    assert mail["List-Unsubscribe"] == "<mailto:watch@example.com?subject=unsubscribe%20digest>"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_message_may_name_its_own_recipients(sink: MailSink) -> None:
    channel_to(sink, ANA).send(EmailMessage("Hello", "hello\n", "<p>hello</p>", to=(BEN, CAT)), envelope())

    assert [mail.recipient for mail in sink.mails] == [BEN, CAT]


def test_nobody_sees_the_other_recipients(sink: MailSink) -> None:
    channel_to(sink, ANA, f"Ben <{BEN}>").send(MAIL, envelope())

    assert [(mail.recipient, parsed(sink, place)["To"]) for place, mail in enumerate(sink.mails)] == [
        (ANA, ANA),
        (BEN, BEN),
    ]
    assert BEN.encode() not in sink.mails[0].raw


def test_every_try_of_a_message_is_the_same_mail_to_the_last_byte(sink: MailSink) -> None:
    channel = channel_to(sink)
    file = Enclosure("keys.csv", "text/csv", b"key,credits\n")
    message = replace(MAIL, enclosures=(file, replace(file, name="shown.csv", inline=True)))
    channel.send(message, envelope("n-7", written_at=NOON))
    channel.send(message, envelope("n-7", written_at=NOON))

    first, second = (mail.raw for mail in sink.mails)
    assert first == second
    assert parsed(sink)["Date"].datetime == NOON
    assert parsed(sink)["Message-ID"] == "<n-7@flowy-watch.example.com>"


def test_all_mails_of_an_alert_refer_to_the_same_conversation_and_differ_in_id(sink: MailSink) -> None:
    channel = channel_to(sink)
    channel.send(MAIL, envelope("n-7", first=True))
    channel.send(MAIL, envelope("n-8", first=False))

    first, second = parsed(sink, 0), parsed(sink, 1)
    assert first["References"] == second["References"] == second["In-Reply-To"] == "<alert-12@flowy-watch.example.com>"
    assert (first["Message-ID"], second["Message-ID"]) == (
        "<n-7@flowy-watch.example.com>",
        "<n-8@flowy-watch.example.com>",
    )
    assert first["In-Reply-To"] is None


def test_a_later_mail_answers_the_one_before_it_as_mail_programs_want_it(sink: MailSink) -> None:
    channel = channel_to(sink)
    opened = channel.send(MAIL, envelope("n-7", first=True))
    channel.send(MAIL, envelope("n-8", first=False, after=opened.remote_id))

    over = parsed(sink, 1)
    assert over["In-Reply-To"] == parsed(sink, 0)["Message-ID"] == "<n-7@flowy-watch.example.com>"
    assert over["References"].split() == ["<alert-12@flowy-watch.example.com>", "<n-7@flowy-watch.example.com>"]


def test_long_ids_stay_on_one_line_unencoded(sink: MailSink) -> None:
    sender = f"watch@{'long-' * 10}example.com"
    channel_to(sink, **{"from": sender}).send(MAIL, envelope("n" * 60, thread="alert/é" * 30, first=False))

    head = sink.mails[0].raw.split(b"\r\n\r\n")[0].split(b"\r\n")
    ids = [line for line in head if line.startswith((b"Message-ID:", b"References:", b"In-Reply-To:"))]
    assert len(ids) == 3
    assert all(line.endswith(b"example.com>") and b"=?" not in line for line in ids)


@pytest.mark.parametrize("nasty", ["\u2028", "\x0b", "\x85", "\r\nBcc: eve@example.com", "\x00", "\u202e"])
def test_no_character_in_a_subject_stops_the_mail_or_adds_a_header(sink: MailSink, nasty: str) -> None:
    channel_to(sink).send(EmailMessage(f"CRITICAL prod{nasty}render", "x\n", "<p>x</p>"), envelope())

    mail = parsed(sink)
    assert str(mail["Subject"]).startswith("CRITICAL prod ")
    assert mail["Bcc"] is None


def test_a_subject_in_any_language_arrives_whole(sink: MailSink) -> None:
    subject = "CRITICAL 🔑 ключ-アプリ " + "ü" * 80
    channel_to(sink).send(EmailMessage(subject, "x\n", "<p>x</p>"), envelope())

    assert sink.mails[0].subject == subject
    assert max(map(len, sink.mails[0].raw.splitlines())) <= 78


@pytest.mark.parametrize("length", [60, 69, 70, 75, 80, 110])
def test_a_plain_subject_stays_on_the_line_it_begins_on(sink: MailSink, length: int) -> None:
    subject = ("CRITICAL prod-render is at 96 % of its daily cap " * 3)[:length].rstrip()
    channel_to(sink).send(EmailMessage(subject, "x\n", "<p>x</p>"), envelope())

    assert f"Subject: {subject}".encode() in sink.mails[0].raw.splitlines()
    assert sink.mails[0].subject == subject


def test_lines_that_begin_with_a_dot_arrive_whole(sink: MailSink) -> None:
    channel_to(sink).send(EmailMessage("x", ".\n..two\n.one\n", "<p>x</p>"), envelope())

    body = parsed(sink).get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == [".", "..two", ".one"]


def test_one_bad_recipient_does_not_keep_it_from_the_others(sink: MailSink) -> None:
    sink.refuse(BEN, "550 no such mailbox")

    receipt = channel_to(sink, ANA, BEN, CAT).send(MAIL, envelope())

    assert [mail.recipient for mail in sink.mails] == [ANA, CAT]
    assert receipt.refused == {BEN: "550 no such mailbox"}


def test_all_recipients_bad_is_a_refusal_that_names_one(sink: MailSink) -> None:
    sink.refuse(ANA, "550 no such mailbox")
    sink.refuse(BEN, "553 no")

    with pytest.raises(Refused, match=r"ana@example\.com: 550 no such mailbox.*channels\.mail\.to"):
        channel_to(sink, ANA, BEN).send(MAIL, envelope())


def test_a_recipient_who_must_wait_is_tried_again_alone(sink: MailSink) -> None:
    channel = channel_to(sink, ANA, BEN, CAT)
    sink.refuse(BEN, "451 greylisted")
    with pytest.raises(TryLater, match=r"ben@example\.com") as later:
        channel.send(MAIL, envelope("n-7"))
    assert later.value.settled == {ANA: "", CAT: ""}
    sink.refuse(BEN, "")

    receipt = channel.send(MAIL, envelope("n-7", settled=later.value.settled))

    assert [mail.recipient for mail in sink.mails] == [ANA, CAT, BEN]
    assert receipt.refused == {}


def test_a_recipient_that_was_refused_is_not_asked_again_for_the_sake_of_one_who_must_wait(sink: MailSink) -> None:
    channel = channel_to(sink, ANA, BEN, CAT)
    sink.refuse(BEN, "550 no such mailbox")
    sink.refuse(CAT, "451 greylisted")
    with pytest.raises(TryLater) as later:
        channel.send(MAIL, envelope("n-7"))
    sink.refuse(CAT, "")

    receipt = channel.send(MAIL, envelope("n-7", settled=later.value.settled))

    assert (receipt.refused, sink.attempts) == ({BEN: "550 no such mailbox"}, (ANA, BEN, CAT, CAT))


def test_a_mail_that_stalls_the_server_comes_last_in_the_next_try(sink: MailSink) -> None:
    channel = channel_to(sink, ANA, BEN)
    for _ in range(2):
        sink.drop(taken=False)
    with pytest.raises(Doubtful):
        channel.send(MAIL, envelope("n-7", tries=1))
    with pytest.raises(Doubtful):
        channel.send(MAIL, envelope("n-7", tries=2))

    channel.send(MAIL, envelope("n-7", tries=2))

    assert sink.attempts == (ANA, BEN, BEN, ANA)


def test_a_doubt_about_one_recipient_does_not_repeat_the_mail_to_the_others(sink: MailSink) -> None:
    channel = channel_to(sink, ANA, BEN)
    channel.send(MAIL, envelope("n-6"))
    sink.refuse(BEN, "451 later")
    with pytest.raises(TryLater) as later:
        channel.send(MAIL, envelope("n-7"))
    sink.refuse(BEN, "")
    sink.drop(taken=True)
    with pytest.raises(Doubtful, match=r"ben@example\.com") as doubtful:
        channel.send(MAIL, envelope("n-7", settled=later.value.settled))

    channel.send(MAIL, envelope("n-7", settled=doubtful.value.settled))

    assert [mail.recipient for mail in sink.mails] == [ANA, BEN, ANA, BEN, BEN]


@pytest.mark.parametrize(("reply", "error"), [("554 spam", Refused), ("452 full", TryLater), ("421 bye", TryLater)])
def test_an_answer_after_the_data_is_believed(sink: MailSink, reply: str, error: type[Exception]) -> None:
    sink.answer(reply)

    with pytest.raises(error):
        channel_to(sink).send(MAIL, envelope())


def test_a_server_that_wants_a_login_is_a_refusal(certificate: Path) -> None:
    with MailSink(login=("watch", PASSWORD)) as sink, pytest.raises(Refused, match="530"):
        channel_to(sink).send(MAIL, envelope())


@pytest.mark.parametrize("starttls", [True, False])
def test_mail_goes_out_encrypted_and_logged_in(certificate: Path, starttls: bool) -> None:
    with MailSink(tls=server_side(certificate), starttls=starttls, login=("watch", PASSWORD)) as sink:
        security = {"security": "starttls" if starttls else "tls", "ca_file": certificate}
        channel = channel_to(sink, username="watch", password=PASSWORD, **security)
        channel.send(MAIL, envelope())

        assert len(sink.mails) == 1
        (line,) = channel.check()
        assert line.ok
        assert "TLSv1.3, logged in" in line.detail


@pytest.mark.parametrize("starttls", [True, False])
def test_a_certificate_nobody_vouches_for_is_refused(certificate: Path, starttls: bool) -> None:
    with MailSink(tls=server_side(certificate), starttls=starttls) as sink:
        channel = channel_to(sink, security="starttls" if starttls else "tls")
        with pytest.raises(Refused, match=r"certificate .* channels\.mail\.ca_file"):
            channel.send(MAIL, envelope())


def test_encryption_is_never_given_up(sink: MailSink) -> None:
    with pytest.raises(Refused, match=r"does not offer STARTTLS; fix channels\.mail\.security"):
        channel_to(sink, security="starttls").send(MAIL, envelope())
    with pytest.raises(Refused, match=r"does not speak TLS on port \d+"):
        channel_to(sink, security="tls").send(MAIL, envelope())
    assert sink.attempts == ()


def test_a_ca_file_that_cannot_be_read_is_named(sink: MailSink, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"channels\.mail\.ca_file"):
        channel_to(sink, security="tls", ca_file=tmp_path / "none.pem").send(MAIL, envelope())


def test_a_password_outside_ascii_is_refused_without_showing_it(certificate: Path) -> None:
    with MailSink(login=("watch", PASSWORD)) as sink, pytest.raises(Refused, match="plain ASCII") as caught:
        channel_to(sink, username="watch", password="pässwörd").send(MAIL, envelope())
    assert caught.value.__cause__ is None


def test_a_password_may_not_travel_unencrypted_to_another_machine() -> None:
    with pytest.raises(ValidationError, match="unencrypted"):
        EmailConfig.model_validate(
            {"host": "mail.example.com", "security": "none", "username": "u", "password": "p", "from": ANA, "to": [ANA]}
        )


@pytest.mark.parametrize("address", ["", "ana", "ana@", "ana@x\r\nBcc: eve@x", "a b@x.y", "@x.y", "ana@ex ample.com"])
def test_what_is_no_address_is_refused_by_the_configuration(address: str) -> None:
    with pytest.raises(ValidationError, match="mail address"):
        EmailConfig.model_validate({"host": "h", "from": ANA, "to": [address]})


def test_the_port_follows_the_security() -> None:
    options = {"host": "h", "from": ANA, "to": [ANA]}
    ports = [
        EmailChannel("mail", EmailConfig.model_validate(options | {"security": s})).port
        for s in ("starttls", "tls", "none")
    ]
    assert ports == [587, 465, 25]
