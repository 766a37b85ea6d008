"""Guessing is slowed: who fails too often waits, whoever he then claims to be.

Owns the count of failures. Invariant: it never holds more than MOST names, and a name that waits is
refused before anything it brings is looked at.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000


class Slowing:
    """Failures by name: it may fail `failures` times at once; one is forgotten every `seconds`."""

    def __init__(
        self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._full: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def waits(self, name: str) -> bool:
        """Whether this name may not try now."""
        with self._lock:
            return self._level(name) > self._failures - 1

    def failed(self, name: str) -> None:
        with self._lock:
            self._full[name] = (self._level(name) + 1, self._clock())
            self._full.move_to_end(name)
            if len(self._full) > MOST:
                self._full.popitem(last=False)

    def _level(self, name: str) -> float:
        level, since = self._full.get(name, (0.0, 0.0))
        return max(0.0, level - (self._clock() - since) / self._seconds)
