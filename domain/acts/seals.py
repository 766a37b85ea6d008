"""Seals on record: the key that signs heads (封签密钥), and heads of the log of reads.

Owns these entries. Invariant: the old key vouches for the new one and the new one for itself, so
who trusts the first key can follow the chain of entries to the present one; of the log of reads,
each head noted is over more than the one before.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from domain.events import Code, Event, Facet, Id, Subject, Writes
from domain.notes import Head, Note, NoteInvalid, Verifier, key_text
from domain.record import Case
from domain.refusals import AlreadyRecorded, BadInput

SEAL_KEY = Facet("seal-key", of="ledger", zh="封签密钥", en="seal key", stays=True)
READS_SEAL = Facet("reads-seal", of="ledger", zh="查阅日志封签", en="seal of reads", stays=True)

NoteText = Annotated[str, StringConstraints(strip_whitespace=False, max_length=2_000)]
"""A signed note as it lies, to the byte."""


class SealKeyChanged(Event):
    """From this entry on another key signs the ledger's heads (封签密钥更换)."""

    zh = "封签密钥更换"
    en = "Seal key changed"
    day = "更换之日"
    writes = (Writes(SEAL_KEY, key="ledger", value=("key",)),)

    ledger: Annotated[Id, Subject("ledger")]
    previous: Code
    key: Code
    note: NoteText

    def decide(self, case: Case) -> None:
        stands = case.value(SEAL_KEY, self.ledger)
        if stands is not None and stands["key"] != self.previous:
            case.forbid(
                "前一密钥不是现用密钥", "the previous key is not the one in force", "previous"
            )
        try:
            note = Note.of(self.note)
            keys = [Verifier.of(key) for key in (self.previous, self.key)]
        except NoteInvalid as invalid:
            raise BadInput(str(invalid), field="note", zh="密钥或签名格式有误") from invalid
        if not vouched(self.ledger, keys, note):
            raise BadInput("both keys must have signed this very change", field="note",
                           zh="须由新旧两个密钥共同签署")  # fmt: skip


class ReadsSealed(Event):
    """The log of reads was sealed this far (查阅日志封签存证): whoever keeps a head of the ledger
    has seen this one too, so what was sealed of the reads cannot be cut off or rewritten unseen.
    """

    zh = "查阅日志封签存证"
    en = "Reads sealed"
    day = "存证之日"
    writes = (Writes(READS_SEAL, key="ledger", value=("size",)),)

    ledger: Annotated[Id, Subject("ledger")]
    size: Annotated[int, Field(ge=1)]
    note: NoteText

    def decide(self, case: Case) -> None:
        stands = case.value(READS_SEAL, self.ledger)
        if stands is not None and stands["size"] >= self.size:
            raise AlreadyRecorded("as much of the log of reads was noted before",
                                  zh="该封签此前已存证", field="size")  # fmt: skip
        try:
            head = Head.of(Note.of(self.note).text)
        except NoteInvalid as invalid:
            raise BadInput(str(invalid), field="note", zh="封签格式有误") from invalid
        if (head.origin, head.size) != (f"personnel-ledger/{self.ledger}", self.size):
            raise BadInput("the note is of another head", field="note", zh="所附封签不符")


def vouched(ledger: str, keys: list[Verifier], note: Note) -> bool:
    """Whether both keys, old and new, are this ledger's and signed the change."""
    old, new = keys
    return (
        old.name == new.name == f"personnel-ledger/{ledger}"
        and old.key != new.key
        and note.text == key_text(old, new)
        and all(note.signed_by(key) for key in keys)
    )
