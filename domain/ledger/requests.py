"""What is handed to the ledger and what it answers.

Owns the shapes at the door. Invariant: a request is one append: all of it or nothing.
"""

import os
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.case import Finding
from domain.events import Actor, Document, FactAnnulled, Mood, Proposal
from domain.refusals import BadInput, ImpossibleDate, Refusal

KEY_NAMESPACE = UUID("5be7a8c2-8a61-4c4e-9d2e-0f3a7c1b7d11")
MOST_SEQ = 1_000


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


def check_approver(request: Request) -> None:
    """Raises BadInput where the second person is none, or the first."""
    approver = request.approved_by
    if approver is None:
        return
    if not approver.strip() or not approver.isprintable():
        raise BadInput("the approver is named by an account", field="approved_by",
                       zh="批准人应为账号")  # fmt: skip
    if approver.strip().casefold() == request.actor.subject.strip().casefold():
        raise BadInput("the approver is another person than the one who enters",
                       field="approved_by", zh="批准人不得是经办人本人")  # fmt: skip


def check_envelope(proposal: Proposal) -> None:
    """Raises BadInput, ImpossibleDate for what no act could be entered with."""
    if isinstance(proposal.event, FactAnnulled) != (proposal.annuls is not None):
        raise BadInput("an annulment, and nothing else, names the entry it annuls",
                       field="annuls", zh="撤销且仅撤销须指明被撤销的登记")  # fmt: skip
    if proposal.supersedes is not None and proposal.annuls is not None:
        raise BadInput("an act corrects or annuls, not both", field="annuls",
                       zh="更正与撤销不能并用")  # fmt: skip
    if proposal.ends is not None and not type(proposal.event).ends:
        raise BadInput("an act of this type ends nothing", field="ends",
                       zh="该事项不终止任何登记")  # fmt: skip
    if proposal.until is not None and proposal.until <= proposal.effective:
        raise ImpossibleDate("a period ends after it begins", field="until",
                             zh="止日不得早于生效日")  # fmt: skip
    if abs(proposal.seq or 0) > MOST_SEQ:
        raise BadInput(f"seq lies within ±{MOST_SEQ}", field="seq", zh=f"seq 应在 ±{MOST_SEQ} 内")


def event_id_of(request: Request, index: int) -> UUID:
    """The proposer's id, or one derived from the key, or a new one: UUIDv7, in order of time."""
    given = request.proposals[index].event_id
    if given is not None:
        return given
    if request.key is not None:
        return uuid5(KEY_NAMESPACE, f"{key_of(request)}|{index}")
    return new_id()


def key_of(request: Request) -> str | None:
    """The idempotency key in its actor's scope: two clerks may use the same one."""
    if request.key is None:
        return None
    return f"{request.actor.issuer}|{request.actor.subject}|{request.key}"


def new_id() -> UUID:
    """RFC 9562 version 7."""
    raw = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return UUID(int=raw & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62)


def shared_by(request: Request, ids: list[UUID]) -> dict[str, Any]:
    """What every envelope of the request says alike."""
    shared: dict[str, Any] = {"mood": request.mood, "actor": request.actor.model_dump()}
    for name in ("attested_by", "approved_by", "standing", "request_id"):
        if value := getattr(request, name):
            shared[name] = value
    if len(ids) > 1:
        shared["batch"] = str(ids[0])
    if request.document is not None:
        shared["document"] = request.document.model_dump(mode="json", exclude_none=True)
    return shared
