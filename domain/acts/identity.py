"""Identity 身份归并: one human being who was entered under several ids.

Owns the merge of two persons; its annulment is the split. Invariant: merges form a forest: an id
goes into at most one other, and following them leads to one kept id.
"""

from collections.abc import Iterator
from datetime import date

from domain.acts.officers import OFFICER
from domain.acts.people import SERVICE, require_person
from domain.bitemporal import FOREVER, OPEN, segments
from domain.case import Case, Finding
from domain.events import Event, Facet, PersonId, Writes
from domain.refusals import AlreadyRecorded, BadInput

SAME_AS = Facet("same-as", of="person", zh="归并到", en="same as", stays=True, ref="kept")


class PersonsMerged(Event):
    """Two ids are one human being (人员归并): what is filed under one reads as under the other.

    From its entry on, and for every day: the effective day is only that of the decision. The id
    that went keeps answering. To annul the merge is to split them again.
    """

    zh = "人员归并"
    en = "Persons merged"
    day = "决定归并之日;归并对一切日期有效"
    writes = (Writes(SAME_AS, key="merged", value=("kept",)),)
    merges = ("merged", "kept")

    kept: PersonId
    merged: PersonId

    def decide(self, case: Case) -> None:
        if case.until is not None:
            raise BadInput("a merge has no last day; it is annulled", field="until",
                           zh="归并没有止日,只能撤销")  # fmt: skip
        if self.kept == self.merged:
            raise BadInput("an id is not merged into itself", field="merged",
                           zh="不能将同一人员标识归并到自身")  # fmt: skip
        into, kept = case.kept(self.merged), case.kept(self.kept)
        if into == kept and into != self.merged:
            raise AlreadyRecorded("the two are one already", zh="两者已归并", field="merged")
        if into != self.merged:
            case.forbid(f"该人员已归并到 {into}", f"already merged into {into}", "merged")
        if kept == self.merged:
            case.forbid("归并成环:保留的人员已归并到该人员",
                        "the kept id has itself gone into this one", "kept")  # fmt: skip
        require_person(case, kept, "kept")
        require_person(case, self.merged, "merged")
        if (since := _employed_twice(case, kept, self.merged)) is not None:
            said = (
                f"两份记录自 {since} 起同时任职",
                f"both were employed from {since} on",
                "merged",
            )
            case.findings.append(Finding("employed-twice", "", "warn", "in-force", *said))


def _employed_twice(case: Case, one: str, other: str) -> date | None:
    """The first day on which both records say that the person served, as auxiliary or officer."""
    both = [
        max(start, begun)
        for start, end in _employed(case, one)
        for begun, over in _employed(case, other)
        if max(start, begun) < min(end, over)
    ]
    return min(both, default=None)


def _employed(case: Case, person: str) -> Iterator[tuple[date, date]]:
    for facet in (SERVICE, OFFICER):
        facts = case.recorded(facet, person)
        first = min((f.effective for f in facts), default=OPEN)
        for start, end, fact in segments(facts, FOREVER - 1, first, OPEN):
            if fact is not None and fact.value and fact.value.get("state", "in") == "in":
                yield start, end
