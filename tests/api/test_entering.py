"""Entering over HTTP: what is refused and how, and that a refusal leaves nothing behind."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from domain.acts.packs import PackPublished
from domain.law import Pack
from tests.api.conftest import CLOSED, Office, hired, person, transferred, unit

LAW = {"rule": "unified-recruitment", "article": "实施意见 三(二)7"}


def refused(
    office: Office, answer: httpx.Response, status: int, code: str, **pointers: Any
) -> dict[str, Any]:
    """The answer is this problem, at this place."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    told = {name: problem.get(name) for name in pointers}
    assert (answer.status_code, problem["code"], told) == (status, code, pointers)
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail_zh"]
    return problem


MALFORMED: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "unknown type": (
        {"type": "AuxiliaryVanished", "effective": "2022-01-01"},
        "unknown-type", {"index": 0, "field": "type", "pointer": "/events/0/type"},
    ),
    "type that is no text": ({"type": 7}, "unknown-type", {"field": "type"}),
    "no type": ({"effective": "2022-01-01"}, "missing-field", {"field": "type"}),
    "no such field": (
        {**transferred("p1", "2022-01-01"), "salary": 1}, "unknown-field", {"field": "salary"},
    ),
    "a field missing": (
        {"type": "AuxiliaryTransferred", "effective": "2022-01-01", "person": "p1"},
        "missing-field", {"field": "unit", "pointer": "/events/0/unit"},
    ),
    "no effective day": (
        {"type": "AuxiliaryTransferred", "person": "p1", "unit": "north"},
        "missing-field", {"field": "effective"},
    ),
    "30 February": (transferred("p1", "2022-02-30"), "impossible-date", {"field": "effective"}),
    "before 1900": (transferred("p1", "1899-12-31"), "impossible-date", {"field": "effective"}),
    "after 2199": (transferred("p1", "2200-01-01"), "impossible-date", {"field": "effective"}),
    "a time for a day": (
        transferred("p1", "2022-01-01T00:00:00"), "impossible-date", {"field": "effective"},
    ),
    "a number for a day": (
        transferred("p1", 1640995200), "impossible-date", {"field": "effective"},
    ),
    "an own date": (
        {**person("p1"), "birth_date": "2001-13-01"}, "impossible-date", {"field": "birth_date"},
    ),
    "a period that ends before it begins": (
        {**transferred("p1", "2022-01-02"), "last_day": "2022-01-01"},
        "bad-input", {"field": "last_day"},
    ),
    "both ends of a period": (
        {**transferred("p1", "2022-01-02"), "last_day": "2022-02-01", "until": "2022-02-02"},
        "bad-input", {"field": "last_day"},
    ),
    "a word for a number": (
        {**transferred("p1", "2022-01-02"), "expect": "5"}, "bad-input", {"field": "expect"},
    ),
    "a control character": (
        {**person("p1"), "name": "a\x00b"}, "bad-input", {"field": "name"},
    ),
    "a control character in a list": (
        {"type": "HeadSeatsDeclared", "effective": "2022-01-01", "unit": "north",
         "head_seats": ["所长", "\x00"]},
        "bad-input", {"field": "head_seats/1"},
    ),
    "a subject that is no id": (
        transferred("张三", "2022-01-02"), "bad-input", {"field": "person"},
    ),
    "a nested field": (
        {**transferred("p1", "2022-01-02"), "source": {"system": "x", "key": ""}},
        "bad-input", {"field": "source/key", "pointer": "/events/0/source/key"},
    ),
    "an annulment that names nothing": (
        {"type": "FactAnnulled"}, "missing-field", {"field": "annuls"},
    ),
    "another act that annuls": (
        {**transferred("p1", "2022-01-02"), "annuls": 1}, "bad-input", {"field": "annuls"},
    ),
    "an act that corrects and annuls": (
        {"type": "FactAnnulled", "annuls": 1, "supersedes": 1}, "bad-input", {"field": "annuls"},
    ),
    "an entry that is not there": (
        {"type": "FactAnnulled", "annuls": 999_999}, "unknown-fact", {"field": "annuls"},
    ),
    "an unknown person": (
        transferred("nobody", "2022-01-02"), "unknown-subject", {"field": "person", "index": 0},
    ),
    "a position beyond the head": (
        {**transferred("p1", "2022-01-02"), "expect": 999_999},
        "beyond-head", {"field": "expect"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_an_incorrect_act_is_refused_with_its_place(office: Office, case: str) -> None:
    act, code, pointers = MALFORMED[case]
    head = office.head()

    answer = office.post(act)

    refused(office, answer, 422, code, **pointers)
    assert office.head() == head


def test_the_second_act_of_a_request_is_named_by_its_index(office: Office) -> None:
    answer = office.post(person("second-1"), {**hired("second-1"), "category": "temporary"})

    refused(office, answer, 422, "bad-input", index=1, pointer="/events/1/category")


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"{not json", 400, "bad-json", None),
        (b"[]", 400, "bad-json", None),
        (b'{"events": [1]}', 400, "bad-json", None),
        (b'{"events": [{"type": "UnitDissolved", "unit": "a", "unit": "b"}]}', 400, "bad-json",
         "unit"),
        (b'{"events": [{"type": "FactAnnulled", "annuls": ' + b"9" * 5_000 + b"}]}", 400,
         "bad-json", None),
        (b'{"events": [], "events": [{}]}', 400, "bad-json", "events"),
        (b'{"events": [{"\\u0070\xe4\xbd\xa0": 1, "p\xe4\xbd\xa0": 2}]}', 400, "bad-json", "?"),
        (b"\xff\xfe", 400, "bad-json", None),
        (b"[" * 100_000, 400, "bad-json", None),
        (b'{"events": [' + b"[" * 230 + b"]" * 230 + b"]}", 400, "bad-json", None),
        (b'{"events": [' + b"[" * 600 + b"]" * 600 + b"]}", 400, "bad-json", None),
        (b"{}", 422, "missing-field", "events"),
        (b'{"events": []}', 422, "bad-input", "events"),
        (b'{"events": {}}', 422, "bad-input", "events"),
        (b'{"events": [{}], "by": "me"}', 422, "unknown-field", "by"),
        (b'{"events": [{}], "mood": "hoped"}', 422, "bad-input", "mood"),
        (b'{"events": [{}], "document": {"no": "1"}}', 422, "unknown-field", "document/no"),
        (
            b'{"events": [{}], "document": {"dated": "2022-02-30"}}',
            422, "impossible-date", "document/dated",
        ),
        (b'{"events": [{}], "acknowledge": [3]}', 422, "bad-input", "acknowledge/0"),
    ],
)  # fmt: skip
def test_an_incorrect_body_is_refused(
    office: Office, body: bytes, status: int, code: str, field: str | None
) -> None:
    headers = {"Idempotency-Key": "body", "Content-Type": "application/json"}

    answer = office.http.post("/v1/entries", content=body, headers=headers)

    refused(office, answer, status, code, field=field)


def test_other_media_types_are_refused(office: Office) -> None:
    headers = {"Idempotency-Key": "media", "Content-Type": "text/plain"}

    answer = office.http.post("/v1/entries", content=b"{}", headers=headers)

    refused(office, answer, 415, "unsupported-media-type")


def begun(office: Office, *headers: tuple[str, str]) -> HTTPConnection:
    """A request of which only the head is sent."""
    connection = HTTPConnection("127.0.0.1", office.port, timeout=10)
    connection.putrequest("POST", "/v1/entries")
    for name, value in (("Content-Type", "application/json"), ("Idempotency-Key", "b"), *headers):
        connection.putheader(name, value)
    connection.endheaders()
    return connection


def test_a_body_of_10_mb_is_refused_before_it_is_read(office: Office) -> None:
    with closing(begun(office, ("Content-Length", "10000000"))) as connection:
        answer = connection.getresponse()

        assert answer.status == 413
        assert json.load(answer)["code"] == "too-large"


def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(office: Office) -> None:
    with closing(begun(office, ("Transfer-Encoding", "chunked"))) as connection:
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(8 * 1024 * 1024 // 0x10000 + 1):
            connection.send(chunk)

        assert connection.getresponse().status == 413


def test_more_than_10000_acts_are_refused(office: Office) -> None:
    answer = office.post(*[{}] * 10_001)

    refused(office, answer, 413, "too-large", field="events")


def test_what_the_law_forbids_is_refused_with_its_article(office: Office) -> None:
    head = office.head()

    answer = office.post(person("law-1"), hired("law-1"))

    refused(office, answer, 409, "law-forbids", index=1, pointer="/events/1/plan", **LAW)
    assert office.head() == head


def test_what_happened_is_entered_with_the_finding(office: Office) -> None:
    answer = office.post(person("law-2"), hired("law-2"), mood="attested", attested_by="督察")

    assert answer.status_code == 201
    (finding,) = answer.json()["findings"]
    assert (finding["index"], finding["rule"], finding["article"]) == (1, *LAW.values())


def test_what_the_record_forbids_is_refused(office: Office) -> None:
    office.entered(person("twice"))

    answer = office.post(person("twice"))

    refused(office, answer, 409, "already-recorded", field="person")


def test_a_closed_period_is_changed_with_a_second_persons_approval(office: Office) -> None:
    closed = PackPublished.of(Pack.parse(CLOSED)).model_dump()
    office.entered(
        unit("closed", division="111100"),
        {"type": "PackPublished", "effective": "2024-01-01", **closed},
    )
    rename = {"type": "UnitRenamed", "effective": "2023-01-01", "unit": "closed", "name": "队"}
    headers = {"Idempotency-Key": "closed"}

    answer = office.post(rename)
    refused(office, answer, 409, "closed-period", index=0, field="effective", article="封账 1")
    preview = office.http.post("/v1/preview", json={"events": [rename]}, headers=headers)
    assert preview.json()["code"] == "closed-period"
    own = office.post(rename, approved_by="api")
    refused(office, own, 422, "bad-input", field="approved_by", pointer="/approved_by")

    position = office.entered(rename, approved_by="局领导")
    assert office.get(f"/v1/entries/{position}")["data"]["approved_by"] == "局领导"


def test_an_id_number_of_another_person_conflicts(office: Office) -> None:
    number = {"id_number": "11010519491231002X"}
    office.entered(person("taken-1", **number))

    answer = office.post(person("taken-2", **number))
    tried = office.http.post("/v1/preview", json={"events": [person("taken-2", **number)]})
    freed = office.http.post("/v1/preview", json={"events": [person("taken-3")]})

    refused(office, answer, 409, "taken")
    refused(office, tried, 409, "taken")
    assert freed.status_code == 200


def test_a_record_that_moved_on_fails_the_precondition(office: Office) -> None:
    seen = office.entered(person("moved"), hired("moved"), mood="attested")
    newer = office.entered(transferred("moved", "2022-05-01"))

    answer = office.post({**transferred("moved", "2022-06-01", "north"), "expect": seen})

    refused(office, answer, 412, "superseded", field="expect", position=newer)
    again = office.post({**transferred("moved", "2022-06-01", "north"), "expect": newer})
    assert again.status_code == 201


def test_the_second_to_correct_a_fact_conflicts(office: Office) -> None:
    office.entered(person("contested"), hired("contested"), mood="attested")
    moved = office.entered(transferred("contested", "2022-05-01"))
    first = office.entered({**transferred("contested", "2022-05-02"), "supersedes": moved})

    answer = office.post({**transferred("contested", "2022-05-03"), "supersedes": moved})

    refused(office, answer, 409, "superseded", position=first)


def test_an_entry_is_corrected_and_annulled_by_its_position(office: Office) -> None:
    office.entered(person("corrected"), hired("corrected"), mood="attested")
    moved = office.entered(transferred("corrected", "2022-05-01"))
    corrected = office.entered({**transferred("corrected", "2022-05-09"), "supersedes": moved})
    annulled = office.entered({"type": "FactAnnulled", "annuls": corrected, "reason": "误录"})

    def became() -> dict[int, tuple[str, int | None]]:
        entries = office.get("/v1/auxiliaries/corrected/history")["data"]["entries"]
        return {e["position"]: (e["standing"], e["standing_by"]) for e in entries[2:]}

    def annul(position: int) -> int:
        return office.entered({"type": "FactAnnulled", "annuls": position, "reason": "误录"})

    said = {moved: ("superseded", corrected), corrected: ("annulled", annulled)}
    assert became() == {**said, annulled: ("stands", None)}
    undone = annul(annulled)
    stands = {corrected: ("stands", None), annulled: ("annulled", undone)}
    assert became() == {**said, **stands, undone: ("stands", None)}
    again = annul(undone)
    over = {corrected: ("annulled", again), undone: ("annulled", again)}
    assert became() == {**said, annulled: ("annulled", undone), **over, again: ("stands", None)}
    last = annul(again)
    assert became() == {
        **said, **stands, undone: ("stands", None), again: ("annulled", last),
        last: ("stands", None),
    }  # fmt: skip


def test_a_last_day_stands_for_the_day_after_it(office: Office) -> None:
    office.entered(person("lent"), hired("lent"), mood="attested")
    at = office.entered(
        {
            "type": "SecondmentStarted", "effective": "2022-05-01", "last_day": "2022-07-31",
            "person": "lent", "unit": "south",
        },
        mood="attested",
    )  # fmt: skip

    entry = office.get(f"/v1/entries/{at}")["data"]

    assert (entry["until"], entry["last_day"]) == ("2022-08-01", "2022-07-31")


def test_a_write_without_a_key_is_refused(office: Office) -> None:
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 256}):
        answer = office.http.post("/v1/entries", json={"events": [unit("x")]}, headers=headers)

        refused(office, answer, 400, "idempotency-key-required")


def test_a_repetition_gives_the_first_answer(office: Office) -> None:
    body = {"mood": "attested", "key": "again"}
    first = office.post(person("again"), hired("again"), **body)
    head = office.head()

    second = office.post(person("again"), hired("again"), **body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["ledger-position"] == first.headers["ledger-position"] == str(head)
    assert office.head() == head


def test_a_key_used_for_another_request_conflicts(office: Office) -> None:
    office.post(person("reuse-1"), key="reuse")

    answer = office.post(person("reuse-2"), key="reuse")

    refused(office, answer, 409, "key-reused")


def test_the_same_request_at_once_is_stored_once(office: Office) -> None:
    head = office.head()
    rounds, callers = 10, 12

    for one in range(rounds):
        with ThreadPoolExecutor(callers) as pool:
            sent = [
                pool.submit(office.post, person(f"once-{one}"), key=f"at-once-{one}")
                for _ in range(callers)
            ]
        answers = [future.result() for future in sent]

        assert {a.status_code for a in answers} == {201}
        assert len({a.content for a in answers}) == 1

    assert office.head() == head + rounds


def test_a_refused_request_may_be_mended_under_its_key(office: Office) -> None:
    assert office.post(person("mended"), hired("mended"), key="mend").status_code == 409

    answer = office.post(person("mended"), key="mend")

    assert answer.status_code == 201


def test_a_preview_finds_and_refuses_but_stores_nothing(office: Office) -> None:
    head = office.head()
    events = [person("preview"), hired("preview")]

    found = office.http.post("/v1/preview", json={"events": events, "mood": "attested"})
    answer = office.http.post("/v1/preview", json={"events": events})

    assert found.json()["data"]["types"] == ["PersonRegistered", "AuxiliaryHired"]
    assert [f["rule"] for f in found.json()["data"]["findings"]] == ["unified-recruitment"]
    refused(office, answer, 409, "law-forbids", **LAW)
    assert office.head() == head
