"""The meter as people run it: a process in front of the simulated Flowy, ended politely and not."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from flowy_watch.clock import SystemClock
from flowy_watch.core.usage import day_start
from flowy_watch.ledger import Ledger
from flowy_watch.simulator import SimulatorServer, make_world

LONG = float(os.environ.get("METER_SECONDS", "0"))  # of load before the kill; then the last second is measured too


@pytest.fixture
def flowy():
    now = SystemClock().now()
    with SimulatorServer(make_world(start=day_start(now.date())), SystemClock()) as server:
        yield server


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@contextmanager
def metering(folder, upstream, port):
    options = {"LISTEN": f"127.0.0.1:{port}", "UPSTREAM": upstream, "LEDGER": str(folder / "meter.db")}
    environ = os.environ | {f"FLOWY_WATCH__METER__{name}": value for name, value in options.items()}
    command = [sys.executable, "-m", "flowy_watch", "meter"]
    process = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        assert "meter.listening" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def today(folder):
    with Ledger(folder / "meter.db") as ledger:
        return {key.last_four: key.counts for key in ledger.keys(SystemClock().now().date())}


def requests(folder):
    return sum(counts.requests for counts in today(folder).values())


def test_it_counts_what_the_simulated_flowy_answers_and_drains_on_sigterm(tmp_path, flowy):
    port = free_port()
    key = next(iter(flowy.world.keys))
    with metering(tmp_path, flowy.base_url, port) as process:
        base = flowy.base_url.replace(flowy.base_url.split("/")[2], f"127.0.0.1:{port}")
        headers = {"Authorization": f"Bearer {key.secret}"}
        with httpx.Client(base_url=base, headers=headers) as through, httpx.Client(base_url=flowy.base_url) as direct:
            apps = through.get("/apps")
            assert apps.json()["data"] == direct.get("/apps", headers=headers).json()["data"]
            app_id = apps.json()["data"][0]["id"]
            run = through.post(f"/apps/{app_id}/runs", json={"inputs": {}})
            wrong = through.get("/apps", headers={"Authorization": "Bearer flw_sk_wrong_0123456789"})
            assert wrong.json() == direct.get("/apps", headers=wrong.request.headers).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    counts = today(tmp_path)
    assert (counts[key.secret[-4:]].requests, counts[key.secret[-4:]].runs) == (2, int(run.status_code == 202))
    assert counts["6789"].answers_401 == 1


def test_a_kill_costs_at_most_the_last_second_of_counts_and_nothing_after_the_restart(tmp_path, flowy):
    port, answered, stop = free_port(), [], threading.Event()
    headers = {"Authorization": f"Bearer {next(iter(flowy.world.keys)).secret}"}

    def client():
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as session:
            while not stop.is_set():
                session.get("/apps")
                answered.append(time.monotonic())

    def load():
        try:
            client()
        except httpx.TransportError:
            return  # what was under way at the kill

    with metering(tmp_path, flowy.base_url, port) as process:
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        stop.wait(LONG)
        while not (seen := requests(tmp_path)):
            stop.wait(0.05)
        process.kill()
        killed = time.monotonic()
        for thread in threads:
            thread.join()
    written = requests(tmp_path)
    assert seen <= written <= len(answered) + 4
    assert not LONG or written >= sum(at < killed - 1 for at in answered)
    before = len(answered)
    with metering(tmp_path, flowy.base_url, port) as process:
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        client()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert requests(tmp_path) == written + len(answered) - before


def test_a_socket_from_systemd_is_served_and_clients_wait_in_it(tmp_path, flowy):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = "import os,sys; os.environ['LISTEN_PID']=str(os.getpid()); os.dup2(int(sys.argv[1]), 3)\n"
        script += "from flowy_watch.cli import main; sys.argv[1:]=['meter']; main()"
        environ = {"FLOWY_WATCH__METER__UPSTREAM": flowy.base_url, "FLOWY_WATCH__METER__LEDGER": "m.db"}
        waiting = socket.create_connection(listener.getsockname())
        waiting.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(listener.fileno())], cwd=tmp_path, stderr=subprocess.DEVNULL,
            env=os.environ | environ | {"LISTEN_FDS": "1"}, pass_fds=[listener.fileno()],
        )  # fmt: skip
        assert waiting.recv(12) == b"HTTP/1.1 200"
        waiting.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
