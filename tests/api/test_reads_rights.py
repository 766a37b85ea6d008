"""Whose rights a read was by, what is denied, and one's own record, over a socket."""

import pytest

from domain.ledger.reads import Row
from domain.refusals import Refusal
from tests.api.conftest import person
from tests.api.identities import ISSUER
from tests.api.test_access import HERE, THERE, Desk, desk

__all__ = ["desk"]


def looks_of(desk: Desk, subject: str) -> list[Row]:
    rows = map(Row.of, desk.bureau.reads.log.entries())
    return [row for row in rows if row.said.get("actor", {}).get("subject") == subject]


def test_a_read_keeps_the_rights_used_and_a_denied_one_who_was_refused(desk: Desk) -> None:
    desk.grant("looker", "inspector", unit="north", classes=["identity"])
    assert desk.ask("GET", f"/v1/auxiliaries/{HERE}", "looker").status_code == 200
    assert desk.ask("GET", f"/v1/auxiliaries/{THERE}", "looker").status_code == 403
    number = "11010519491231002X"
    assert desk.ask("GET", f"/v1/auxiliaries/{number}", "looker").status_code == 403

    seen, denied, unknown = looks_of(desk, "looker")
    assert seen.said["actor"] == {"issuer": ISSUER, "subject": "looker", "role": "inspector"}
    assert seen.said["rights"] == [{"role": "inspector", "unit": "north", "classes": ["identity"]}]
    assert (denied.said["outcome"], denied.said["subject"]) == ("denied", THERE)
    assert f"person:{THERE}" in denied.tags
    assert "subject" not in unknown.said
    assert number not in str(unknown)
    who = desk.ask("GET", f"/v1/auxiliaries/{THERE}/reads", "auditor-whole").json()["data"]["reads"]
    assert [r["outcome"] for r in who if r["actor"]["subject"] == "looker"] == ["denied"]


def test_a_person_sees_their_own_record_and_who_has_read_it(desk: Desk) -> None:
    desk.grant("self", "subject", person=HERE, classes=["identity"])
    desk.ask("GET", f"/v1/auxiliaries/{HERE}", "clerk-whole", headers={"Purpose": "reason-x"})

    record = desk.ask("GET", f"/v1/own/record?person={THERE}", "self")
    reads = desk.ask("GET", "/v1/own/reads", "self").json()["data"]

    assert record.status_code == 200
    assert record.json()["data"]["person"] == HERE
    assert "甲" in record.text
    assert "reason-x" in [read.get("purpose") for read in reads["reads"]]
    for url in (f"/v1/auxiliaries/{HERE}", f"/v1/auxiliaries/{HERE}/reads", "/v1/roster"):
        assert desk.ask("GET", url, "self").status_code == 403, url


def test_ones_own_record_tells_no_private_value_of_others(desk: Desk) -> None:
    acts = [
        {"type": "OfficerAppointed", "effective": "2022-01-01", "person": "p-leader",
         "unit": "north-1"},
        {"type": "SupervisingOfficerAssigned", "effective": "2023-05-01", "person": HERE,
         "officer": "p-leader"},
    ]  # fmt: skip
    said = {"mood": "attested", "attested_by": "the chief"}
    entered = desk.post("first", person("p-leader", name="带辅某"), *acts, **said)
    assert entered.status_code == 201, entered.text
    desk.grant("self-too", "subject", person=HERE, classes=["identity"])
    told = desk.ask("GET", "/v1/own/record", "self-too")
    assert told.json()["data"]["people"]["p-leader"] == {"name": {"withheld": True}}
    assert told.json()["data"]["people"][HERE] == {"name": "甲"}
    assert "带辅某" not in told.text


def test_an_account_is_the_subject_of_one_person(desk: Desk) -> None:
    desk.grant("one-self", "subject", person=HERE)
    for wrong in ({"person": THERE}, {}, {"person": HERE, "unit": "north"}):
        with pytest.raises(Refusal):
            desk.grant("one-self", "subject", **wrong)
