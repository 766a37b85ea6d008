"""Asking a time-stamp authority over HTTP (RFC 3161).

Owns the exchange. Invariant: an authority that is away or answers wrongly stops nothing; that no
stamp comes is an alarm.
"""

import http.client
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import structlog

from api.witnessing import Silence, told
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Sealed
from replay.stamps import MOST_BYTES, Authority, StampRefused

LOOK_SECONDS = 10.0
EVERY_SECONDS = 3600.0
"""At most one stamp in this time: an authority's answer has kilobytes and may cost money."""
SILENT_SECONDS = 600.0
"""How long a stamp may be due before that is an alarm."""
BEHIND_SECONDS = 60.0
"""A head is stamped only while the seals are not further behind the log: what lies unsealed is to
have been recorded after the stamp.
"""

_WAIT_SECONDS = 10
_logger = structlog.get_logger(__name__)


class StampingUnfit(ValueError):
    """The settings do not name an authority; the message says what they lack."""


class Stamping:
    """Has the newest head of a log stamped, an hour after the last at the earliest.

    `roots`: the authority's certificates (PEM). Raises StampingUnfit.
    """

    def __init__(self, sealer: Sealer, url: str, roots: Path | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise StampingUnfit("the authority's address begins with http:// or https://")
        try:
            self._authority = Authority.of(roots or Path())
        except (OSError, ValueError):
            raise StampingUnfit("the authority's certificates are no readable PEM file") from None
        self._sealer = sealer
        self._url = url

    def ask(self) -> Sealed | None:
        """Have the newest head stamped, if one is due. Raises OSError, StampRefused."""
        last = self._sealer.seals.last()
        behind = self._sealer.lag().seconds > BEHIND_SECONDS
        if last is None or behind or self.overdue().seconds <= 0:
            return None
        note = str(last.note).encode()
        request = self._authority.request(note)
        response = self._send(request.as_bytes())
        self._authority.stamped(note, response, request)
        self._sealer.seals.stamp(last.size, response)
        return last

    def follow(self, stop: threading.Event) -> None:
        """Ask until stopped; nothing that an authority does or fails to do stops anything."""
        while not stop.is_set():
            try:
                self.ask()
            except Exception as fault:  # noqa: BLE001 - it is asked again
                overdue = told(self.overdue)
                grave = isinstance(fault, StampRefused) or overdue.seconds > SILENT_SECONDS
                tell = _logger.critical if grave else _logger.warning
                log = self._sealer.seals.prefix
                tell("stamps-missing", fault=type(fault).__name__, log=log, **overdue._asdict())
            stop.wait(LOOK_SECONDS)

    def overdue(self) -> Silence:
        """Entries under heads that no authority has stamped, and since when a stamp is due."""
        seals = self._sealer.seals
        last, stamped = seals.last(), seals.stamped()
        oldest = seals.covering(stamped.size + 1 if stamped else 1)
        if last is None or oldest is None:
            return Silence(0, 0.0)
        due = oldest.sealed_at.timestamp()
        if stamped is not None:
            due = max(due, stamped.sealed_at.timestamp() + EVERY_SECONDS)
        return Silence(last.size - (stamped.size if stamped else 0), time.time() - due)

    def _send(self, request: bytes) -> bytes:
        asked = urllib.request.Request(  # noqa: S310
            self._url, request, {"Content-Type": "application/timestamp-query"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=_WAIT_SECONDS) as answer:  # noqa: S310
                return bytes(answer.read(MOST_BYTES))
        except urllib.error.HTTPError as refused:
            raise OSError(f"the authority answers {refused.code}") from None
        except http.client.HTTPException as broken:
            raise OSError(str(broken)) from None
