"""Flowy is spoken to over TLS, and only where its certificate is good."""

import asyncio
import shutil
import socket
import ssl
import struct
import subprocess
from fcntl import ioctl
from termios import TIOCOUTQ
from threading import Event, Thread

import pytest

from flowy_watch.meter.config import target_of
from tests.meter.rig import metered, request, run_of, until, whole


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and its key, signed by itself, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run([openssl, "req", "-x509", *key, *names, "-days", "2"], capture_output=True, check=True)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_an_upstream_is_trusted_by_its_certificate_alone(tmp_path, certificate, trusted):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    asked = []

    async def serve(reader, writer):
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.split(b"\r\n")[0])
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(whole(b"x" * 300_000, "202 Accepted"))
        writer.close()

    async def scenario():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with metered(tmp_path, target=target_of(url, certificate if trusted else None)) as rig:
            connection = await rig.connect()
            answers = [await connection.ask(run_of()) for _ in range(2)]
        server.close()
        return answers

    answers = asyncio.run(scenario())
    if trusted:
        assert [(answer.status, len(answer.body)) for answer in answers] == [(202, 300_000)] * 2
        assert len(asked) == 2
    else:
        error = b'{"error":"Flowy\'s certificate was not accepted (flowy-watch meter)"}'
        assert [(answer.status, answer.body) for answer in answers] == [(502, error)] * 2
        assert asked == []


def test_an_early_answer_over_tls_reaches_who_still_sends(tmp_path, certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    came, go = Event(), Event()

    def answer_early(listener):
        with tls.wrap_socket(listener.accept()[0], server_side=True) as serving:
            serving.recv(100)
            came.set()
            go.wait()
            serving.sendall(whole(b'{"error":"too large"}', "413 Payload Too Large", "Connection: close"))
            while struct.unpack("i", ioctl(serving, TIOCOUTQ, bytes(4)))[0]:
                pass  # not yet acknowledged: closing now could take it back
        # With most of the upload unread: whatever is sent after this is refused.

    async def scenario():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = Thread(target=answer_early, args=(listener,))
            thread.start()
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            async with metered(tmp_path, target=target_of(url, certificate)) as rig:
                connection = await rig.connect()
                connection.writer.write(request("/f", "PUT", b"x" * 400_000)[:200_000])
                await until(came.is_set)
                # Both at once, and not a turn of the loop between: the meter writes before it reads.
                connection.writer.write(b"x" * 100_000)
                go.set()
                thread.join()
                answer = await connection.answer()
                return answer.status, answer.body, await connection.closed()

    assert asyncio.run(scenario()) == (413, b'{"error":"too large"}', True)
