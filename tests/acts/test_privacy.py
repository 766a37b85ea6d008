"""What may be destroyed or restricted, and when."""

from datetime import date

import pytest

from domain.acts.people import PersonRegistered
from domain.acts.privacy import (
    DESTROYED,
    HOLDS,
    RESTRICTED,
    EscrowHolderNamed,
    LegalHoldLifted,
    LegalHoldPlaced,
    PrivateDataDestroyed,
    PrivateDataRestricted,
    PrivateDataRestrictionLifted,
    RetentionHeld,
)
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    HeldBack,
    ImpossibleDate,
    MissingField,
    RecordForbids,
    UnknownFact,
    UnknownSubject,
)
from tests.given import act, given

P = {"person": "p1", "ground": "个人信息保护法 47"}
DAY, AFTER = "2024-05-01", "2026-12-31"
REGISTERED = act(PersonRegistered(person="p1"))


def destroyed(*classes, on=DAY, **envelope):
    return act(PrivateDataDestroyed(**P, classes=classes, approval="销〔2024〕1号"), on, **envelope)


def retained(*classes, until):
    return act(RetentionHeld(**P, classes=classes), until=until)


def legal(*classes):
    return act(LegalHoldPlaced(**P, classes=classes, organ="某市检察院"))


def restricted(*classes, holders=("h1", "h2"), on=DAY, **envelope):
    return act(PrivateDataRestricted(**P, classes=classes, holders=holders), on, **envelope)


def holder(name):
    return act(EscrowHolderNamed(holder=name, public_key="ab" * 32))


def test_destroyed_classes_are_on_record_with_ground_and_approval():
    story = given(REGISTERED).when(destroyed("health", "identity"))
    assert story.every(DESTROYED, "p1", DAY) == [
        {"classes": ["health", "identity"], "ground": P["ground"], "approval": "销〔2024〕1号"}
    ]


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_a_legal_hold_forbids_destroying_its_classes_until_it_is_lifted(mood):
    story = given(REGISTERED, legal("health"))
    story.refused(
        destroyed("health", "identity"), HeldBack, mood, field="classes", article=P["ground"],
        position=2,
    )  # fmt: skip
    story.when(destroyed("identity"))
    story.when(act(LegalHoldLifted(**P), "2024-04-01")).when(destroyed("health"))


def test_a_retention_forbids_destroying_until_it_has_run_out_by_the_day_of_entry():
    given(REGISTERED, retained("identity", until="2026-11-03")).refused(
        destroyed("identity"), HeldBack
    )
    given(REGISTERED, retained("identity", until="2026-11-02")).when(destroyed("identity"))


def test_a_retention_needs_its_end_and_is_not_lifted():
    story = given(REGISTERED)
    story.refused(act(RetentionHeld(**P, classes=["identity"])), MissingField, field="until")
    story.given(retained("identity", until="2030-01-01"))
    story.refused(act(LegalHoldLifted(**P), DAY), RecordForbids, field="ends")
    assert len(story.every(HOLDS, "p1", DAY)) == 1


@pytest.mark.parametrize("order", [destroyed, restricted])
def test_what_is_done_on_entering_has_no_later_day_and_no_end(order):
    story = given(REGISTERED, holder("h1"), holder("h2"))
    story.refused(order("identity", on=AFTER), ImpossibleDate, field="effective")
    story.refused(order("identity", until="2025-01-01"), ImpossibleDate, field="until")


def test_a_destruction_may_be_ordered_again_but_not_of_nobody():
    """A merge may have brought in an id that the first order did not reach."""
    given(REGISTERED, destroyed("identity")).when(destroyed("identity"))
    given().refused(destroyed("identity"), UnknownSubject)


def test_a_restriction_names_two_known_holders():
    story = given(REGISTERED, holder("h1"))
    story.refused(restricted("identity"), UnknownSubject, field="holders")
    with pytest.raises(ValueError, match="at least 2"):
        restricted("identity", holders=["h1"])
    story.given(holder("h2")).refused(restricted("identity", holders=["h1", "h1"]), BadInput)
    story.when(restricted("identity"))
    story.refused(restricted("identity", "health"), AlreadyRecorded)
    assert len(story.every(RESTRICTED, "p1", DAY)) == 1


def test_a_lifted_restriction_may_be_ordered_again():
    story = given(REGISTERED, holder("h1"), holder("h2"), restricted("identity"))
    lifted = act(PrivateDataRestrictionLifted(**P), date(2024, 5, 2))
    story.when(lifted).refused(lifted, UnknownFact)
    assert story.every(RESTRICTED, "p1", "2024-05-02") == []
    story.when(restricted("identity", on="2024-05-03"))


def test_what_is_restricted_may_be_destroyed():
    story = given(REGISTERED, holder("h1"), holder("h2"), restricted("identity"))
    story.when(destroyed("identity"))
    story.refused(restricted("identity"), AlreadyRecorded)
