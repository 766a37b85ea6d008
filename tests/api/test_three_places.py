"""Ningbo (in force), Suzhou (reported) and no place at all, end to end through the API."""

from typing import Any

import pytest

from api.publishing import publish_law
from tests.api.conftest import Office, hired, person, unit

COMPLETED, DUE = "2021-09-28", "2021-10-11"  # 1 to 7 October free, Saturday the 9th worked


@pytest.fixture(scope="module")
def places(office: Office) -> Office:
    publish_law(office.bureau.ledger)
    office.entered(
        unit("suzhou", kind="bureau", division="320500"),
        unit("nowhere", kind="bureau", division="none"),
    )
    return office


def recruited(plan: str, *persons: str, on: str = COMPLETED) -> dict[str, Any]:
    return {
        "type": "RecruitmentCompleted", "effective": on, "plan": plan, "unit": "north",
        "persons": list(persons),
    }  # fmt: skip


def filed(plan: str, *persons: str, on: str) -> dict[str, Any]:
    return {
        "type": "HireListFiled", "effective": on, "plan": plan, "filed_to": "bureau",
        "persons": list(persons),
    }  # fmt: skip


def filing_of(office: Office, plan: str, on: str) -> dict[str, Any]:
    items = office.get("/v1/due", effective=on)["data"]["items"]
    [item] = [i for i in items if i["subject"] == f"plan:{plan}"]
    return item


def test_a_hire_list_is_due_in_five_working_days_of_the_published_calendar(places: Office) -> None:
    places.entered(person("p-open"))
    places.entered(recruited("open", "p-open"))

    assert filing_of(places, "open", "2021-10-08")["deadline"]["due"] == DUE
    assert filing_of(places, "open", DUE)["state"] == "open"
    assert filing_of(places, "open", "2021-10-12")["state"] == "overdue"


@pytest.mark.parametrize(("on", "state", "late"), [(DUE, "kept", 0), ("2021-10-13", "late", 2)])
def test_it_is_kept_or_late_by_working_days(places: Office, on: str, state: str, late: int) -> None:
    plan = f"plan-{state}"
    places.entered(person(f"p-{state}"))
    places.entered(recruited(plan, f"p-{state}"))
    places.entered(filed(plan, f"p-{state}", on=on))

    told = filing_of(places, plan, "2021-12-01")

    assert (told["state"], told["late"], told["deadline"]["due"]) == (state, late, DUE)
    assert filing_of(places, plan, "2021-10-10")["state"] == "open"


def test_a_recruitment_before_the_opinions_were_in_force_has_no_term(places: Office) -> None:
    places.entered(person("p-early"))
    places.entered(recruited("early", "p-early", on="2021-07-20"))

    items = places.get("/v1/due", effective="2021-12-01")["data"]["items"]

    assert not [i for i in items if i["subject"] == "plan:early"]


def test_ningbo_refuses_a_hire_outside_the_recruitment_with_its_article(places: Office) -> None:
    places.entered(person("p-ningbo"))
    head = places.head()

    refused = places.post(hired("p-ningbo", on="2021-10-18"))

    assert refused.status_code == 409
    problem = refused.json()
    assert (problem["rule"], problem["article"]) == ("unified-recruitment", "实施意见 三(二)7")
    assert places.head() == head


def test_what_happened_all_the_same_is_attested_and_found(places: Office) -> None:
    places.entered(person("p-attested"))
    places.entered(hired("p-attested", on="2021-10-18"), mood="attested", attested_by="督察支队")

    [entry] = places.get("/v1/findings", person="p-attested")["data"]["entries"]

    assert "unified-recruitment" in {finding["rule"] for finding in entry["findings"]}


def test_suzhou_is_reported_and_only_warns(places: Office) -> None:
    places.entered(person("p-suzhou"))
    places.entered(hired("p-suzhou", on="2021-10-18", at="suzhou"))
    rated = {
        "type": "GradeRated", "effective": "2021-10-18", "person": "p-suzhou", "grade": "colonel",
    }  # fmt: skip

    answer = places.post(rated)

    assert answer.status_code == 201
    assert answer.json()["findings"]


def test_no_place_has_no_rules(places: Office) -> None:
    places.entered(person("p-nowhere"))
    acts = (
        hired("p-nowhere", on="2021-10-18", at="nowhere"),
        {
            "type": "GradeRated", "effective": "2021-10-18", "person": "p-nowhere",
            "grade": "colonel",
        },
    )  # fmt: skip

    answer = places.post(*acts)

    assert (answer.status_code, answer.json()["findings"]) == (201, [])
