"""Reviews 复核: an act that a later entry undermines is looked at again by a named authority.

Owns the review of an act. Invariant: a review is opened only in the batch that undermines the act,
which the ledger sees to, and is concluded once; it changes nothing by itself. What is amended or
annulled is corrected by an entry of its own.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domain.acts.dues import Due
from domain.case import Case
from domain.events import Code, Event, Facet, Id, PersonId, Subject, Text, UnitId, Writes
from domain.refusals import AlreadyRecorded, UnknownFact

REVIEW = Facet("review", of="review", zh="复核", en="review", stays=True)

ReviewId = Annotated[Id, Subject("review")]
"""The event id of the entry under review."""


class ReviewOpened(Event):
    """A change that undermines an earlier entry is acknowledged; that entry goes under review.

    `position` is that of the entry under review, `persons` and `units` are those it is about, the
    one whose record it is first.
    """

    zh = "确认影响并启动复核"
    en = "Review opened"
    day = "登记之日"
    writes = (Writes(REVIEW, key="review", value=("position", "reason"), fixed={"state": "open"}),)

    review: ReviewId
    position: Annotated[int, Field(ge=1)]
    persons: list[PersonId] = Field(default_factory=list)
    units: list[UnitId] = Field(default_factory=list)
    reason: Text


class ReviewConcluded(Event):
    """An authority has looked at the entry again: confirmed, amended or annulled (复核结论)."""

    zh = "复核结论"
    en = "Review concluded"
    day = "作出复核结论之日"
    writes = (
        Writes(
            REVIEW, key="review", value=("outcome", "authority", "note"),
            fixed={"state": "concluded"},
        ),
    )  # fmt: skip
    due: ClassVar[Due] = Due(after=("ReviewOpened",), on="review", rule="review-term")

    review: ReviewId
    outcome: Literal["confirmed", "amended", "annulled"]
    authority: Code
    note: Text | None = None

    def decide(self, case: Case) -> None:
        held = case.at(REVIEW, self.review)
        if held is None:
            raise UnknownFact(
                f"no review of this entry is open on {case.effective}",
                zh=f"{case.effective} 没有对该登记的复核", field="review",
            )  # fmt: skip
        if held.value["state"] == "concluded":
            raise AlreadyRecorded("this review is concluded", zh="该复核已有结论", field="review")
