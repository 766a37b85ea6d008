"""An installed Chromium without a window, driven over its debugging pipe: no driver, no network.

LEDGER_TEST_CHROMIUM names another than the installed one, an old one for instance.
"""

import fcntl
import json
import os
import shutil
import signal
import time
from contextlib import suppress

CHROMIUM = os.environ.get("LEDGER_TEST_CHROMIUM") or next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
DRAGS_FILES = 93
"""The first version that drags files when the pipe says so."""
MADE = "Object.assign(document.createElement('input'), {type: 'file', id: 'dragged'})"
DROPPED = """{
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(document.getElementById('dragged').files[0]);
    document.dispatchEvent(new DragEvent('drop', {dataTransfer}));
}"""
WAIT_SECONDS, CLOSE_SECONDS = 60, 10


class Browser:
    """One page at a time. `asked` are the addresses that pages asked for, whatever they are."""

    def __init__(self, folder):
        there, self._to = _above(*os.pipe())
        self._from, back = _above(*os.pipe())

        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}",
            "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0)
        placed = [(os.POSIX_SPAWN_DUP2, there, 3), (os.POSIX_SPAWN_DUP2, back, 4), null]
        quiet = [(os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
        self._pid = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=[*placed, *quiet])
        os.close(there)
        os.close(back)
        self._held, self._number, self._session = b"", 0, None
        self.asked = []
        product = self.call("Browser.getVersion")["product"]
        self.version = int(product.partition("/")[2].partition(".")[0])

    def close(self):
        with suppress(OSError):  # it ends without an answer
            self._send("Browser.close", {})
        deadline = time.monotonic() + CLOSE_SECONDS
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.02)
        os.close(self._to)
        os.close(self._from)

    def open(self, path):
        if self._session is None:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Network", "Runtime", "DOM"):
                self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete' && document.URL.startsWith('file:')")

    def run(self, expression):
        """The value of an expression, awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression):
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.run(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.02)

    def put_files(self, id_, *paths):
        """Choose files in an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=f"#{id_}")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def drop(self, path):
        """Drag a file onto the page and let it go; where the pipe cannot, the page is told so."""
        if self.version < DRAGS_FILES:
            self.run(f"document.body.appendChild({MADE}) && 0")
            self.put_files("dragged", path)
            self.run(DROPPED)
            return
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=50, y=50, data=data)

    def call(self, method, **params):
        self._send(method, params)
        while (answer := self._next()).get("id") != self._number:
            if answer.get("method") == "Network.requestWillBeSent":
                self.asked.append(answer["params"]["request"]["url"])
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _send(self, method, params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        _write_all(self._to, json.dumps(message).encode() + b"\0")

    def _next(self):
        while b"\0" not in self._held:
            block = os.read(self._from, 1 << 16)
            if not block:
                raise OSError("the browser has ended")
            self._held += block
        one, _, self._held = self._held.partition(b"\0")
        return json.loads(one)


def _write_all(file, content):
    while content:
        content = content[os.write(file, content) :]


def _above(*files):
    """The same files under numbers that the browser's own, 3 and 4, do not clash with."""
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in files]
    for one in files:
        os.close(one)
    return moved
