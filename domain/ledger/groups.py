"""Owns group commit: threads that append at the same time share one transaction and one flush.

Invariant: one group is under way at a time, requests are sent in the order they came, and every
request gets its own answer. The first thread to find nobody leading sends for all that wait.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from domain.ledger.appends import Appended, Prepared

MOST_REQUESTS = 256
MOST_BYTES = 4 << 20
LINGER_SECONDS = 0.0002  # a flush to disk takes longer


class _Waiting:
    __slots__ = ("called", "outcome", "prepared")

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.outcome: Appended | Exception | None = None
        self.called = threading.Lock()
        self.called.acquire()


class Groups:
    """Collects requests and hands them to `send` in groups, from the callers' own threads.

    `send` answers one Appended or exception a request, in order.
    """

    def __init__(
        self, send: Callable[[Sequence[Prepared]], Sequence[Appended | Exception]]
    ) -> None:
        self._send = send
        self._mutex = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._led = False
        self._last = 1

    def enter(self, prepared: Prepared) -> Appended:
        """Wait for this request's answer. Raises the exception that answered it."""
        waiting = _Waiting(prepared)
        with self._mutex:
            self._queue.append(waiting)
            leads, self._led = not self._led, True
        try:
            if not leads:
                waiting.called.acquire()
        except BaseException:
            self._abandon(waiting)
            raise
        outcome = self._lead() if waiting.outcome is None else waiting.outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _lead(self) -> Appended | Exception:
        """Send for all that wait, the caller first among them; answers the caller's outcome."""
        if len(self._queue) < self._last:
            # callers answered a moment ago are about to come back: one larger group beats two
            time.sleep(LINGER_SECONDS)
        group = self._take()
        self._last = len(group)
        outcomes: Sequence[Appended | Exception] = [
            InterruptedError("the thread that sent this append was interrupted") for _ in group
        ]
        try:
            outcomes = self._send([waiting.prepared for waiting in group])
        except Exception as error:  # noqa: BLE001  # whatever it is, each caller raises it
            outcomes = [_same(error) for _ in group]
        finally:
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
                waiting.called.release()
            self._pass_on()
        return outcomes[0]

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        with self._mutex:
            while self._queue and len(group) < MOST_REQUESTS:
                size += self._queue[0].prepared.size
                if group and size > MOST_BYTES:
                    break
                group.append(self._queue.popleft())
        return group

    def _pass_on(self) -> None:
        with self._mutex:
            if self._queue:
                self._queue[0].called.release()
            else:
                self._led = False

    def _abandon(self, waiting: _Waiting) -> None:
        """An interrupted caller leaves the queue, passing on the lead it may have been given."""
        with self._mutex:
            led = waiting.outcome is None and not waiting.called.locked()
            if waiting in self._queue:
                self._queue.remove(waiting)
        if led:
            self._pass_on()


def _same(error: Exception) -> Exception:
    """An exception of its own for each thread: a shared one would mix their tracebacks."""
    copy = type(error)(*error.args)
    copy.__cause__ = error
    return copy
