"""Who reads, by which right and what for; every answer about records passes here first.

Owns the rule of when a purpose must be stated, and its form. Invariant: what a reader was answered
was put on record before; private fields are opened for a stated purpose only.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import unquote_to_bytes

from domain.events import Actor
from domain.ledger.reads import Read, ReadLog, ReadNotRecorded
from domain.refusals import BadInput, Refusal

MOST_PURPOSE = 200
_NARROWING = frozenset(("grade", "post", "category", "tags", "states"))
"""Parameters that are nobody's only where they met somebody: else they may be anything."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"\d[\d \-]{9,}\d")
"""What may be somebody's number: an ID card's, a telephone's."""
_CASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")


class PurposeMissing(Refusal):
    """Private fields need a purpose: header Purpose, --purpose or PERSONNEL_LEDGER_PURPOSE."""

    code = "purpose-missing"
    category = "incorrect"
    zh = "查阅私密字段须说明用途(Purpose 头、--purpose 或 PERSONNEL_LEDGER_PURPOSE)"


class Question(NamedTuple):
    """What is asked: its name, its parameters but private ones, and whom alone it is about.

    `again`: whether it can be put again with these parameters and gives the same persons.
    """

    name: str
    parameters: Mapping[str, Any] = {}
    subject: str | None = None
    again: bool = False

    def met(self, persons: Collection[str]) -> Self:
        """The question as it is put on record, once it is known whom it met."""
        if persons:
            return self
        kept = {name: what for name, what in self.parameters.items() if name not in _NARROWING}
        return self._replace(parameters=kept)


UNNAMED = Question("unnamed")


class Reader(NamedTuple):
    """Whoever is answered. `noted` is told what became of each read and where its row lies."""

    reads: ReadLog
    actor: Actor
    via: str
    purpose: str | None = None
    case: str | None = None
    rights: Sequence[Mapping[str, Any]] | None = None
    request_id: str | None = None
    noted: Callable[[str, int], None] = lambda *_: None

    def read(
        self,
        question: Question,
        as_of: Mapping[str, Any],
        persons: Collection[str],
        classes: Collection[str],
        cases: Collection[str] = (),
    ) -> int:
        """Put what is about to be answered on record; the position of its row.

        Raises PurposeMissing, ReadNotRecorded: there is no answer then.
        """
        if classes and self.purpose is None:
            self.denied(question, cases, () if question.again else persons)
            raise PurposeMissing(field="purpose")
        read = self._said(question.met(persons), persons)
        return self._record(read._replace(as_of=as_of, classes=classes, cases=cases))

    def denied(
        self, question: Question, cases: Collection[str] = (), met: Collection[str] = ()
    ) -> None:
        """Put a refused look on record. Where that fails there is an alarm; it stays refused.
        `met`: whom a search found, for that it is refused tells that there is somebody.
        """
        alone = met if question.subject is None else [question.subject]
        try:
            self._record(self._said(question, alone)._replace(outcome="denied", cases=cases))
        except ReadNotRecorded:
            return

    def _said(self, question: Question, persons: Collection[str]) -> Read:
        return Read(
            self.actor, self.via, question=question.name, parameters=question.parameters,
            persons=persons, subject=question.subject, again=question.again, purpose=self.purpose,
            case=self.case, rights=self.rights, request_id=self.request_id,
        )  # fmt: skip

    def _record(self, read: Read) -> int:
        try:
            position = self.reads.record(read)
        except ReadNotRecorded:
            self.noted("unrecorded", 0)
            raise
        self.noted(read.outcome, position)
        return position

    def stating(self, purpose: str | None, case: str | None) -> Self:
        """With purpose and case as they were given. Raises BadInput."""
        return self._replace(purpose=purpose_of(purpose), case=case_of(case))


class PutAgain:
    """Nobody: a question is put again to learn whom it was about, and nothing is opened."""

    def __init__(self) -> None:
        self.persons: set[str] = set()

    def read(
        self,
        _: Question,
        __: Mapping[str, Any],
        persons: Collection[str],
        classes: Collection[str],
        cases: Collection[str] = (),  # noqa: ARG002 - a reader is told of them
    ) -> int:
        if classes:
            raise PurposeMissing(field="purpose")
        self.persons.update(persons)
        return 0


def purpose_of(said: str | None) -> str | None:
    """A purpose as it was stated, None where it is blank. Raises BadInput."""
    purpose = (said or "").strip()
    if len(purpose) > MOST_PURPOSE or _CONTROL.search(purpose) or "\ufffd" in purpose:
        raise BadInput(f"a line of at most {MOST_PURPOSE} characters", field="purpose",
                       zh=f"用途为一行,至多 {MOST_PURPOSE} 字")  # fmt: skip
    if _NUMBER.search(purpose):
        raise BadInput("a purpose names a task or a case, nobody's number", field="purpose",
                       zh="用途写事由或案号,不写证件号、电话")  # fmt: skip
    return purpose or None


def from_header(said: str | None) -> str | None:
    """The purpose in a header: UTF-8, percent-encoded. Raises BadInput."""
    try:
        return purpose_of(unquote_to_bytes((said or "").encode("latin-1")).decode())
    except UnicodeError:
        raise BadInput("percent-encoded UTF-8", field="purpose",
                       zh="须为 UTF-8 百分号编码") from None  # fmt: skip


def case_of(said: str | None) -> str | None:
    """A case's id as it was stated. Raises BadInput."""
    case = (said or "").strip()
    if case and not _CASE.fullmatch(case):
        raise BadInput("a case is named by its id", field="case", zh="案件只写其标识")
    return case or None
