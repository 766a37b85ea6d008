"""What is handed to the ledger and what it answers.

Owns the shapes at the door. Invariant: a request is one append: all of it or nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain.events import Actor, Document, Mood, Proposal
from domain.record import Finding
from domain.refusals import Refusal


class Request(NamedTuple):
    """Acts to enter together. `key` makes a repetition safe; `standing` is the actor's unit and
    post on the day; `attested_by` names who says that it happened, where the mood is attested;
    `approved_by` the second person who lets a closed period be changed.
    """

    proposals: Sequence[Proposal]
    mood: Mood = "ordered"
    actor: Actor = Actor()
    document: Document | None = None
    key: str | None = None
    request_id: str | None = None
    attested_by: str | None = None
    standing: str | None = None
    approved_by: str | None = None


class Entered(NamedTuple):
    position: int
    event_id: UUID
    type: str
    recorded_at: datetime


class Receipt(NamedTuple):
    """The answer to an accepted request; `replayed` where it had been accepted before.

    `findings` and, of what is attested and undermines earlier entries, `undermined`: each with the
    index of the act within the request.
    """

    entries: list[Entered]
    findings: list[tuple[int, Finding]]
    replayed: bool = False
    undermined: Sequence[tuple[int, Finding]] = ()

    @property
    def position(self) -> int:
        """The last position: what a reader waits for to see this request's effect."""
        return self.entries[-1].position


class Refused(NamedTuple):
    """One request of many that the ledger refused; the others went on."""

    refusal: Refusal
