"""What belongs to a case is inspectors' alone until it is disclosed or closed: everybody else is
asked, over a socket, on every route that reads, before and after.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from api.access import ROUTES
from api.looked import evident
from api.settings import Bureau
from domain.acts.packs import PackPublished
from domain.bitemporal import AsOf
from domain.events import Proposal
from domain.law import load_packs
from domain.ledger.requests import Request
from replay.check import check
from replay.evidence import Wanted, export
from replay.findings import Asked
from tests.api.conftest import DAY, hired, person, unit
from tests.api.test_access import Desk, opened

CLASSES = ["complainant", "family", "finance", "health", "identity", "political"]
SUBJECT = "p-subject"
OTHERS = {
    "unit-clerk": ("clerk", "north", None),
    "clerk": ("clerk", None, None),
    "approver": ("approver", None, "p-chief"),
    "auditor": ("auditor", None, None),
    "system": ("system", None, None),
    "administrator": ("administrator", None, None),
    "unit-inspector": ("inspector", "north", None),
    "subject": ("inspector", None, SUBJECT),  # an inspector, of a case about himself
}

# every route that answers with what the ledger holds; those that only enter, or tell of the server
# or of hashes by position, are named beside it
ADDRESSES = [
    "/v1/units",
    "/v1/types",
    "/v1/openapi.json",
    "/v1/auxiliaries/{person}",
    "/v1/auxiliaries/{person}/history",
    "/v1/auxiliaries/{person}/pay",
    "/v1/auxiliaries/{person}/accountability",
    "/v1/auxiliaries/{person}/accountability?first_day=2022-03-01&last_day=2022-12-31",
    "/v1/officers/{person}/responsibilities",
    "/v1/units/north",
    "/v1/roster?unit=north",
    "/v1/roster",
    "/v1/headcounts?unit=north",
    "/v1/headcounts",
    "/v1/payroll?unit=north&first_month=2022-01&last_month=2022-12",
    "/v1/payroll",
    "/v1/accountability?unit=north",
    "/v1/accountability",
    "/v1/findings?person={person}",
    "/v1/findings?unit=north",
    "/v1/due",
    "/v1/series?of=headcount&from=2022-01&to=2022-12",
    "/v1/series?of=gaps&from=2022-01&to=2022-12",
    "/v1/journal?limit=1000",
    "/v1/journal?tag=person:{person}",
    "/v1/journal?tag=case:c1",
    "/v1/journal?type=InvestigationOpened",
    "/v1/journal?type=FactAnnulled",
    "/v1/journal?corrections=true",
    "/v1/entries/{known}",
    "/v1/timeline?subject=person:{person}",
    "/v1/timeline?subject=case:c1",
    "/v1/beliefs?subject=person:{person}",
    "/v1/beliefs?subject=person:{person}&facet=investigation",
    "/v1/beliefs?subject=case:c1",
    "/v1/rectangles?subject=person:{person}",
    "/v1/rectangles?subject=case:c1",
    "/v1/explain?subject=person:{person}&facet=service",
    "/v1/explain?subject=person:{person}&facet=complaints",
    "/v1/explain?subject=person:{person}&facet=investigation",
    "/v1/explain?subject=case:c1&facet=case-party",
    "/v1/compare?person={person}&from_recorded={known}",
    "/v1/compare?unit=north&from_recorded={known}",
    "/v1/retro?from_recorded={known}&everyone=true",
    "/v1/changes?after=0&limit={head}",
    "/v1/cases",
    "/v1/own/record",
]
BODIES: list[tuple[str, Any]] = [
    ("/v1/lookup", {"name": "甲"}),
    ("/v1/preview", {"events": [{"type": "FactAnnulled", "annuls": "{registered}"}]}),
    ("/v1/preview", {"events": [{"type": "FactAnnulled", "annuls": "{registered}"}],
                     "mood": "attested", "attested_by": "某"}),
    ("/v1/preview", {"events": [{"type": "PersonDetailsChanged", "effective": "2022-04-01",
                                 "person": "{person}", "phone": "1", "expect": "{head}"}]}),
    ("/v1/preview", {"events": [{"type": "PersonsMerged", "effective": "2022-09-01",
                                 "kept": "p-other", "merged": "{person}"}]}),
    ("/v1/mass/preview", {"act": {"type": "PersonDetailsChanged", "effective": "2022-04-01",
                                  "phone": "1"}, "to": {"unit": "north"}}),
    ("/v1/mass/preview", {"act": {"type": "InvestigationConcluded", "effective": "2022-08-01",
                                  "case": "c1", "outcome": "upheld"},
                          "to": {"persons": ["{person}"]}}),
    ("/v1/preview/pay", {"text": load_packs()["330200"].text}),
]  # fmt: skip
ASIDE = {
    "GET /livez", "GET /readyz", "GET /metrics", "GET /problems/{code}", "GET /v1/seals",
    "GET /v1/seals/extension", "GET /v1/proofs/{position}", "POST /v1/entries", "POST /v1/mass",
    # each asking adds to what these tell: they are looked into below
    "GET /v1/own/reads", "GET /v1/auxiliaries/{person}/reads",
    # what waits for one account's approval
    "GET /v1/approvals", "GET /v1/approvals/{request_id}", "POST /v1/approvals/{request_id}",
}  # fmt: skip
_keys = count(1)


class Room:
    """A bureau of accounts, and what was known before anything was sealed."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.known = self.head
        stored = desk.bureau.ledger.entries([f"person:{SUBJECT}"], ["PersonRegistered"])
        self.named = {
            "person": SUBJECT, "known": self.known, "head": self.known,
            "registered": next(stored).position,
        }  # fmt: skip

    @property
    def head(self) -> int:
        return self.desk.bureau.ledger.log.head()

    def post(self, who: str, *acts: dict[str, Any], **body: Any) -> httpx.Response:
        return self.desk.ask(
            "POST", "/v1/entries", who, json={"events": list(acts), **body},
            headers={"Idempotency-Key": f"{who}-{next(_keys)}"},
        )  # fmt: skip

    def entered(self, who: str, *acts: dict[str, Any], **body: Any) -> int:
        answer = self.post(who, *acts, **body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["position"])

    def get(self, who: str, path: str) -> Any:
        answer = self.desk.ask("GET", path, who)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def asked(self, who: str, recorded: int | None = None) -> dict[str, tuple[Any, ...]]:
        """What everything that can be asked answers: status, tag where pinned, body."""
        found: dict[str, tuple[Any, ...]] = {}
        for address in ADDRESSES:
            path = address.format(**self.named)
            if recorded is not None:
                path += f"{'&' if '?' in path else '?'}recorded={recorded}"
            found[path] = self._told(self.desk.ask("GET", path, who), pinned=recorded is not None)
        for path, body in BODIES if recorded is None else ():
            sent = orjson.loads(_filled(orjson.dumps(body), self.named))
            answer = self.desk.ask("POST", path, who, json=sent)
            found[f"{path} {sent}"] = self._told(answer, pinned=False)
        return found

    def _told(self, answer: httpx.Response, *, pinned: bool) -> tuple[Any, ...]:
        if pinned and answer.is_success:
            return answer.status_code, answer.headers.get("ETag"), answer.content
        body = answer.json()
        if isinstance(body, dict):
            body.pop("request_id", None)
            assert body.get("as_of", {}).get("recorded", self.head) == self.head
        return answer.status_code, None, orjson.dumps(_unplaced(body))


def _unplaced(value: Any) -> Any:
    """An answer but for the position as of which it is given, wherever it says so."""
    if isinstance(value, dict):
        return {k: _unplaced(v) for k, v in value.items() if k not in ("recorded", "recorded_at")}
    return [_unplaced(v) for v in value] if isinstance(value, list) else value


def _filled(body: bytes, named: dict[str, Any]) -> bytes:
    text = body.decode()
    for name, value in named.items():
        text = text.replace(f'"{{{name}}}"', orjson.dumps(value).decode())
    return text.encode()


def test_every_route_that_reads_is_asked() -> None:
    paths = [a.partition("?")[0] for a in ADDRESSES]
    asked = {f"GET {p.replace('{known}', '{position}')}" for p in paths}
    asked = {route.replace("/units/north", "/units/{unit}") for route in asked}
    asked |= {f"POST {path}" for path, _ in BODIES}
    assert asked == set(ROUTES) - ASIDE


@pytest.fixture(scope="module")
def room(common_bureau: Bureau, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    packs = load_packs()
    published = [Proposal(PackPublished.of(packs[code]), DAY) for code in ("000000", "330200")]
    common_bureau.ledger.enter(Request(published))
    with opened(common_bureau, tmp_path_factory.mktemp("provider")) as desk:
        desk.grant("clerk", "clerk", classes=CLASSES, attest=True)
        answer = desk.post(
            "clerk",
            unit("bureau", kind="bureau", division="330200"),
            unit("north", kind="station", parent="bureau"),
            person(SUBJECT, name="甲"), person("p-other"), person("p-chief"), person("p-lone"),
            hired(SUBJECT), hired("p-other"), mood="attested", attested_by="建账",
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        for who, (role, at, holder) in OTHERS.items():
            if who != "clerk":
                own = {"person": holder} if holder else {}
                desk.grant(who, role, classes=CLASSES, unit=at, **own)
        desk.grant("inspector", "inspector", classes=CLASSES, attest=True)
        yield Room(desk)


def act(type_: str, on: str, case: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"type": type_, "effective": on, "case": case, **fields}


def sealed_acts(room: Room) -> int:
    """One of each act of a case, one corrected, one annulled; the last position."""
    of = {"person": SUBJECT}
    received = room.entered(
        "inspector",
        act("ComplaintReceived", "2022-05-10", **of, channel="hotline", complainant="某甲",
            content="打人", petition_on="2022-05-10"),
        act("ComplaintAccepted", "2022-06-30", **of, taken_up_on="2022-06-30"),
        act("InvestigationOpened", "2022-05-20", **of, organ="督察大队"),
        mood="attested", attested_by="督察",
    )  # fmt: skip
    room.entered("inspector", act("InvestigationOpened", "2022-05-21", **of, supersedes=received))
    room.entered("inspector", act("InvestigationConcluded", "2022-07-01", **of, outcome="upheld"))
    told = room.entered("inspector", act("ComplaintResultTold", "2022-07-02", **of))
    room.entered("inspector", {"type": "FactAnnulled", "annuls": told})
    return room.entered("inspector", act("InvestigationOpened", "2022-07-03", "c2", **of))


def test_nobody_but_an_inspector_sees_a_difference(room: Room) -> None:
    before = {who: room.asked(who) for who in OTHERS}
    pinned = {who: room.asked(who, room.known) for who in OTHERS}
    assert {status for answers in before.values() for status, *_ in answers.values()} >= {200, 403}
    mine = room.asked("inspector")
    last = sealed_acts(room)
    assert room.head == last == room.known + 8
    for who in OTHERS:
        assert room.asked(who) == before[who], who
        assert room.asked(who, room.known) == pinned[who], who
    seen = room.asked("inspector")
    assert sum(mine[path] != seen[path] for path in mine) >= 15
    for position in range(room.known + 1, last + 1):
        for who in ("clerk", "approver", "auditor", "subject"):
            told = room.get(who, f"/v1/entries/{position}")["data"]
            assert told == {"position": position, "case_sealed": True}
        assert room.get("inspector", f"/v1/entries/{position}")["data"]["tags"][0] == (
            "case:c2" if position == last else "case:c1"
        )
    for who in ("system", "auditor"):
        notices = room.get(who, f"/v1/changes?after={room.known}")
        assert [n["sequence"] for n in notices] == [str(room.known + n) for n in range(1, 9)]
        assert {frozenset(notice) for notice in notices} == {
            frozenset(("specversion", "id", "source", "type", "subject", "sequence"))
        }
        assert {notice["type"] for notice in notices} == {"personnel-ledger.case-sealed"}
    measured = room.desk.ask("GET", "/metrics", "auditor").text
    assert "omplaint" not in measured
    assert "nvestigation" not in measured


def test_reads_made_for_a_case_are_told_to_nobody_from_whom_it_is_sealed(room: Room) -> None:
    reads = f"/v1/auxiliaries/{SUBJECT}/reads"
    record = f"/v1/auxiliaries/{SUBJECT}"
    headers = {"Purpose": "check", "Case": "c1"}
    before = {who: len(room.get(who, reads)["data"]["reads"]) for who in ("auditor", "inspector")}
    assert room.desk.ask("GET", record, "inspector", headers=headers).status_code == 200
    room.get("inspector", "/v1/cases")
    told = {who: room.get(who, reads)["data"]["reads"] for who in before}
    assert len(told["auditor"]) == before["auditor"] + 1, "the who-read of the auditor's own"
    assert "c1" not in [one.get("case") for one in told["auditor"]]
    assert "cases" not in [one["question"] for one in told["auditor"]]
    assert "c1" in [one.get("case") for one in told["inspector"]]
    assert "cases" in [one["question"] for one in told["inspector"]]


def told_of_reads(room: Room, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Which of the inspector's reads of the subject are told to whom: in two answers, and by a
    bundle of evidence for one who knows of no case.
    """
    desk = room.desk
    told: dict[str, list[tuple[Any, ...]]] = {}
    of_him = f"/v1/auxiliaries/{SUBJECT}/reads"
    for who in ("auditor", "subject", "self"):
        rows = room.get(who, "/v1/own/reads" if who == "self" else of_him)["data"]["reads"]
        told[who] = [_row(row) for row in rows if row["actor"]["subject"] == "inspector"]
    desk.bureau.sealer.seal()
    desk.bureau.reads.sealer.seal()
    now = AsOf(desk.bureau.ledger.today(), room.head)
    for name, persons in (("whole", ()), ("own", (SUBJECT,))):
        path = folder / f"{name}.zip"
        wanted = Wanted(now, persons, complete=name == "whole")
        wanted = wanted._replace(looks=evident(desk.bureau, cases=False))
        export(desk.bureau.ledger, desk.bureau.records, desk.bureau.sealer, wanted, path)
        rows = check(path, Asked(who_read=SUBJECT)).reads
        told[name] = [_row(row) for row in rows if row["actor"]["subject"] == "inspector"]
    return told


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["outcome"], row["question"], str(row.get("parameters")), row.get("classes")


OPENING = [
    "/v1/timeline?subject=case:c1", "/v1/rectangles?subject=case:c1",
    "/v1/beliefs?subject=case:c1&facet=case-disclosure", "/v1/entries/{received}",
    "/v1/auxiliaries/{person}", "/v1/auxiliaries/{person}/history",
    "/v1/auxiliaries/{person}/reads", "/v1/timeline?subject=person:{person}",
    "/v1/beliefs?subject=person:{person}&facet=investigation",
    "/v1/explain?subject=person:{person}&facet=complaints",
    "/v1/compare?person={person}&from_recorded={known}", "/v1/journal?tag=case:c1",
    "/v1/journal?after={known}", "/v1/due",
    "/v1/cases",
]  # fmt: skip
"""What tells an inspector of a sealed case, though no case is stated."""


def test_what_tells_of_a_case_is_read_for_it_whether_one_is_stated_or_not(
    room: Room, tmp_path: Path
) -> None:
    desk = room.desk
    if not desk.ask("GET", "/v1/own/reads", "self").is_success:
        desk.grant("self", "subject", person=SUBJECT, classes=CLASSES)
    before = told_of_reads(room, tmp_path)
    named = {**room.named, "received": room.known + 1}
    for address in OPENING:
        room.get("inspector", address.format(**named))
    for path, act_ in (
        ("/v1/preview", act("InvestigationOpened", "2022-08-01", "c-new", person=SUBJECT)),
        ("/v1/preview", {"type": "FactAnnulled", "annuls": room.known + 1}),
    ):
        sent = {"events": [act_], "mood": "attested", "attested_by": "督察"}
        assert desk.ask("POST", path, "inspector", json=sent).status_code == 200
    mass = {"act": act("InvestigationOpened", "2022-08-01", "c-new"), "to": {"persons": [SUBJECT]}}
    desk.ask("POST", "/v1/mass/preview", "inspector", json=mass)
    unstated = desk.http.get(
        f"/v1/auxiliaries/{SUBJECT}/history",
        headers={"Authorization": f"Bearer {desk.provider.token('inspector')}", "Purpose": ""},
    )
    assert unstated.json()["code"] == "purpose-missing"
    told = told_of_reads(room, tmp_path)
    assert not {who: told[who][len(before[who]) :] for who in told if told[who] != before[who]}
    seen = room.get("inspector", f"/v1/auxiliaries/{SUBJECT}/reads")["data"]["reads"]
    assert sum(row["question"] == "timeline" for row in seen) >= 2
    # what tells of no case is told as ever
    room.get("inspector", f"/v1/auxiliaries/{SUBJECT}/pay")
    room.get("inspector", f"/v1/findings?person={SUBJECT}")
    after = told_of_reads(room, tmp_path)
    assert {who: len(rows) - len(before[who]) for who, rows in after.items()} == dict.fromkeys(
        before, 2
    )


def test_an_inspector_sees_the_case_and_what_is_due_in_it(room: Room) -> None:
    matters = room.get("inspector", "/v1/cases")["data"]["matters"]
    assert [(m["case"], m["person"], m["state"], m["outcome"]) for m in matters] == [
        ("c1", SUBJECT, "sealed", "upheld"),
        ("c2", SUBJECT, "sealed", None),
    ]
    assert matters[0]["complaints"] == ["2022-05-10"]
    assert matters[0]["investigated"] == "2022-05-21"
    assert matters[0]["handling"] == "accepted"  # that it was told was annulled
    due = room.get("inspector", "/v1/due")["data"]["items"]
    of_case = {i["rule"]: i["state"] for i in due if i["subject"] == "case:c1"}
    assert of_case == {"petition-acceptance": "late", "petition-decision": "kept"}
    history = room.get("inspector", f"/v1/auxiliaries/{SUBJECT}/history")["data"]["entries"]
    received = next(e for e in history if e["type"] == "ComplaintReceived")
    assert received["fields"]["complainant"] == "某甲"


def test_what_a_clerk_enters_is_never_refused_for_a_case(room: Room) -> None:
    seen = room.get("clerk", "/v1/journal?limit=1000")["data"]["entries"][-1]["position"]
    phone = {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": SUBJECT}
    room.entered("clerk", {**phone, "phone": "1", "expect": seen})
    stored = room.desk.bureau.ledger.entries(["person:p-lone"], ["PersonRegistered"])
    registered = next(stored).position
    lone = room.entered("inspector", act("ComplaintReceived", "2022-05-10", "c3", person="p-lone"))
    annulled = {"events": [{"type": "FactAnnulled", "annuls": registered}]}
    previewed = room.desk.ask("POST", "/v1/preview", "clerk", json=annulled).json()["data"]
    assert (previewed["accepted"], previewed["impacts"], previewed["findings"]) == (True, [], [])
    room.entered("clerk", *annulled["events"])
    (shaken,) = room.get("inspector", "/v1/cases")["data"]["undermined"]
    assert (shaken["position"], shaken["refusal"]["code"]) == (lone, "unknown-subject")
    assert not room.get("inspector", f"/v1/cases?recorded={lone}")["data"]["undermined"]


def test_what_is_sealed_is_neither_corrected_nor_acknowledged_by_others(room: Room) -> None:
    sealed, none = room.known + 1, room.head + 1000
    stored = {e.position: e for e in room.desk.bureau.ledger.entries(after=room.known)}
    phone = {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": SUBJECT}
    for who in ("clerk", "unit-clerk", "subject"):
        for field in ("annuls", "supersedes"):
            base = {"type": "FactAnnulled"} if field == "annuls" else {**phone, "phone": "2"}
            for one, other in ((sealed, none), (stored[sealed].id, str(uuid4()))):
                answers = [room.post(who, {**base, field: named}) for named in (one, other)]
                told = [_problem(answer, one, other) for answer in answers]
                assert told[0] == told[1], (who, field)
                assert answers[0].status_code in (403, 422)
        for named in (sealed, none):
            body = {"acknowledge": [{"position": named, "reason": "知悉"}]}
            refused = room.post(who, {**phone, "phone": "3"}, **body)
            assert refused.json()["code"] in ("unknown-fact", "not-allowed")


def _problem(answer: httpx.Response, *named: Any) -> str:
    """A refusal, but for the request's own id and the entry it names."""
    body = {k: v for k, v in answer.json().items() if k != "request_id"}
    text = orjson.dumps(body).decode()
    for one in named:
        text = text.replace(str(one), "…")
    return text


def test_acts_of_a_case_are_entered_by_inspectors_alone(room: Room) -> None:
    opening = act("InvestigationOpened", "2022-08-01", "c9", person="p-other")
    for who in OTHERS:
        assert room.post(who, opening).status_code == (201 if who == "subject" else 403), who
        for path, body in (
            ("/v1/preview", {"events": [opening]}),
            ("/v1/mass/preview", {"act": {**opening}, "to": {"persons": ["p-other"]}}),
        ):
            body.get("act", {}).pop("person", None)
            status = room.desk.ask("POST", path, who, json=body).status_code
            assert status == 403 or who == "subject", (who, path)
    phone = {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": SUBJECT}
    assert room.post("inspector", {**phone, "phone": "4"}).status_code == 403
    unattested = room.post("subject", {**opening, "case": "c8"}, mood="attested", attested_by="某")
    assert unattested.status_code == 403


def test_nobody_inquires_into_himself(room: Room) -> None:
    own = room.post("subject", act("ComplaintReceived", "2022-08-01", "c7", person=SUBJECT))
    assert own.status_code == 403
    closing = [
        room.post("subject", act("CaseClosed", "2022-08-02", case, result="withdrawn"))
        for case in ("c1", "c-none")
    ]
    assert _problem(closing[0], "c1", "c-none") == _problem(closing[1], "c1", "c-none")
    assert closing[0].json()["code"] == "unknown-subject"
    seen = {m["case"] for m in room.get("subject", "/v1/cases")["data"]["matters"]}
    assert seen == {"c3", "c9"}


def test_a_case_is_seen_once_it_is_disclosed_or_closed_and_not_a_day_sooner(room: Room) -> None:
    tomorrow = "2199-01-01"
    room.entered("inspector", act("CaseDisclosed", tomorrow))
    history = f"/v1/auxiliaries/{SUBJECT}/history"
    sealed = [room.get(who, history)["data"] for who in ("unit-clerk", "system", "subject")]
    assert all("case:c1" not in e["tags"] for data in sealed for e in data["entries"])
    room.entered("inspector", act("CaseDisclosed", "2022-07-05"))
    for who in ("unit-clerk", "system", "auditor", "subject"):
        entries = room.get(who, history)["data"]["entries"]
        types = [e["type"] for e in entries if "case:c1" in e["tags"]]
        assert types.count("InvestigationOpened") == 2
        assert "FactAnnulled" in types
        assert all("case:c2" not in e["tags"] for e in entries)
        # what is seen is a question of today, whatever position is asked about
        past = room.get(who, f"{history}?recorded={room.known + 3}")["data"]["entries"]
        assert [e["type"] for e in past if "case:c1" in e["tags"]][-1] == "InvestigationOpened"
        facets = room.get(who, f"/v1/auxiliaries/{SUBJECT}")["data"]["facets"]
        (held,) = (f for f in facets if f["facet"] == "investigation")
        assert [fact["value"]["case"] for fact in held["facts"]] == ["c1"]
    told = room.get("clerk", f"/v1/entries/{room.known + 1}")["data"]
    assert told["fields"]["complainant"] == "某甲"  # for whoever may read that class
    told = room.get("subject", f"/v1/entries/{room.known + 1}")["data"]["fields"]
    assert (told["complainant"], told["content"]) == ({"withheld": True}, "打人")  # but for him
    notices = room.get("system", f"/v1/changes?after={room.known}&limit=8")
    assert notices[0]["type"] == "personnel-ledger.ComplaintReceived"
    assert notices[7]["type"] == "personnel-ledger.case-sealed"
    before = room.asked("unit-clerk")
    closed = act("CaseClosed", "2022-08-01", "c2", result="withdrawn")
    room.entered("inspector", closed)
    assert room.asked("unit-clerk") != before
    entries = room.get("unit-clerk", history)["data"]["entries"]
    assert {"case:c1", "case:c2"} <= {tag for e in entries for tag in e["tags"]}


def test_a_disclosure_entered_in_error_is_annulled_and_the_case_sealed_again(room: Room) -> None:
    opening = act("InvestigationOpened", "2022-08-01", "c5", person="p-other")
    room.entered("inspector", opening)
    before = room.asked("unit-clerk")
    history = "/v1/auxiliaries/p-other/history"
    sealed = room.get("unit-clerk", history)["data"]
    disclosed = room.entered("inspector", act("CaseDisclosed", "2022-08-02", "c5"))
    assert room.get("unit-clerk", history)["data"] != sealed
    room.entered("inspector", {"type": "FactAnnulled", "annuls": disclosed})
    assert room.get("unit-clerk", history)["data"] == sealed
    assert room.asked("unit-clerk") == before
