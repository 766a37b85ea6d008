"""Reads are evidence: a row before every answer, a purpose for private fields, and who has read."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from api import looked
from api.settings import Bureau
from domain.events import Actor, cases_of
from domain.ledger.reads import FEW, READ_DENIED, RECORD_READ, Read, Row, digest_of
from domain.refusals import BadInput, UnknownSubject
from projections.sight import Sight
from tests.api.conftest import Office, hired, person, transferred

NAME, NUMBER = "欧阳查阅", "11010519491231002X"
MANY = [f"m{n}" for n in range(FEW + 4)]
TOLD = "/v1/auxiliaries/read-1"


@pytest.fixture(scope="module", autouse=True)
def people(office: Office) -> None:
    acts = [person("read-1", name=NAME, id_number=NUMBER), hired("read-1")]
    for many in MANY:
        acts += [person(many, name=f"众{many}"), hired(many, at="south")]
    office.entered(*acts, mood="attested", attested_by="政治部")


def rows(office: Office, after: int = 0) -> list[Row]:
    return [Row.of(stored) for stored in office.bureau.reads.log.entries(after=after)]


def head(office: Office) -> int:
    return office.bureau.reads.log.head()


def asked(office: Office, path: str, **headers: str) -> httpx.Response:
    """Asked by a client that states nothing but this."""
    return httpx.get(f"http://127.0.0.1:{office.port}{path}", headers=headers)


def who_read(office: Office, who: str, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    return looked.who_read(office.bureau, who, *args, **kwargs)["data"]["reads"]


# the purpose


def test_private_fields_are_not_answered_without_a_purpose(office: Office) -> None:
    before = head(office)
    answer = asked(office, TOLD)
    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (422, "purpose-missing", "purpose")
    assert NAME not in answer.text
    [row] = rows(office, before)
    assert (row.type, row.said["subject"]) == (READ_DENIED, "read-1")
    assert "person:read-1" in row.tags


def test_what_shows_no_private_field_needs_none_and_is_on_record(office: Office) -> None:
    before = head(office)
    assert asked(office, "/v1/headcounts?by=unit").status_code == 200
    [row] = rows(office, before)
    assert (row.type, row.said["question"]) == (RECORD_READ, "headcounts")
    assert "classes" not in row.said


@pytest.mark.parametrize(
    ("header", "why"),
    [("%ff%fe", "no UTF-8"), (quote("查" * 201), "long"), (quote("一\n二"), "two lines"),
     (quote(f"查 {NUMBER[:17]}"), "a number"), (quote("电话 139 1234 5678"), "a telephone")],
)  # fmt: skip
def test_a_purpose_that_is_none_is_refused_and_kept_nowhere(
    office: Office, header: str, why: str
) -> None:
    before = head(office)
    answer = asked(office, TOLD, Purpose=header)
    assert (answer.status_code, answer.json()["field"]) == (422, "purpose"), why
    assert head(office) == before


@pytest.mark.parametrize("header", ["", "%20%20", "%0A"])
def test_a_blank_purpose_is_none(office: Office, header: str) -> None:
    assert asked(office, TOLD, Purpose=header).json()["code"] == "purpose-missing"


# the row


def test_a_row_says_who_what_why_and_of_which_pair(office: Office) -> None:
    before = head(office)
    answer = office.http.get(
        TOLD, params={"effective": "2023-01-01"}, headers={"Case": "C-7", "X-Request-Id": "r-7"}
    )
    assert answer.status_code == 200
    assert NAME in answer.text
    [row] = rows(office, before)
    assert row.type == RECORD_READ
    expected = {
        "format": 1, "outcome": "allowed", "via": "GET /v1/auxiliaries/{person}",
        "actor": {"issuer": "local", "subject": "api", "role": "clerk"},
        "question": "record", "parameters": {"person": "read-1"}, "subject": "read-1",
        "effective": "2023-01-01", "recorded": answer.json()["as_of"]["recorded"],
        "classes": ["identity"], "count": 1, "digest": digest_of(["read-1"]),
        "purpose": "月度核对", "case": "C-7", "request_id": "r-7",
    }  # fmt: skip
    assert {name: row.said.get(name) for name in expected} == expected
    assert {"person:read-1", "case:C-7"} < set(row.tags)


def test_a_search_keeps_its_kind_and_whom_it_found_and_no_value(office: Office) -> None:
    before = head(office)
    for sought in ({"name": NAME}, {"id_number": NUMBER}, {"name": "查无此人"}):
        assert office.http.post("/v1/lookup", json=sought).status_code == 200
    found = rows(office, before)
    assert [row.said["parameters"] for row in found] == [
        {"name": None}, {"id_number": None}, {"name": None},
    ]  # fmt: skip
    assert [row.said["count"] for row in found] == [1, 1, 0]
    assert "person:read-1" in found[0].tags


def test_a_search_that_is_refused_for_its_purpose_names_whom_it_found(office: Office) -> None:
    """The refusal itself tells that there is somebody of this number."""
    before = head(office)
    for number, status in ((NUMBER, 422), ("320500199101010025", 200)):
        answer = office.http.post("/v1/lookup", json={"id_number": number}, headers={"Purpose": ""})
        assert answer.status_code == status
    denied, vain = rows(office, before)
    assert (denied.type, denied.said["count"]) == (READ_DENIED, 1)
    assert "person:read-1" in denied.tags
    assert vain.said["count"] == 0


def test_a_number_that_is_taken_tells_of_its_holder(office: Office) -> None:
    """Whoever may enter could else find out, by no look, who is in the ledger."""
    before = head(office)
    taken = person("read-x", id_number=NUMBER)
    previewed = {"events": [taken], "mood": "attested"}
    assert office.http.post("/v1/preview", json=previewed).json()["code"] == "taken"
    refused = office.post(taken, mood="attested")
    assert refused.json()["code"] == "taken"
    assert "read-1" not in refused.text
    for row in rows(office, before):
        assert (row.type, row.said["question"]) == (READ_DENIED, "taken")
        assert "person:read-1" in row.tags
    assert len(rows(office, before)) == 2


def test_whoever_is_not_on_record_is_named_in_no_row(office: Office) -> None:
    """An id that nobody has may be anything that was typed, or pasted from another column."""
    before = head(office)
    reward = {"type": "RewardGranted", "effective": "2022-02-01", "kind": "嘉奖"}
    listed = {"act": reward, "to": {"persons": ["read-1", NUMBER]}}
    assert office.http.post("/v1/mass/preview", json=listed).status_code == 200
    fresh = {"events": [{**person("x"), "person": f"{NUMBER}-1"}], "mood": "attested"}
    assert office.http.post("/v1/preview", json=fresh).status_code == 200
    assert [[t for t in row.tags if t.startswith("person:")] for row in rows(office, before)] == [
        ["person:read-1"], [],
    ]  # fmt: skip


def test_no_private_value_is_in_any_row(office: Office) -> None:
    office.http.get("/v1/roster", params={"grade": NAME})
    office.http.get("/v1/journal", params={"tag": f"person:{NUMBER}"})
    office.http.get(f"/v1/auxiliaries/{NUMBER}")
    office.http.get("/v1/findings", params={"person": "read-1", "unit": NUMBER})
    for stored in office.bureau.reads.log.entries():
        for value in (NAME, NUMBER, NUMBER[:-1]):
            assert value not in stored.data.decode() + " ".join(stored.tags)


def test_following_in_vain_is_no_read_and_what_is_told_is(office: Office) -> None:
    before = head(office)
    end = office.head()
    assert office.http.get("/v1/changes", params={"after": end}).json() == []
    assert head(office) == before
    office.http.get("/v1/changes", params={"after": end - 1})
    [row] = rows(office, before)
    assert (row.said["question"], row.said["recorded"]) == ("changes", end)


def test_what_cannot_be_put_on_record_is_not_answered(office: Office) -> None:
    with _unwritable(office.bureau):
        answer = office.http.get(TOLD)
        assert (answer.status_code, answer.json()["code"]) == (503, "read-not-recorded")
        assert NAME not in answer.text
    assert office.http.get(TOLD).status_code == 200
    measured = office.http.get("/metrics").text
    assert 'personnel_ledger_reads_total{outcome="unrecorded"} 1.0' in measured


@contextmanager
def _unwritable(bureau: Bureau) -> Iterator[None]:
    with psycopg.connect(bureau.database, autocommit=True) as connection:
        connection.execute("ALTER TABLE reads_entries RENAME TO reads_away")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE reads_away RENAME TO reads_entries")


# who has read


def test_who_read_names_reads_of_one_and_lists_put_again(office: Office) -> None:
    before = head(office)
    office.http.get("/v1/roster", params={"unit": "south"})
    office.http.get("/v1/auxiliaries/m0")
    listed, alone = rows(office, before)
    assert (listed.listed, listed.said["count"]) == (True, len(MANY))
    assert not [tag for tag in listed.tags if tag.startswith("person:")]
    office.entered(transferred("m0", "2022-04-01", to="north"))  # of the same day, known later

    found = [read for read in who_read(office, "m0") if read["position"] > before]

    assert [(read["position"], read["list"], read["sure"]) for read in found] == [
        (listed.position, True, True), (alone.position, False, True),
    ]  # fmt: skip
    assert found[0]["purpose"] == "月度核对"
    of_another = who_read(office, "read-1")
    assert listed.position not in [read["position"] for read in of_another]


def test_a_list_that_answers_otherwise_now_is_shown_as_not_certain(office: Office) -> None:
    said = {"effective": "2023-01-01", "recorded": office.head(), "fold": 1}
    persons = [f"gone-{n}" for n in range(FEW + 1)]
    question = {"question": "roster", "parameters": {"unit": "north"}}
    position = office.bureau.reads.record(
        Read(Actor(), "old", as_of=said, persons=persons, again=True, **question)
    )
    dropped = office.bureau.reads.record(
        Read(Actor(), "old", as_of=said, persons=[*persons, "x"], again=True, question="no-more")
    )
    found = {read["position"]: read["sure"] for read in who_read(office, "read-1")}
    assert (found[position], found[dropped]) == (False, False)


def test_an_answer_that_cannot_be_asked_again_names_everyone(office: Office) -> None:
    before = head(office)
    act = {"type": "RewardGranted", "effective": "2023-02-01", "kind": "excellent", "deed": "某事"}
    sent = {"act": act, "to": {"persons": MANY}}
    answer = office.http.post("/v1/mass/preview", json=sent)
    assert answer.status_code == 200, answer.text
    [row] = rows(office, before)
    assert {f"person:{one}" for one in MANY} < set(row.tags)
    assert row.position in [read["position"] for read in who_read(office, MANY[3])]


def test_days_bound_what_is_shown(office: Office) -> None:
    office.http.get(TOLD)
    today = office.bureau.ledger.today()
    assert who_read(office, "read-1", today, today)
    assert who_read(office, "read-1", None, today - timedelta(days=1)) == []
    assert who_read(office, "read-1", today + timedelta(days=1)) == []
    with pytest.raises(BadInput):
        who_read(office, "read-1", today, today - timedelta(days=1))
    with pytest.raises(UnknownSubject):
        who_read(office, "nobody-here")


def test_reads_for_a_case_that_is_sealed_are_left_out(office: Office) -> None:
    office.http.get(TOLD, headers={"Case": "secret-1"})
    shown = who_read(office, "read-1")
    seeing = office.bureau.seen_with(None, Sight(office.bureau.ledger.today()))
    left = looked.who_read(seeing, "read-1")["data"]["reads"]
    assert "secret-1" in [read.get("case") for read in shown]
    assert "secret-1" not in str(left)
    told = {row.position for row in rows(office, 0) if cases_of(row.tags)}  # stated, or told of
    assert shown[-1]["position"] + 1 in told
    assert [read["position"] for read in left] == [
        read["position"] for read in shown if read["position"] not in told
    ]


def test_a_merged_persons_reads_are_those_of_both_ids(office: Office) -> None:
    office.entered(person("read-2", name="并一"), person("read-3", name="并二"))
    before = head(office)
    office.http.get("/v1/auxiliaries/read-3")
    office.entered(
        {"type": "PersonsMerged", "effective": "2023-01-01", "kept": "read-2", "merged": "read-3"}
    )
    found = [read for read in who_read(office, "read-2") if read["position"] > before]
    assert [read["question"] for read in found] == ["record"]


def test_the_same_question_reads_the_same_whoever_keeps_count(office: Office) -> None:
    """The row is about the answer, and not in it: the same pair gives the same bytes."""
    path = f"{TOLD}?effective={date(2023, 1, 1)}&recorded={office.head()}"
    first, second = (office.http.get(path) for _ in range(2))
    assert first.content == second.content
