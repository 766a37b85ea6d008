"""An installed Chromium without a window, driven over its debugging pipe: no driver, no network."""

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
WAIT_SECONDS = 60


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

    def close(self):
        with suppress(OSError):  # it may end before it answers
            self.call("Browser.close")
        os.waitpid(self._pid, 0)
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
        """Drag a file onto the page and let it go."""
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=50, y=50, data=data)

    def call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        _write_all(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            if answer.get("method") == "Network.requestWillBeSent":
                self.asked.append(answer["params"]["request"]["url"])
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

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
