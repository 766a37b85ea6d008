"""Questions over HTTP: two times on every answer, and the same pair gives the same bytes."""

from typing import Any

import pytest

from api.answers import When, record, to_bytes
from projections.runner import HOLD
from tests.api.conftest import Office, hired, person, transferred

PINNED = {"effective": "2022-06-15"}


def facet(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in answer["data"]["facets"] if f["facet"] == name)


def appointed(id_: str, at: str = "north") -> dict[str, Any]:
    return {"type": "OfficerAppointed", "effective": "2020-01-01", "person": id_, "unit": at}


def led(id_: str, by: str, on: str = "2022-03-01") -> dict[str, Any]:
    return {
        "type": "SupervisingOfficerAssigned", "effective": on, "person": id_, "officer": by,
    }  # fmt: skip


def test_a_record_tells_none_from_not_recorded(office: Office) -> None:
    office.entered(
        person("p-none"), hired("p-none"), person("o-none"), appointed("o-none"),
        led("p-none", "o-none"), mood="attested",
    )  # fmt: skip
    office.entered(
        {"type": "SupervisingOfficerRelieved", "effective": "2022-05-01", "person": "p-none",
         "officer": "o-none"},
    )  # fmt: skip

    before = office.get("/v1/auxiliaries/p-none", effective="2022-04-30")
    after = office.get("/v1/auxiliaries/p-none", effective="2022-05-01")

    assert facet(before, "supervising-officer")["facts"][0]["value"] == {"officer": "o-none"}
    assert facet(after, "supervising-officer")["state"] == "none"
    assert facet(after, "grade")["state"] == "not-recorded"


def test_every_spell_of_service_is_shown(office: Office) -> None:
    office.entered(person("p-spells"), hired("p-spells"), mood="attested")
    left = office.entered(
        {"type": "AuxiliaryResigned", "effective": "2022-07-01", "person": "p-spells"},
        mood="attested",
    )
    office.entered({**hired("p-spells", "2023-01-01"), "type": "AuxiliaryRehired"}, mood="attested")

    spells = office.get("/v1/auxiliaries/p-spells")["data"]["spells"]

    assert [(s["since"], s["last_day"], s["left_by"]) for s in spells] == [
        ("2022-03-01", "2022-06-30", left),
        ("2023-01-01", None, None),
    ]


def test_answers_name_their_two_times_and_their_position(office: Office) -> None:
    at = office.entered(person("p-times"))

    answer = office.http.get("/v1/auxiliaries/p-times", params={"effective": "2022-06-15"})

    stated = answer.json()["as_of"]
    assert (stated["effective"], stated["recorded"]) == ("2022-06-15", at)
    assert stated["recorded_at"].endswith("+00:00")
    assert answer.headers["ledger-position"] == str(at)


def test_what_was_known_at_a_position_is_answered_from_it(office: Office) -> None:
    known = office.entered(person("p-known"), hired("p-known"), mood="attested")
    office.entered(transferred("p-known", "2022-05-01"))
    path = "/v1/auxiliaries/p-known"

    then = office.get(path, effective="2022-06-15", recorded=known)
    inside = office.get(path, effective="2022-06-15", recorded=known - 1)
    instant = office.get(path, effective="2022-06-15", recorded=then["as_of"]["recorded_at"])
    now = office.get(path, effective="2022-06-15", recorded="latest")

    assert facet(then, "unit")["facts"][0]["value"] == {"unit": "north"}
    assert facet(now, "unit")["facts"][0]["value"] == {"unit": "south"}
    assert instant == then
    assert inside["as_of"]["inside_batch"] is True
    assert "inside_batch" not in then["as_of"]


def test_the_same_pair_gives_the_same_bytes_for_ever(office: Office) -> None:
    at = office.entered(
        person("p-bytes", name="赵一"), hired("p-bytes"), person("o-bytes"),
        appointed("o-bytes"), led("p-bytes", "o-bytes"), mood="attested",
    )  # fmt: skip
    paths = [
        "/v1/auxiliaries/p-bytes", "/v1/auxiliaries/p-bytes/history",
        "/v1/auxiliaries/p-bytes/pay", "/v1/auxiliaries/p-bytes/accountability",
        "/v1/auxiliaries/p-bytes/accountability?first_day=2022-01-01&last_day=2022-12-31",
        "/v1/officers/o-bytes/responsibilities", "/v1/roster", "/v1/roster?unit=bureau",
        "/v1/payroll", "/v1/payroll?unit=north", "/v1/accountability?unit=north",
        "/v1/headcounts", "/v1/units", "/v1/units/north", "/v1/findings?person=p-bytes",
        "/v1/due", "/v1/journal?tag=person:p-bytes", f"/v1/entries/{at}",
        "/v1/compare?person=p-bytes&from_effective=2021-01-01&from_recorded=3",
    ]  # fmt: skip
    pinned = {"effective": "2022-06-15", "recorded": str(at)}

    def ask(path: str) -> bytes:
        answer = office.http.get(path, params={**dict(_parameters(path)), **pinned})
        assert answer.status_code == 200, answer.text
        return answer.content

    before = {path: ask(path) for path in paths}
    office.entered(transferred("p-bytes", "2022-04-01"))
    office.entered({"type": "FactAnnulled", "annuls": at})

    assert {path: ask(path) for path in paths} == before


def _parameters(path: str) -> list[tuple[str, str]]:
    query = path.partition("?")[2]
    return [tuple(one.split("=", 1)) for one in query.split("&") if one]  # type: ignore[misc]


def test_an_answer_opens_again_at_its_own_address(office: Office) -> None:
    office.entered(person("p-again"), hired("p-again"), mood="attested")
    for path in ("/v1/auxiliaries/p-again", "/v1/compare?person=p-again&from_effective=2021-01-01"):
        first = office.http.get(path)
        office.entered({"type": "PersonDetailsChanged", "effective": "2021-06-01",
                        "person": "p-again", "education": "bachelor"})  # fmt: skip

        assert office.http.get(first.headers["content-location"]).content == first.content


def test_the_server_and_the_command_line_give_the_same_bytes(office: Office) -> None:
    at = office.entered(person("p-same", name="钱二"))
    pinned = {"effective": "2022-06-15", "recorded": str(at)}

    answer = office.http.get("/v1/auxiliaries/p-same", params=pinned)

    assert answer.content == to_bytes(record(office.bureau, "p-same", When(**pinned)))


def test_a_known_answer_is_not_sent_again(office: Office) -> None:
    at = office.entered(person("p-etag"))
    first = office.http.get("/v1/auxiliaries/p-etag", params={"recorded": at, **PINNED})
    tag = {"If-None-Match": first.headers["etag"]}

    again = office.http.get(first.headers["content-location"], headers=tag)
    office.entered({"type": "PersonDetailsChanged", "effective": "2020-01-01", "person": "p-etag",
                    "education": "bachelor"})  # fmt: skip
    later = office.http.get("/v1/auxiliaries/p-etag", params=PINNED, headers=tag)

    assert (again.status_code, again.content) == (304, b"")
    assert later.status_code == 200


def test_a_reader_sees_its_own_write(office: Office) -> None:
    written = office.post(person("p-own"))
    position = {"Min-Position": written.headers["ledger-position"]}

    assert office.http.get("/v1/auxiliaries/p-own", headers=position).status_code == 200


def test_a_position_not_reached_in_time_is_unavailable(office: Office) -> None:
    with office.bureau.pool.connection() as connection:  # the follower waits for the bookmark
        connection.execute(HOLD)
        written = office.post(person("p-lag"))
        position = {"Min-Position": written.headers["ledger-position"]}
        answer = office.http.get("/v1/units", headers=position)

    assert (answer.status_code, answer.json()["code"]) == (503, "projection-lag")
    assert int(answer.headers["retry-after"]) > 0
    assert office.http.get("/v1/units", headers=position).status_code == 200


def test_a_position_the_ledger_has_not_is_refused_at_once(office: Office) -> None:
    answer = office.http.get("/v1/units", headers={"Min-Position": str(office.head() + 1)})

    assert (answer.status_code, answer.json()["code"]) == (422, "beyond-head")
    assert answer.json()["field"] == "min-position"


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("/v1/auxiliaries/nobody", 404, "unknown-subject", "person"),
        ("/v1/auxiliaries/nobody/history", 404, "unknown-subject", "person"),
        ("/v1/auxiliaries/nobody/pay", 404, "unknown-subject", "person"),
        ("/v1/auxiliaries/nobody/accountability", 404, "unknown-subject", "person"),
        ("/v1/officers/nobody/responsibilities", 404, "unknown-subject", "person"),
        ("/v1/compare?person=nobody", 404, "unknown-subject", "person"),
        ("/v1/findings?person=nobody", 404, "unknown-subject", "person"),
        ("/v1/findings", 422, "missing-field", "person"),
        ("/v1/units/nowhere", 404, "unknown-subject", "unit"),
        ("/v1/roster?unit=nowhere", 404, "unknown-subject", "unit"),
        ("/v1/entries/999999", 404, "unknown-fact", "position"),
        ("/v1/entries/0", 422, "bad-input", "position"),
        ("/v1/auxiliaries/%00", 422, "bad-input", "person"),
        ("/v1/units?effective=2022-02-30", 422, "impossible-date", "effective"),
        ("/v1/units?effective=20220230", 422, "impossible-date", "effective"),
        ("/v1/units?recorded=yesterday", 422, "bad-input", "recorded"),
        ("/v1/units?recorded=-1", 422, "bad-input", "recorded"),
        ("/v1/units?recorded=2022-01-01T00:00:00", 422, "bad-input", "recorded"),
        ("/v1/units?recorded=999999", 422, "beyond-head", "recorded"),
        ("/v1/units?recorded=2199-01-01", 422, "beyond-head", "recorded"),
        ("/v1/units?recorded=9999-12-31", 422, "bad-input", "recorded"),
        ("/v1/journal?type=Nothing", 422, "unknown-type", "type"),
        ("/v1/journal?tag=name", 422, "bad-input", "tag"),
        ("/v1/journal?limit=0", 422, "bad-input", "limit"),
        (f"/v1/journal?after={2**63}", 422, "bad-input", "after"),
        (f"/v1/journal?late={-(2**64)}", 422, "bad-input", "late"),
        (f"/v1/changes?after={2**63}", 422, "bad-input", "after"),
        (f"/v1/entries/{2**64}", 422, "bad-input", "position"),
        ("/v1/proofs/1?size=999999", 422, "beyond-head", "size"),
        ("/v1/seals/extension?old=1&new=999999", 422, "beyond-head", "new"),
        ("/v1/headcounts?by=age", 422, "bad-input", "by"),
        ("/v1/series?of=pay", 422, "bad-input", "of"),
        ("/v1/series?of=gaps&from=2022-13", 422, "impossible-date", "from"),
        ("/v1/series?of=gaps&from=2022-02&to=2022-01", 422, "bad-input", "to"),
        ("/v1/series?of=headcount&from=1901-01&to=2020-01", 422, "bad-input", "to"),
        ("/v1/series?of=headcount&unit=nowhere", 404, "unknown-subject", "unit"),
        ("/v1/due?state=soon", 422, "bad-input", "state"),
        ("/v1/changes?after=-1", 422, "bad-input", "after"),
        ("/nowhere", 404, "not-found", None),
        ("/v1/entries", 405, "method-not-allowed", None),
    ],
)
def test_an_impossible_question_is_refused(
    office: Office, path: str, status: int, code: str, field: str | None
) -> None:
    answer = office.http.get(path)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("field")) == (status, code, field)
    assert answer.headers["content-type"] == "application/problem+json"


def test_who_answered_then_and_now(office: Office) -> None:
    office.entered(
        person("p-led"), hired("p-led"), person("o-one", name="孙三"), person("o-two"),
        appointed("o-one"), appointed("o-two"), mood="attested",
    )  # fmt: skip
    then = office.entered(led("p-led", "o-one"))
    changed = office.entered(led("p-led", "o-two", "2022-04-01"), mood="attested")

    answer = office.get("/v1/auxiliaries/p-led/accountability", effective="2022-06-15", then=then)

    data = answer["data"]
    supervisors = [
        [h["officer"] for line in each["lines"] if line["capacity"] == "supervisor"
         for h in line["holders"]]
        for each in (data["then"]["answer"], data["now"])
    ]  # fmt: skip
    assert supervisors == [["o-one"], ["o-two"]]
    assert (data["differ"], data["entries"]) == (True, [changed])
    assert data["people"]["o-one"] == {"name": "孙三"}
    over = office.get(
        "/v1/auxiliaries/p-led/accountability", first_day="2022-03-01", last_day="2022-12-31"
    )
    assert [s["start"] for s in over["data"]["segments"]] == ["2022-03-01", "2022-04-01"]
    mine = office.get("/v1/officers/o-two/responsibilities", effective="2022-06-15")
    assert [a["person"] for a in mine["data"]["answered"]] == ["p-led"]


def test_a_pairing_that_lapsed_is_a_finding_with_its_article_and_shows_in_the_record(
    office: Office,
) -> None:
    office.entered(
        person("p-lapse"), hired("p-lapse"), person("o-lapse"), appointed("o-lapse"),
        led("p-lapse", "o-lapse"), mood="attested",
    )  # fmt: skip
    gone = office.entered(
        {"type": "OfficerSuspended", "effective": "2022-05-02", "person": "o-lapse",
         "last_day": "2022-05-31"},
    )  # fmt: skip
    path = "/v1/auxiliaries/p-lapse/accountability"

    led_by = office.get(path, effective="2022-05-01")["data"]
    nobody = office.get(path, effective="2022-05-02")["data"]
    over = office.get(path, first_day="2022-05-01", last_day="2022-06-30")["data"]
    record = office.get("/v1/auxiliaries/p-lapse", effective="2022-05-02")["data"]

    assert led_by["findings"] == []
    [found] = nobody["findings"]
    assert (found["capacity"], found["finding"]["rule"]) == ("supervisor", "chain-filled")
    assert found["finding"]["article"] == "实施意见 三(一)3"
    [gap] = over["gaps"]
    assert (gap["start"], gap["last_day"], gap["cause"]) == (
        "2022-05-02", "2022-06-30", "officer-suspended",
    )  # fmt: skip
    assert gap["finding"] == found["finding"]
    assert record["lapsed"] == [
        {"facet": "supervising-officer", "slot": None, "day": "2022-05-02",
         "cause": "officer-suspended", "entries": [gone]},
    ]  # fmt: skip
    later = office.get("/v1/auxiliaries/o-lapse", effective="2022-06-01")["data"]
    assert [(one["facet"], one["last_day"]) for one in later["ended"]] == [
        ("officer-suspension", "2022-05-31")
    ]


def test_an_officer_on_leave_who_leads_is_a_finding(office: Office) -> None:
    office.entered(
        person("p-left"), hired("p-left"), person("o-left"), appointed("o-left"),
        led("p-left", "o-left"),
        {"type": "OfficerOnLeave", "effective": "2022-05-02", "person": "o-left"},
        mood="attested",
    )  # fmt: skip

    data = office.get("/v1/auxiliaries/p-left/accountability", effective="2022-05-02")["data"]

    assert [f["finding"]["rule"] for f in data["findings"]] == ["supervising-officer-present"]


def test_a_late_entry_shows_what_it_makes_owed(office: Office) -> None:
    known = office.entered(person("p-paid"), hired("p-paid"), mood="attested")
    extra = {"type": "SpecialPayApproved", "effective": "2022-05-01", "person": "p-paid"}
    office.entered({**extra, "amount": 50_000, "ground": "scarce"}, mood="attested")

    months = {"first_month": "2022-04", "last_month": "2022-06"}
    data = office.get("/v1/auxiliaries/p-paid/pay", before=known, **months)["data"]

    assert [m["month"] for m in data["months"]] == ["2022-04-01", "2022-05-01", "2022-06-01"]
    assert {m["unpriced"] for m in data["months"]} == {30, 31}
    assert data["before"] == known


def test_differences_name_the_entries_that_made_them(office: Office) -> None:
    known = office.entered(person("p-moved"), hired("p-moved"), mood="attested")
    moved = office.entered(transferred("p-moved", "2022-05-01"))

    answer = office.get("/v1/compare", person="p-moved", from_recorded=known, **PINNED)

    (difference,) = answer["data"]["differences"]
    assert difference["facet"] == "unit"
    assert difference["entries"] == [known, moved]
    assert (difference["before_state"], difference["after_state"]) == ("held", "held")
    assert [f["value"]["unit"] for f in difference["before"]] == ["north"]
    assert [f["value"]["unit"] for f in difference["after"]] == ["south"]


def test_an_erased_value_says_so(office: Office) -> None:
    office.entered(person("p-erased", name="郑七"), hired("p-erased"), mood="attested")
    vault = office.bureau.ledger.vault
    with vault._pool.connection() as connection:
        connection.execute("DELETE FROM data_keys WHERE subject = 'p-erased'")
    vault._keys.clear()

    answer = office.get("/v1/auxiliaries/p-erased")
    found = office.get("/v1/findings", person="p-erased")["data"]["entries"]

    assert facet(answer, "name")["facts"][0]["value"]["name"] == {"erased": True}
    assert [e["legible"] for e in found] == [True]
    assert office.http.post("/v1/lookup", json={"name": "郑七"}).json()["data"]["persons"] == []


def test_promises_are_listed_by_state(office: Office) -> None:
    office.entered(person("p-due"), hired("p-due"), mood="attested")

    def states(on: str) -> list[str]:
        items = office.get("/v1/due", effective=on)["data"]["items"]
        return [i["state"] for i in items if i["subject"] == "person:p-due"]

    assert states("2022-03-02") == ["open"]
    assert states("2022-05-02") == ["overdue"]
    overdue = office.get("/v1/due", effective="2022-05-02", state="open")["data"]["items"]
    assert [i for i in overdue if i["subject"] == "person:p-due"] == []


def test_rosters_and_headcounts_agree(office: Office) -> None:
    office.entered(person("p-roster", name="李四"), hired("p-roster"), mood="attested")

    roster = office.get("/v1/roster", unit="bureau", category="field", **PINNED)["data"]
    alone = office.get("/v1/roster", unit="bureau", below=False, **PINNED)["data"]
    counts = office.get("/v1/headcounts", by="unit", **PINNED)["data"]

    assert "李四" in [line["name"] for line in roster["lines"]]
    assert alone["count"] == 0
    assert counts["count"] == roster["count"]
    assert {"unit": "north", "name": "north所"}.items() <= counts["counts"][0].items()


@pytest.mark.parametrize("of", ["headcount", "pyramid", "vacancies", "gaps"])
def test_a_series_gives_every_month_by_its_last_day(office: Office, of: str) -> None:
    office.entered(person(f"p-{of}"), hired(f"p-{of}", "2022-03-31"), mood="attested")

    asked = {"of": of, "from": "2022-01", "to": "2022-04", "unit": "bureau"}
    months = office.get("/v1/series", **asked)["data"]["months"]
    earlier = office.get("/v1/series", of=of, unit="north", **{"from": "2014-12", "to": "2015-01"})

    assert [month["day"] for month in months] == [
        "2022-01-31", "2022-02-28", "2022-03-31", "2022-04-30",
    ]  # fmt: skip
    assert [month["count"] for month in earlier["data"]["months"]] == [None, 0]
    if of in ("headcount", "pyramid"):
        on_last_days = [
            office.get("/v1/headcounts", unit="bureau", effective=month["day"])["data"]["count"]
            for month in months
        ]
        assert [month["count"] for month in months] == on_last_days


def test_the_unit_tree_is_that_of_the_day(office: Office) -> None:
    units = office.get("/v1/units", effective="2014-12-31")["data"]["units"]
    bureau = office.get("/v1/units/bureau")["data"]

    assert units == []
    assert bureau["below"] == ["north", "south"]


@pytest.mark.parametrize(
    "sought",
    [{"number": "FJ-0001"}, {"id_number": "53010219200508011x"}, {"name": " 周五 "}],
)
def test_a_person_is_found_by_number_id_number_or_name(
    office: Office, sought: dict[str, str]
) -> None:
    if office.http.get("/v1/auxiliaries/p-sought").status_code == 404:
        office.entered(
            person("p-sought", name="周五", id_number="53010219200508011X"), hired("p-sought"),
            {"type": "AuxiliaryNumberAssigned", "effective": "2022-03-01", "person": "p-sought",
             "number": "FJ-0001"}, mood="attested",
        )  # fmt: skip

    answer = office.http.post("/v1/lookup", json=sought)

    (found,) = answer.json()["data"]["persons"]
    assert found == {"person": "p-sought", "name": "周五", "number": "FJ-0001", "unit": "north"}


def test_looking_for_nothing_is_refused(office: Office) -> None:
    assert office.http.post("/v1/lookup", json={}).json()["code"] == "missing-field"
    assert office.http.post("/v1/lookup", json={"age": 3}).json()["code"] == "unknown-field"


def test_the_journal_is_searched_and_paged(office: Office) -> None:
    office.entered(person("p-journal"), hired("p-journal"), mood="attested")
    moved = office.entered(transferred("p-journal", "2022-05-01"))
    mended = office.entered({**transferred("p-journal", "2022-05-02"), "supersedes": moved})

    def positions(**parameters: Any) -> list[int]:
        data = office.get("/v1/journal", tag="person:p-journal", **parameters)["data"]
        return [e["position"] for e in data["entries"]]

    everything = positions()
    assert positions(type="AuxiliaryTransferred") == [moved, mended]
    assert positions(corrections=True) == [mended]
    assert positions(late=100_000) == []
    assert positions(since=moved) == [mended]
    assert positions(recorded=moved) == everything[:-1]
    first = office.get("/v1/journal", tag="person:p-journal", limit=3)["data"]
    assert first["next"] == everything[2]
    assert positions(after=first["next"]) == everything[3:]


def test_the_feed_tells_of_every_entry_and_of_no_content(office: Office) -> None:
    start = office.head()
    office.entered(person("p-feed", name="吴六"), hired("p-feed"), mood="attested")
    at = office.entered({"type": "FactAnnulled", "annuls": start + 2})

    first = office.http.get("/v1/changes", params={"after": start, "limit": 2})
    rest = office.http.get(first.links["next"]["url"])

    notices = first.json() + rest.json()
    assert [n["sequence"] for n in notices] == [str(p) for p in range(start + 1, at + 1)]
    assert {n["specversion"] for n in notices} == {"1.0"}
    assert notices[0]["type"] == "personnel-ledger.PersonRegistered"
    assert notices[0]["data"] == {"tags": ["person:p-feed"]}
    assert notices[2]["corrects"] == notices[1]["id"]
    assert first.headers["content-type"] == "application/cloudevents-batch+json"
    assert "吴六" not in first.text
    assert "next" not in rest.links
