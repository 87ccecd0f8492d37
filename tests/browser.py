"""A real Chromium without a window, spoken to through a pipe: no package, no driver, no port."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One page. `requests` are the addresses that it asked for, `errors` what its console shows. Use it in a with block."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 900):
        binary = next(path for name in NAMES if (path := shutil.which(name)))
        to_it, from_us = _pipe()
        from_it, to_us = _pipe()
        command = [binary, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        script = f'exec "$0" "$@" 3<&{to_it} 4>&{to_us}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, *command], pass_fds=(to_it, to_us), stderr=subprocess.DEVNULL
        )
        os.close(to_it)
        os.close(to_us)
        self._to, self._from, self._rest, self._number = from_us, from_it, b"", 0
        self.requests: list[str] = []
        self.said: list[str] = []  # errors of the page's scripts
        self.errors: list[str] = []
        self._session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.send(f"{domain}.enable")
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]  # pictures are taken of what lasts
        self.send("Emulation.setEmulatedMedia", features=still)
        self.size(width, height)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error) -> None:
        os.close(self._to)
        os.close(self._from)
        self.process.terminate()
        self.process.wait(20)

    # -- what a person does -----------------------------------------------------------------------------------------

    def size(self, width: int, height: int, scale: float = 1, phone: bool = False) -> None:
        """Width and height of the window in CSS pixels; a phone has touch and no mouse."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)

    def choose_file(self, selector: str, path: Path) -> None:
        """Put a file into a file input, as its dialog would."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"no {selector}"
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 30) -> Any:
        """The value of an expression once it is true; meanwhile the page may load another."""
        end = time.monotonic() + seconds
        while not (value := self._value_now(script)):
            assert time.monotonic() < end, f"{script} did not come true in {seconds} s; the page said {self.said}"
            time.sleep(0.05)
        return value

    def _value_now(self, script: str) -> Any:
        try:
            return self.evaluate(script)
        except AssertionError as error:
            if "navigated" not in str(error):
                raise
            return None

    def picture(self, whole: bool = False) -> np.ndarray:
        """What is seen, uint8 (H, W, 3): the window, or the whole page."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))

    # -- the pipe ---------------------------------------------------------------------------------------------------

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if event.get("method") == "Runtime.exceptionThrown":
            details = event["params"]["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description", details["text"]))
        self.errors += _errors_in(event.get("method"), event.get("params", {}))

    def _receive(self, seconds: float = 60) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._from], [], [], seconds)[0], "the browser does not answer"
            data = os.read(self._from, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


def _errors_in(method: str | None, event: dict[str, Any]) -> list[str]:
    """Errors and warnings that the console gets by an event."""
    if method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
        return [f"{event['entry']['text']} {event['entry'].get('url', '')}"]
    if method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning"):
        return [" ".join(str(one.get("value", one.get("description"))) for one in event["args"])]
    return []


def _pipe() -> tuple[int, int]:
    """Reading and writing end, at numbers that 3 and 4 cannot overwrite."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high
