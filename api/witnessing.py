"""Asking a witness over HTTP, and being one (C2SP tlog-witness).

Owns the exchange. Invariant: a witness that is away or refuses stops nothing; its silence and its
refusal are alarms.
"""

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from domain.ledger.seals import Sealed, Seals
from domain.notes import NoteInvalid, Verifier, lines_of
from replay.witness import MOST_BYTES, Asked, OtherSize, Witness, WitnessRefuses, ask, cosigned

EVERY_SECONDS = 10.0
SILENT_SECONDS = 600.0
"""After which a head that nobody cosigned is an alarm."""

_WAIT_SECONDS = 10
_logger = structlog.get_logger(__name__)


def create_witness(witness: Witness) -> FastAPI:
    """The witness's one address: `POST /add-checkpoint`."""
    app = FastAPI(title="personnel-ledger witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/add-checkpoint")
    async def add(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return Response("too large\n", 413, media_type="text/plain")
        try:
            note = await run_in_threadpool(witness.add, body.decode(errors="replace"))
        except OtherSize as other:
            return Response(f"{other.size}\n", other.status, media_type="text/x.tlog.size")
        except WitnessRefuses as refuses:
            _logger.warning("not cosigned", why=type(refuses).__name__, said=str(refuses))
            return Response(f"{refuses}\n", refuses.status, media_type="text/plain")
        return Response(str(note.lines[-1]), media_type="text/plain")

    return app


class WitnessUnfit(ValueError):
    """The settings do not name a witness; the message says what they lack."""


class Silence(NamedTuple):
    """Entries under heads that no witness has cosigned, and for how many seconds."""

    entries: int
    seconds: float


def told(silence: Callable[[], Silence]) -> Silence:
    """How long it is, as far as the database can say: its absence ends no thread."""
    try:
        return silence()
    except Exception:  # noqa: BLE001 - whatever it is, it was the fault that is being told
        return Silence(0, 0.0)


class Cosigning:
    """Sends the newest head of a log to its witness, again and again.

    `key` is the witness's (vkey). Raises WitnessUnfit.
    """

    def __init__(self, seals: Seals, url: str, key: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise WitnessUnfit("the witness's address begins with http:// or https://")
        try:
            self._verifier = Verifier.of(key)
        except NoteInvalid as invalid:
            raise WitnessUnfit(f"the witness's key: {invalid}") from None
        self._seals = seals
        self._url = url.rstrip("/") + "/add-checkpoint"

    def ask(self) -> Sealed | None:
        """Have the newest head cosigned, if it is not. Raises OSError, WitnessRefuses."""
        last, kept = self._seals.last(), self._kept()
        if last is None or (kept is not None and kept.size >= last.size):
            return None
        asked = ask(self._seals, last, kept.size if kept else 0)
        try:
            answer = self._send(asked)
        except OtherSize as other:  # a line was lost on its way back, or it keeps another history
            if other.size > last.size:
                raise
            asked = ask(self._seals, last, other.size)
            answer = self._send(asked)
        self._seals.cosign(last.size, cosigned(asked, lines_of(answer), self._verifier))
        return last

    def follow(self, stop: threading.Event) -> None:
        """Ask until stopped; nothing that a witness does or fails to do stops anything."""
        while not stop.is_set():
            try:
                self.ask()
            except WitnessRefuses as refuses:
                why = type(refuses).__name__
                _logger.critical("witness-refuses", why=why, log=self._seals.prefix)
            except Exception as fault:  # noqa: BLE001 - it is asked again
                silence = told(self.silence)
                tell = _logger.critical if silence.seconds > SILENT_SECONDS else _logger.warning
                told_of = {"log": self._seals.prefix, **silence._asdict()}
                tell("witness-silent", fault=type(fault).__name__, **told_of)
            stop.wait(EVERY_SECONDS)

    def _kept(self) -> Sealed | None:
        """The newest head with a line, where one is the witness's: others can be put there too."""
        kept = self._seals.cosigned()
        note = kept and self._seals.with_cosignatures(kept)
        return kept if note and note.seen_at(self._verifier) is not None else None

    def silence(self) -> Silence:
        """How far the witness is behind the seals."""
        last, kept = self._seals.last(), self._kept()
        size = kept.size if kept else 0
        oldest = self._seals.covering(size + 1)
        if last is None or oldest is None:
            return Silence(0, 0.0)
        return Silence(last.size - size, time.time() - oldest.sealed_at.timestamp())

    def _send(self, asked: Asked) -> str:
        request = urllib.request.Request(self._url, str(asked).encode(), method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_WAIT_SECONDS) as answer:  # noqa: S310
                return str(answer.read(MOST_BYTES).decode())
        except urllib.error.HTTPError as refused:
            said = refused.read(MOST_BYTES).decode(errors="replace").strip()
            if refused.code == OtherSize.status and said.isdecimal():
                raise OtherSize(int(said)) from None
            raise WitnessRefuses(f"the witness answers {refused.code}") from None
        except http.client.HTTPException as broken:
            raise OSError(str(broken)) from None
