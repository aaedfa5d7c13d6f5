"""From a press of "Block at the meter" in Slack to the first 401: the daemon, the meter and Slack each as they run.

Run: python bench/press.py [TIMES]
"""

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from _http import RUN_PATH
from meter import HTTP, free_port, running

from flowy_watch.clock import SystemClock
from flowy_watch.core.alert import Alert, Change, Status, Transition
from flowy_watch.core.finding import Finding, Severity
from flowy_watch.core.press import Verb, action_id
from flowy_watch.ledger import Ledger, fingerprint_of
from flowy_watch.simulator.people import FakeSlack
from flowy_watch.store import Store

SECRET = "flw_sk_to_be_blocked_0123456789"


def configuration(slack: FakeSlack, folder: Path) -> str:
    return f"""
[store]
url = "sqlite:///{folder / "watch.db"}"
[poll]
every = "1h"
[source]
kind = "meter"
[meter]
ledger = "{folder / "meter.db"}"
[channels.ops]
kind = "slack"
token = "{slack.token}"
channel = "{slack.channel}"
api_url = "{slack.url}"
app_token = "xapp-simulated-token"
allowed_users = ["U0ANA"]
"""


def alert(store: Store) -> int:
    """An open alert about the key, of which nobody is told; its number."""
    now = SystemClock().now()
    meter_key = fingerprint_of(SECRET)
    finding = Finding("new_origin", Severity.CRITICAL, "was used from elsewhere", "key", "key", meter_key=meter_key)
    new = Alert(0, finding, Status.OPEN, 1, opened_at=now, last_seen_at=now)
    with store.write() as work:
        (made,) = work.alerts.record([Transition(new, Change.OPENED, now)])
    return made.alert.id


def until(connection: HTTPConnection, wanted: int) -> float:
    """Ask the meter without a pause until it answers so; when it did."""
    while True:
        connection.request("POST", RUN_PATH, b"{}", {"Authorization": f"Bearer {SECRET}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == wanted:
            return perf_counter()


def main(times: int) -> None:
    command = [sys.executable, "-m", "flowy_watch"]
    upstream, port = free_port(), free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        slack = stack.enter_context(FakeSlack())
        stack.enter_context(running([sys.executable, str(HTTP), "upstream", str(upstream)], upstream))
        environ = {"UPSTREAM": f"http://127.0.0.1:{upstream}", "LISTEN": f"127.0.0.1:{port}"}
        environ |= {"LEDGER": str(folder / "meter.db"), "PRICES": '{ "*" = 1 }'}
        named = {f"FLOWY_WATCH__METER__{name}": value for name, value in environ.items()}
        stack.enter_context(running([*command, "meter"], port, 20.0, **named))
        config = folder / "flowy-watch.toml"
        config.write_text(configuration(slack, folder), encoding="utf-8")
        log = folder / "log"
        daemon = subprocess.Popen(
            [*command, "--config", str(config), "run", "--no-web"], stderr=stack.enter_context(log.open("wb"))
        )
        stack.callback(daemon.terminate)
        while "buttons.connected" not in log.read_text(encoding="utf-8"):
            if daemon.poll() is not None:
                raise SystemExit(f"the daemon does not run: {log.read_text(encoding='utf-8')[-2000:]}")
            sleep(0.1)
        store, ledger = Store(f"sqlite:///{folder / 'watch.db'}"), Ledger(folder / "meter.db")
        connection, number, took = HTTPConnection("127.0.0.1", port), alert(store), list[float]()
        for _ in range(times):
            until(connection, 202)
            pressed = perf_counter()
            slack.press(action_id(Verb.BLOCK, number))
            took.append((until(connection, 401) - pressed) * 1e3)
            ledger.unblock(fingerprint_of(SECRET))
            sleep(0.5)
        store.close()
        ledger.close()
        daemon.terminate()
        daemon.wait(10)
    took.sort()
    print(f"From a press in Slack to the first 401: median {median(took):.1f} ms, most {took[-1]:.1f} ms, of {times}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
