"""The key that signs the ledger's heads (封签密钥): changed by an entry that both keys have signed.

Owns the entry. Invariant: the old key vouches for the new one and the new one for itself, so who
trusts the first key can follow the chain of entries to the present one.
"""

from typing import Annotated

from pydantic import StringConstraints

from domain.events import Code, Event, Facet, Id, Subject, Writes
from domain.notes import Note, NoteInvalid, Verifier, key_text
from domain.record import Case
from domain.refusals import BadInput

SEAL_KEY = Facet("seal-key", of="ledger", zh="封签密钥", en="seal key", stays=True)

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


def vouched(ledger: str, keys: list[Verifier], note: Note) -> bool:
    """Whether both keys, old and new, are this ledger's and signed the change."""
    old, new = keys
    return (
        old.name == new.name == f"personnel-ledger/{ledger}"
        and old.key != new.key
        and note.text == key_text(old, new)
        and all(note.signed_by(key) for key in keys)
    )
