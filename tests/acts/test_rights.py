from typing import Any

import pytest

from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rights import (
    API_KEY,
    ROLE,
    ApiKeyIssued,
    ApiKeyRevoked,
    RoleGranted,
    RoleWithdrawn,
    account_of,
)
from domain.acts.units import UnitEstablished
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    MissingField,
    RecordForbids,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act

ISSUER, HASH = "https://id.example", "0" * 64
ACCOUNT = account_of(ISSUER, "li")


def granted(role: str = "clerk", **fields: Any) -> RoleGranted:
    return RoleGranted(account=ACCOUNT, issuer=ISSUER, subject="li", role=role, **fields)


def issued(key: str = "k1") -> ApiKeyIssued:
    return ApiKeyIssued(key=key, account=ACCOUNT, issuer=ISSUER, subject="li", hash=HASH)


def bureau() -> Story:
    return Story().given(
        act(UnitEstablished(unit="u1", name="城东所"), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(PersonRegistered(person="p2"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-01"),
    )


def test_an_account_holds_each_right_until_it_is_withdrawn() -> None:
    story = bureau().given(act(granted(), "2022-01-04"), act(granted(unit="u1"), "2022-01-04"))
    assert [value.get("unit") for value in story.every(ROLE, ACCOUNT)] == [None, "u1"]

    story.refused(act(RoleWithdrawn(account=ACCOUNT), "2022-02-01"), BadInput, field="ends")
    story.given(act(RoleWithdrawn(account=ACCOUNT), "2022-02-01", ends=story.id_of(6)))

    assert [v.get("unit") for v in story.every(ROLE, ACCOUNT, "2022-02-01")] == [None]


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_an_auxiliary_in_service_is_never_an_approver(mood: Any) -> None:
    story = bureau()
    story.refused(act(granted("approver", person="p1")), RecordForbids, mood, field="person")
    story.refused(act(granted("approver")), MissingField, mood, field="person")
    story.given(act(granted("approver", person="p2")), act(granted("clerk", person="p1")))


def test_a_right_names_what_there_is_and_is_given_once() -> None:
    story = bureau().given(act(granted()))
    story.refused(act(granted()), AlreadyRecorded)
    story.refused(act(granted(unit="u9")), UnknownSubject, field="unit")
    other = granted().model_copy(update={"subject": "wang"})
    story.refused(act(other), BadInput, field="account")


def test_two_accounts_never_share_an_id() -> None:
    assert len({account_of("a|b", "c"), account_of("a", "b|c"), account_of("a", "c")}) == 3


def test_a_key_expires_is_issued_once_and_is_revoked() -> None:
    story = bureau()
    story.refused(act(issued()), MissingField, field="until")
    story.given(act(issued(), "2022-01-04", until="2022-06-01"))

    assert story.value(API_KEY, "k1", "2022-05-31")["hash"] == HASH
    assert story.at(API_KEY, "k1", "2022-06-01") is None
    story.refused(act(issued(), "2023-01-01", until="2024-01-01"), AlreadyRecorded)
    story.given(act(ApiKeyRevoked(key="k1"), "2022-02-01"))
    assert story.at(API_KEY, "k1", "2022-02-01") is None
    story.refused(act(ApiKeyRevoked(key="k9"), "2022-02-01"), UnknownFact)
