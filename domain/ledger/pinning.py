"""Two logs that bear each other out: the newest head of each is noted in the other.

Owns when that is done. Invariant: notes alone never cause notes, so two logs that rest stay at
rest.
"""

import threading
from contextlib import suppress

import structlog

from domain.acts.seals import ReadsSealed
from domain.events import Actor, Proposal
from domain.ledger import Ledger
from domain.ledger.reads import ReadLog
from domain.ledger.requests import Request
from domain.ledger.sealer import Sealer
from domain.refusals import AlreadyRecorded

EVERY_SECONDS = 3600.0
_ACTOR = Actor(subject="sealer", role="system")
_logger = structlog.get_logger(__name__)


class Pinning:
    """Notes the ledger's head in the log of reads, and the other way round."""

    def __init__(self, ledger: Ledger, sealer: Sealer, reads: ReadLog) -> None:
        self._ledger, self._sealer, self._reads = ledger, sealer, reads
        self._noted = (0, 0)  # where the last note in the log of reads lies, and its size

    def pin(self) -> None:
        """Note what has been sealed since it was last noted. Raises Refusal, LogError."""
        sealed = self._reads.sealer.seals.last()
        if sealed is not None and self._reads.any_read(self._size_in_ledger()):
            head = sealed.head
            told = ReadsSealed(
                ledger=head.origin.rpartition("/")[2], size=head.size, note=str(sealed.note)
            )
            proposal = Proposal(told, self._ledger.today())
            with suppress(AlreadyRecorded):  # by another process
                self._ledger.enter(Request([proposal], actor=_ACTOR))
            self._sealer.catch_up()
        last = self._sealer.seals.last()
        if last is not None and last.size > self._size_in_reads():
            self._reads.note_head(last)

    def follow(self, stop: threading.Event) -> None:
        """Note them again and again until stopped."""
        while not stop.wait(EVERY_SECONDS):
            try:
                self.pin()
            except Exception as fault:  # noqa: BLE001 - it is done again
                _logger.warning("heads-not-noted", fault=type(fault).__name__)

    def _size_in_ledger(self) -> int:
        sizes = [e.fields["size"] for e in self._ledger.entries(types=[ReadsSealed.__name__])]
        return max(sizes, default=0)

    def _size_in_reads(self) -> int:
        for row in self._reads.noted(after=self._noted[0]):
            self._noted = (row.position, max(self._noted[1], row.said["size"]))
        return self._noted[1]
