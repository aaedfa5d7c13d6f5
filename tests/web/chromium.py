"""A real Chromium, driven over its debugging pipe: nothing to install beside the browser."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Self

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-extensions",
    "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--force-color-profile=srgb",
    "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip


def find() -> str | None:
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Chromium:
    """`with Chromium(program, folder) as browser: browser.open(url)`; one page."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._number, self._rest, self._session = 0, b"", ""
        self.problems: list[str] = []
        """What the page complained of: violated policies, errors of scripts, files that are not there."""

    def __enter__(self) -> Self:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # The browser expects its commands on descriptor 3 and answers on 4.
        script = 'exec "$0" "$@" 3<&"$IN" 4>&"$OUT"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, self._program, *_FLAGS, f"--user-data-dir={self._folder}", "about:blank"],
            env=os.environ | {"IN": str(theirs_in), "OUT": str(theirs_out), "HOME": str(self._folder)},
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        os.set_blocking(self._in, False)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, AssertionError):
            self.call("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(5)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": params} | session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = monotonic() + 30
        while True:
            found = self._next(end)
            if found.get("id") == self._number:
                assert "error" not in found, (method, found["error"])
                return found["result"]
            self._note(found)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            with suppress(BlockingIOError):
                more = os.read(self._in, 1 << 20)
                assert more, "the browser ended"
                self._rest += more
                continue
            assert monotonic() < end, "the browser does not answer"
            Event().wait(0.005)
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    # ── what a person does ───────────────────────────────────────────────────────────────────────────────────────

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until(lambda: self.js("document.readyState") == "complete" and self.js("location.href") != "about:blank")

    def js(self, expression: str) -> Any:
        """What an expression in the page comes to; also works where the page's own scripts are off."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return found["result"].get("value")

    @property
    def text(self) -> str:
        return str(self.js("document.body.innerText")).replace("\u00a0", " ")

    def until(self, true: Callable[[], Any], what: str = "a page", *, within: float = 20) -> None:
        end = monotonic() + within
        while not true():
            assert monotonic() < end, f"not within {within} s: {what}; the page says: {self.text[:500]}"
            Event().wait(0.03)

    def press(self, selector: str) -> None:
        """A real click in the middle of what the selector finds, once the page is whole and that stands still."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.until(lambda: self.js(f"document.readyState === 'complete' && !!{found}"), selector)
        self.js(f"{found}.scrollIntoView({{block: 'center'}})")
        middle = (
            f"(() => {{ const b = {found}.getBoundingClientRect();"
            " return [b.left + b.width / 2, b.top + b.height / 2] })()"
        )
        seen: list[Any] = []

        def still() -> bool:
            seen.append(self.js(middle))
            return seen[-3:] == [seen[-1]] * 3

        self.until(still, selector)
        box = seen[-1]
        assert box, selector
        self.mouse("mousePressed", *box)
        self.mouse("mouseReleased", *box)

    def mouse(self, kind: str, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def key(self, name: str) -> None:
        """`Tab` or `Enter`, pressed and let go."""
        code, more = {"Tab": (9, {}), "Enter": (13, {"text": "\r"})}[name]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **more)

    def tab_to(self, selector: str) -> None:
        """As somebody without a mouse does; what has the focus must be seen to have it."""
        found = f"document.activeElement.matches({json.dumps(selector)})"
        for _ in range(100):
            self.key("Tab")
            if self.js(found):
                assert self.js("getComputedStyle(document.activeElement).outlineStyle") != "none", selector
                return
        raise AssertionError(f"Tab does not come to {selector}")

    def without_scripts(self) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def hurry(self, times: float) -> None:
        """The timers of pages opened from now on run so many times as fast."""
        script = f"const slow = window.setTimeout; window.setTimeout = (f, ms, ...a) => slow(f, ms / {times}, ...a);"
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def look(self, *, width: int, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, *, whole: bool = True) -> bytes:
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(found["data"])
