"""What the meter costs: beside no proxy, plain pass-through ones (bytes, unread) and LiteLLM's proxy, in one run.

.venv/bin/python bench/meter.py [--seconds 3] [--rounds 5] [--connections 32] [--without-litellm] [--venv FOLDER]

LiteLLM comes from PyPI into a venv that is thrown away; --venv keeps it in FOLDER and finds it there again. It is asked
twice: for the same path, which it forwards as a pass-through endpoint, and for what it is made for, a chat completion.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import Any

from _http import CHAT_PATH, RUN_PATH
from _report import table

from flowy_watch.clock import SystemClock
from flowy_watch.ledger import Ledger, fingerprint_of

HTTP = Path(__file__).with_name("_http.py")
# LiteLLM without keys of its own, which is less work for it, and without fetching its list of prices.
OPEN = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, patience: float = 20.0, **environ: str) -> Iterator[int]:
    """The process that listens on `port`; killed at the end."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=os.environ | environ, stdout=said, stderr=said)
        try:
            end = monotonic() + patience
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or monotonic() > end:
                        said.seek(0)
                        raise SystemExit(f"{command[0]} does not listen: {said.read()[-2000:].decode()}") from None
                    sleep(0.1)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def litellm_of(folder: Path) -> Path | None:
    """Its command, installed where it is not; None where it cannot be."""
    command = folder / "bin" / "litellm"
    if command.exists():
        return command
    print(f"Installing LiteLLM from PyPI into {folder} (some 750 MB) …", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "litellm[proxy]"]
        subprocess.run(pip, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.decode()[-300:] if isinstance(error, subprocess.CalledProcessError) else str(error)
        print(f"LiteLLM cannot be installed here, and is left out: {said}", file=sys.stderr)
        return None
    return command


def litellm_command(command: Path, folder: Path, port: int, upstream: int) -> list[str]:
    config = folder / "litellm.yaml"
    target = f"http://127.0.0.1:{upstream}{RUN_PATH}"
    endpoint = {"path": RUN_PATH, "target": target, "forward_headers": True, "auth": False}
    there = {"model": "openai/m", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
    models = [{"model_name": "m", "litellm_params": there}]
    config.write_text(json.dumps({"model_list": models, "general_settings": {"pass_through_endpoints": [endpoint]}}))
    return [str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def cpu_seconds(pid: int) -> float:
    """Of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK + sum(cpu_seconds(int(child)) for child in children)


def resident_mb(pid: int) -> float:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(resident_mb(int(child)) for child in children)


def load(port: int, connections: int, seconds: float, path: str) -> dict[str, Any]:
    command = [sys.executable, str(HTTP), "load", str(port), str(connections), str(seconds), path]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if found["bad"]:
        raise SystemExit(f"{found['bad']} of {found['requests']} requests were not accepted")
    return found


def measure(port: int, pid: int, path: str, connections: int, seconds: float) -> dict[str, float]:
    alone = load(port, 1, seconds, path)
    before = cpu_seconds(pid)
    many = load(port, connections, seconds, path)
    spent = cpu_seconds(pid) - before
    return {
        "alone_p50": alone["p50_ms"],
        "alone_p99": alone["p99_ms"],
        "many_p50": many["p50_ms"],
        "many_p99": many["p99_ms"],
        "per_second": many["per_second"],
        "per_core": many["requests"] / spent if spent else 0.0,
        "requests": alone["requests"] + many["requests"],
    }


def stops(ledger: Ledger, port: int, times: int = 40) -> list[float]:
    """Milliseconds from the commit of a block to the first 401, asked for without a pause on a kept connection."""
    connection = HTTPConnection("127.0.0.1", port)
    secret = "flw_sk_to_be_blocked_0123456789"
    fingerprint = fingerprint_of(secret)

    def status() -> int:
        connection.request("POST", RUN_PATH, b"{}", {"Authorization": f"Bearer {secret}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    took = []
    for _ in range(times):
        while status() != 202:
            pass
        ledger.block(fingerprint, by="bench", why="", now=SystemClock().now())
        committed = perf_counter()
        while status() != 401:
            pass
        took.append((perf_counter() - committed) * 1e3)
        ledger.unblock(fingerprint)
    connection.close()
    return sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--without-litellm", action="store_true")
    parser.add_argument("--venv", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        litellm = None if options.without_litellm else litellm_of(options.venv or folder / "venv")
        start: Callable[..., int] = lambda *a, **k: stack.enter_context(running(*a, **k))  # noqa: E731
        upstream, plain, streams, meter, other = (free_port() for _ in range(5))
        proxies = {"no proxy": (upstream, start([sys.executable, str(HTTP), "upstream", str(upstream)], upstream))}
        command = [sys.executable, str(HTTP), "plain", str(plain), str(upstream)]
        proxies["plain, with protocols"] = plain, start(command, plain)
        command = [sys.executable, str(HTTP), "streams", str(streams), str(upstream)]
        proxies["plain, with streams"] = streams, start(command, streams)
        command = [sys.executable, "-m", "flowy_watch", "meter"]
        environ = {"UPSTREAM": f"http://127.0.0.1:{upstream}", "LISTEN": f"127.0.0.1:{meter}"}
        environ |= {"LEDGER": str(folder / "meter.db"), "PRICES": '{ "*" = 1 }'}
        named = {f"FLOWY_WATCH__METER__{name}": value for name, value in environ.items()}
        proxies["flowy-watch meter"] = meter, start(command, meter, **named)
        if litellm:
            command = litellm_command(litellm, folder, other, upstream)
            proxies["LiteLLM, pass-through"] = other, start(command, other, 180, **OPEN)
            proxies["LiteLLM, chat"] = proxies["LiteLLM, pass-through"]
        paths = {name: CHAT_PATH if "chat" in name else RUN_PATH for name in proxies}
        for name, (port, _) in proxies.items():
            load(port, options.connections, 0.5, paths[name])
        found: dict[str, list[dict[str, float]]] = {name: [] for name in proxies}
        for number in range(options.rounds):
            for name, (port, pid) in proxies.items():
                print(f"\rround {number + 1} of {options.rounds}: {name:<22}", end="", file=sys.stderr)
                found[name].append(measure(port, pid, paths[name], options.connections, options.seconds))
        print("\r" + " " * 50 + "\r", end="", file=sys.stderr)
        sizes = {name: resident_mb(pid) for name, (_, pid) in proxies.items()}
        sleep(1.5)
        ledger = Ledger(folder / "meter.db")
        [key] = ledger.keys(SystemClock().now().date())
        idle = stops(ledger, meter)
        command = [sys.executable, str(HTTP), "load", str(meter), str(options.connections), "10", RUN_PATH]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as loading:
            sleep(1)
            loaded = stops(ledger, meter)
            loading.terminate()
    show(found, sizes, options.connections)
    for name, took in (("at an idle meter", idle), (f"beside {options.connections} busy connections", loaded)):
        print(f"From a block's commit to the first 401, {name}: median {median(took):.1f} ms, most {took[-1]:.1f} ms")
    sent = int(sum(one["requests"] for one in found["flowy-watch meter"]))
    print(f"The ledger holds {key.counts.runs} runs, those of the warm-up among the {sent} measured ones.")


def show(found: dict[str, list[dict[str, float]]], sizes: dict[str, float], connections: int) -> None:
    def of(name: str, figure: str) -> float:
        return median(one[figure] for one in found[name])

    head = ("medians", "p50, ms", "p99, ms", "added p50, ms", "added p99, ms", f"requests/s of {connections}",
            "requests per CPU s", "MB")  # fmt: skip
    base = "no proxy"
    table(
        head,
        [
            (
                name,
                of(name, "alone_p50"),
                of(name, "alone_p99"),
                of(name, "alone_p50") - of(base, "alone_p50") if name != base else None,
                of(name, "alone_p99") - of(base, "alone_p99") if name != base else None,
                round(of(name, "per_second")),
                round(of(name, "per_core")),
                round(sizes[name]),
            )
            for name in found
        ],
    )
    mine = "flowy-watch meter"
    rows = []
    for name in found:
        if name not in (base, mine):
            added = (of(mine, "alone_p50") - of(base, "alone_p50")) / (of(name, "alone_p50") - of(base, "alone_p50"))
            rows.append(
                (
                    name,
                    of(mine, "per_second") / of(name, "per_second"),
                    of(mine, "per_core") / of(name, "per_core"),
                    added,
                )
            )
    table(("the meter beside", "requests/s", "requests per CPU s", "added p50"), rows)


if __name__ == "__main__":
    main()
