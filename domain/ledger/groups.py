"""Owns group commit: threads that append at the same time share one transaction and one flush.

Invariant: one group is under way at a time, requests are sent in the order they came, and every
request gets its own answer. A thread that finds nobody leading sends for all that wait.
"""

import itertools
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

from domain.ledger.appends import Appended, Prepared

MOST_REQUESTS = 256
MOST_BYTES = 4 << 20
LINGER_SECONDS = 0.0005  # at most; a flush to disk takes about as long


class _Interrupts:
    """Holds a Ctrl-C back but where `open`: cut off between two steps, a thread could leave all
    others waiting for ever.

    Only the main thread is ever interrupted; where Python's own handler is not in place, another
    sees to it.
    """

    def __init__(self) -> None:
        self.open = False
        self._came = False
        self._ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )

    def __enter__(self) -> Self:
        if self._ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self._came:
                raise KeyboardInterrupt

    def _note(self, *_: Any) -> None:
        self._came = True
        self.let()

    def let(self) -> None:
        """Raise what has come, where it may be raised. `open` is set without a call, for a call is
        where an interrupt strikes.
        """
        if self.open and self._came:
            self.open = self._came = False
            raise KeyboardInterrupt


class _Waiting:
    __slots__ = ("called", "left", "next", "outcome", "prepared")

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.outcome: Appended | Exception | None = None
        self.next: _Waiting | None = None
        self.left = False
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
        self._leader: _Waiting | None = None
        self._lingers = False
        self._last = 1

    def enter(self, prepared: Prepared) -> Appended:
        """Wait for this request's answer. Raises the exception that answered it."""
        with _Interrupts() as interrupts:
            return self._enter(prepared, interrupts)

    def _enter(self, prepared: Prepared, interrupts: _Interrupts) -> Appended:
        waiting = _Waiting(prepared)
        try:
            leads = self._join(waiting)
            while waiting.outcome is None:
                if leads and self._gathered(waiting):
                    self._lead(waiting, interrupts)
                    leads = False
                else:
                    try:
                        interrupts.open = True
                        interrupts.let()
                        waiting.called.acquire()
                    finally:
                        interrupts.open = False
                    leads = True
        except BaseException:
            self._leave(waiting)
            raise
        finally:
            _wake_next(waiting)
        if isinstance(waiting.outcome, Exception):
            raise waiting.outcome
        return waiting.outcome

    def _join(self, waiting: _Waiting) -> bool:
        """Queue; whether to lead: where nobody does, or the group lingered for is complete."""
        with self._mutex:
            self._queue.append(waiting)
            leads = self._leader is None or (self._lingers and len(self._queue) >= self._last)
            if leads:
                self._leader, self._lingers = waiting, False
        return leads

    def _gathered(self, waiting: _Waiting) -> bool:
        """Linger for the callers answered a moment ago: one larger group beats two.

        False where the one that completed the group leads it instead.
        """
        with self._mutex:
            self._lingers = len(self._queue) < self._last
            if not self._lingers:
                return True
        if waiting.called.acquire(timeout=LINGER_SECONDS):
            waiting.called.release()
        with self._mutex:
            leads = self._leader is waiting
            if leads:
                self._lingers = False
        return leads

    def _lead(self, leader: _Waiting, interrupts: _Interrupts) -> None:
        group = self._take()
        outcomes: Sequence[Appended | Exception] = [
            InterruptedError("the thread that sent this append was interrupted") for _ in group
        ]
        try:
            interrupts.open = True
            interrupts.let()
            outcomes = self._send([waiting.prepared for waiting in group])
        except Exception as error:  # noqa: BLE001  # whatever it is, each caller raises it
            interrupts.open = False
            outcomes = [_same(error) for _ in group]
        finally:
            interrupts.open = False
            self._answer(group, outcomes, leader)

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        with self._mutex:
            while self._queue and len(group) < MOST_REQUESTS:
                size += self._queue[0].prepared.size
                if group and size > MOST_BYTES:
                    break
                group.append(self._queue.popleft())
            self._last = len(group)
        return group

    def _answer(
        self, group: Sequence[_Waiting], outcomes: Sequence[Appended | Exception], leader: _Waiting
    ) -> None:
        """Hand out the answers. Each thread wakes the next: woken all at once, they would fight."""
        with self._mutex:
            sleeping = [w for w in group if w is not leader and not w.left]
            for waiting, following in itertools.pairwise(sleeping):
                waiting.next = following
            # last: who finds an answer may go at once, and wakes the next
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
            self._pass_on()
        if sleeping:
            sleeping[0].called.release()

    def _pass_on(self) -> None:
        self._leader = self._queue[0] if self._queue else None
        if self._leader is not None:
            self._leader.called.release()

    def _leave(self, waiting: _Waiting) -> None:
        """An interrupted caller leaves the queue, passing on the lead it may have been given."""
        with self._mutex:
            waiting.left = True
            if waiting in self._queue:
                self._queue.remove(waiting)
            if self._leader is waiting:
                self._lingers = False
                self._pass_on()


def _wake_next(waiting: _Waiting) -> None:
    following, waiting.next = waiting.next, None
    if following is not None:
        following.called.release()


def _same(error: Exception) -> Exception:
    """An exception of its own for each thread: a shared one would mix their tracebacks."""
    copy = type(error)(*error.args)
    copy.__cause__ = error
    return copy
