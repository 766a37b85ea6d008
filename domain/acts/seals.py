"""Seals on record: the key that signs heads (封签密钥), and heads of the log of reads.

Owns these entries. Invariant: the old key vouches for the new one and the new one for itself, so
who trusts the first key can follow the chain of entries to the present one; of the log of reads,
each head noted is over more than the one before, and only what lies under one is cut off.
"""

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from domain.case import Case
from domain.events import Code, Event, Facet, Id, Subject, Writes
from domain.law import NATION, Rules
from domain.notes import Head, Note, NoteInvalid, Verifier, key_text
from domain.refusals import AlreadyRecorded, BadInput, HeldBack, ImpossibleDate
from domain.rules import floor
from domain.workdays import whole_months

SEAL_KEY = Facet("seal-key", of="ledger", zh="封签密钥", en="seal key", stays=True)
READS_SEAL = Facet("reads-seal", of="ledger", zh="查阅日志封签", en="seal of reads", stays=True)
READS_CUT = Facet("reads-cut", of="ledger", zh="查阅日志销毁", en="reads cut off", stays=True)

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


class ReadsCut(Event):
    """The oldest rows of the log of reads go, their term being over (查阅日志到期销毁).

    They are personal data of who looked and of whom. `rows`: the first so many, all recorded before
    the day `before`; `ground`: the order or article that sets their term. Their hashes stay.
    """

    zh = "查阅日志到期销毁"
    en = "Reads cut off"
    day = "批准销毁之日,不晚于登记之日"
    final = True
    writes = (Writes(READS_CUT, key="ledger", value=("rows", "before", "ground")),)

    ledger: Annotated[Id, Subject("ledger")]
    rows: Annotated[int, Field(ge=1)]
    before: date
    ground: Code

    def decide(self, case: Case) -> None:
        if case.effective > case.today:
            raise ImpossibleDate(
                "it is ordered on entering, so not on a later day", field="effective",
                zh="登记即下令,生效日不得晚于登记之日",
            )  # fmt: skip
        gone = case.value(READS_CUT, self.ledger)
        if gone is not None and gone["rows"] >= self.rows:
            raise AlreadyRecorded("as many rows were ordered to go before", field="rows",
                                  zh="此前已下令销毁同样多的记录")  # fmt: skip
        noted = case.value(READS_SEAL, self.ledger)
        if noted is None or noted["size"] < self.rows:
            case.forbid(
                "这些记录尚未在账本中存证,请先封签",
                "the ledger has noted no head over these rows: seal first", "rows",
            )  # fmt: skip
        young = too_young(case.rules(NATION), self.before, case.today)
        if young is not None:  # attested or not: entering it is what makes it happen
            raise young


def too_young(law: Rules, before: date, today: date) -> HeldBack | None:
    """Why reads from before a day may not go yet."""
    breach = floor(law.find("reads-kept"), whole_months(before, today), field="before")
    if breach is None:
        return None
    return HeldBack(breach.en, zh=breach.zh, field="before", article=breach.rule.article)


def vouched(ledger: str, keys: list[Verifier], note: Note) -> bool:
    """Whether both keys, old and new, are this ledger's and signed the change."""
    old, new = keys
    return (
        old.name == new.name == f"personnel-ledger/{ledger}"
        and old.key != new.key
        and note.text == key_text(old, new)
        and all(note.signed_by(key) for key in keys)
    )
