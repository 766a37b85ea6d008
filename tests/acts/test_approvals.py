from datetime import timedelta
from typing import Any

import pytest

from domain.acts.approvals import APPROVAL, ApprovalUsed, RequestApproved
from domain.acts.rights import account_of
from domain.refusals import (
    AlreadyRecorded,
    ApprovalNeeded,
    BadInput,
    ImpossibleDate,
    MissingField,
)
from tests.given import Story, act

TODAY, LAST = "2026-11-02", "2026-11-10"
ISSUER, DIGEST = "https://id.example", "a" * 64
BOSS, OTHER = account_of(ISSUER, "boss"), account_of(ISSUER, "other")


def approved(request: str = DIGEST, **fields: Any) -> RequestApproved:
    said = {"account": BOSS, "issuer": ISSUER, "subject": "boss", **fields}
    return RequestApproved(request=request, **said)


def used(account: str = BOSS, request: str = DIGEST) -> ApprovalUsed:
    return ApprovalUsed(request=request, account=account)


def story() -> Story:
    return Story().given(act(approved(), TODAY, until=LAST))


def test_an_approval_is_used_once_and_may_then_be_given_again() -> None:
    told = story().when(act(used(), TODAY))
    told.refused(act(used(), TODAY), ApprovalNeeded, field="approved_by")
    told.when(act(approved(), TODAY, until=LAST)).when(act(used(), TODAY))


def test_it_is_for_one_request_and_of_one_account() -> None:
    told = story()
    told.refused(act(used(OTHER), TODAY), ApprovalNeeded)
    told.refused(act(used(request="b" * 64), TODAY), ApprovalNeeded)
    told.refused(act(approved(), TODAY, until=LAST), AlreadyRecorded)


@pytest.mark.parametrize(
    ("day", "good"), [("2026-11-09", True), (LAST, False), ("2027-01-01", False)]
)
def test_it_lapses(day: str, *, good: bool) -> None:
    if good:
        story().when(act(used(), day))
    else:
        story().refused(act(used(), day), ApprovalNeeded)


def test_it_is_of_today_for_a_while_and_of_the_account_it_names() -> None:
    told = Story()
    told.refused(act(approved(), "2026-11-01", until=LAST), ImpossibleDate, field="effective")
    told.refused(act(approved(), TODAY), MissingField, field="until")
    longer = act(approved(), TODAY)
    longer = longer._replace(until=longer.effective + timedelta(days=32))
    told.refused(longer, MissingField, field="until")
    told.refused(act(approved(subject="x"), TODAY, until=LAST), BadInput, field="account")
    assert told.record.versions(APPROVAL, f"request:{DIGEST}") == []


@pytest.mark.parametrize("cls", [RequestApproved, ApprovalUsed])
def test_neither_is_corrected_or_annulled(cls: Any) -> None:
    assert cls.final
