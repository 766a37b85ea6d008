"""Histories, journals, time lines and who answered, as files, against the entries of a bundle."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest

from api import answers, answers_axes, answers_many, answers_series, exports
from domain.acts.officers import OfficerAppointed
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import ActingHeadAppointed, UnitHeadAppointed, UnitHeadRelieved
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import FactAnnulled
from domain.ledger import Request
from domain.refusals import UnknownSubject
from replay.check import check
from replay.findings import Asked, Kind
from tests.given import act
from tests.histories import sample_steps
from tests.replay.bundles import kinds
from tests.replay.filed import UNPACKS, agrees, altered, exported, filed, wrong
from tests.replay.test_answered import folded
from tests.replay.test_page import alike, needs_chromium
from tests.wider_histories import WiderHistory

KINDS = pytest.mark.parametrize("suffix", exports.SUFFIXES)
NASTY = "=1+1\t“a, b”\n某\r\x07"


@pytest.fixture(scope="module")
def told(common_bureau, tmp_path_factory):
    """Random histories of a bureau and its officers, and one person corrected and annulled."""
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path_factory.mktemp("key") / "seal.key"
    histories = [WiderHistory(bureau.ledger).play(sample_steps(n, 90)) for n in range(4)]
    day = histories[0].days()[2]
    founded = act(UnitEstablished(unit="odd", name="某所", kind="station"), day)
    hired = AuxiliaryHired(person="a", unit="odd", category="field")
    bureau.ledger.enter(
        Request(
            [founded, act(PersonRegistered(person="a", name="王小明"), day), act(hired, day)],
            mood="attested",
        )
    )
    [one] = bureau.ledger.enter(
        Request([act(RewardGranted(person="a", kind="merit"), day, reason=NASTY)], mood="attested")
    ).entries
    for _ in range(3):
        [one] = bureau.ledger.enter(
            Request([act(FactAnnulled(), annuls=one.event_id, reason="误")], mood="attested")
        ).entries
    changed = act(PersonDetailsChanged(person="a", name="王明"), day + timedelta(days=40))
    seat = {"unit": "odd", "officer": "o"}
    led = [
        act(PersonRegistered(person="o", name="李四"), day),
        act(OfficerAppointed(person="o", unit="odd"), day),
        act(UnitHeadAppointed(**seat), day),
        act(UnitHeadRelieved(**seat), day + timedelta(days=10)),
        act(ActingHeadAppointed(**seat), day + timedelta(days=20), until=day + timedelta(days=60)),
    ]
    bureau.ledger.enter(Request([changed, *led], mood="attested"))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    return bureau, histories


@pytest.fixture(scope="module")
def bureau(told):
    return told[0]


@pytest.fixture(scope="module")
def bundle(bureau, tmp_path_factory):
    return exported(bureau, tmp_path_factory.mktemp("bundle") / "b.zip")


def when(day=None, recorded=None):
    return answers.When(day, recorded)


def people_of(histories):
    return [p for h in histories for p in (*h.people, *h.officers)]


def every_report(bureau, history, day, recorded):
    """Each report about a history that can be compared, as of one pair."""
    at, n = when(day, recorded), (day - history.start).days % 3
    person, officer, unit = history.people[n], history.officers[n], history.units[n]
    last = day + timedelta(days=200)
    yield "history", answers.history(bureau, person, at)
    yield "journal", answers.journal(bureau, at, tags=[f"person:{person}"])
    yield "timeline", answers_axes.timeline(bureau, person, at)
    yield "timeline", answers_axes.timeline(bureau, f"unit:{unit}", at)
    for report, one in (("record", person), ("record", officer), ("unit", unit)):
        with suppress(UnknownSubject):  # not yet, at that position
            yield report, getattr(answers, report)(bureau, one, at)
    for k, of in enumerate(("headcount", "pyramid", "vacancies", "gaps")):
        months = sorted(("2025-11", f"{day:%Y-%m}"))
        with suppress(UnknownSubject):
            within = unit if (k + n) % 2 else None
            yield "series", answers_series.series(bureau, of, *months, at, within)
    earlier = when(day - timedelta(days=40), max(1, recorded * 2 // 3))
    for subject in (person, f"unit:{history.units[0] if n else unit}"):
        with suppress(UnknownSubject):
            yield "beliefs", answers_axes.beliefs(bureau, subject, at)
            yield "rectangles", answers_axes.rectangles(bureau, subject, at)
            yield "compare", answers_axes.compare(bureau, subject, earlier, at)
            yield "compare", answers_axes.compare(bureau, subject, at, earlier)
    yield "chain", answers.accountability(bureau, person, at, max(1, recorded // 2))
    yield "chain-over", answers.accountability_over(bureau, person, day, last, at)
    if recorded == bureau.ledger.log.head():
        yield "chain-over", answers.accountability_over(bureau, "a", day, last, at)
    yield "chain-officer", answers.responsibilities(bureau, officer, at)
    yield "chain-officer", answers.responsibilities(bureau, officer, at, day, last)
    yield "chain-unit", answers_many.accountability_of_many(bureau, at)
    with suppress(UnknownSubject):  # one that was not, that day
        yield "chain-unit", answers_many.accountability_of_many(bureau, at, history.units[0])


def test_random_histories_agree_on_every_day(told, bundle, tmp_path):
    """The ledger's own answers and the second telling, of many persons, days and positions."""
    bureau, histories = told
    head, seen = bureau.ledger.log.head(), 0
    for history in histories:
        for n, day in enumerate(history.days()[1::2]):
            recorded = head if n % 2 else history.first + (history.head - history.first) * 2 // 3
            for report, answer in every_report(bureau, history, day, recorded):
                out = filed(bureau, tmp_path / "a.jsonl", report, answer, private=bool(n % 3))
                agrees(bundle, out)
                _, *rows = map(json.loads, out.read_text("utf-8").splitlines())
                seen += len(rows)
    assert seen > 1500


def test_everybody_s_answers_agree(told, bundle, tmp_path):
    bureau, histories = told
    said = set()
    for person in ("a", "o", *people_of(histories)):
        for report, answer in (
            ("history", answers.history(bureau, person, when())),
            ("timeline", answers_axes.timeline(bureau, person, when())),
            (
                "chain-over",
                answers.accountability_over(
                    bureau, person, histories[0].start, "2027-12-31", when()
                ),
            ),
            (
                "chain-officer",
                answers.responsibilities(bureau, person, when(), histories[0].start, "2027-12-31"),
            ),
        ):
            agrees(bundle, out := filed(bureau, tmp_path / "a.jsonl", report, answer, private=True))
            _, *rows = map(json.loads, out.read_text("utf-8").splitlines())
            said |= {r.get(n) for r in rows for n in ("status", "state", "cause", "standing")}
    assert {"held", "acting", "vacant", "not-recorded", "lapsed", "ended", "superseded"} <= said
    assert {"relieved", "term-ended", "auxiliary-left-unit"} <= said
    assert {"suspended", "on-leave", "annulled"} <= said


@KINDS
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_agrees_in_every_form(told, bundle, tmp_path, suffix, lang):
    bureau, histories = told
    out = tmp_path / f"a{suffix}"
    for private in (False, True):
        for history in histories[:2]:
            day = history.days()[4]
            for report, answer in every_report(bureau, history, day, bureau.ledger.log.head()):
                said = agrees(bundle, filed(bureau, out, report, answer, lang, private=private))
                assert "not compared:" not in said
        for report, answer in (
            ("history", answers.history(bureau, "a", when())),
            ("timeline", answers_axes.timeline(bureau, "a", when())),
            ("timeline", answers_axes.timeline(bureau, "a", when(), facet="name")),
            ("journal", answers.journal(bureau, when(), tags=["person:a"])),
        ):
            assert " (0 rows" not in agrees(
                bundle, filed(bureau, out, report, answer, lang, private=private)
            )


def counted(rows):
    rows[0]["count"] = len(rows) - 1


def row_of(bureau, history):
    """Files of which each cell is altered: report, answer."""
    at = when(history.days()[4], bureau.ledger.log.head())
    yield from every_report(bureau, history, history.days()[4], bureau.ledger.log.head())
    yield "history", answers.history(bureau, "a", at)
    yield "timeline", answers_axes.timeline(bureau, "a", at)


def test_every_altered_cell_missing_row_and_added_row_is_named(told, bundle, tmp_path):
    bureau, histories = told
    out, tried = tmp_path / "a.jsonl", set()
    for report, answer in row_of(bureau, histories[1]):
        private = report != "journal"
        whole = filed(bureau, out, report, answer, private=private).read_text("utf-8")
        count = len(whole.splitlines()) - 1
        columns = [*json.loads(whole.splitlines()[1])] if count else []
        for n, column in enumerate(columns):
            at = 1 + n % count
            out.write_text(whole, "utf-8")
            altered(out, lambda rows, at=at, column=column: rows[at].update({column: "何人"}))
            [said] = wrong(bundle, out)
            assert said.startswith(f"row {at + 1} (")
            assert f"column “{column}”: " in said
            tried.add((report, column))
        for at in range(1, count + 1, 3):
            out.write_text(whole, "utf-8")
            altered(out, lambda rows, at=at: (rows.pop(at), counted(rows)))
            [one] = wrong(bundle, out)
            assert one.startswith("it lacks the row of ")
            out.write_text(whole, "utf-8")
            altered(out, lambda rows, at=at: (rows.append(rows[at]), counted(rows)))
            [one] = wrong(bundle, out)
            assert one.endswith("is not in what the entries give")
    assert {"officer", "name", "status", "cause", "entries"} <= {
        c for r, c in tried if r == "chain-unit"
    }
    assert {r for r, _ in tried} == {
        "history", "journal", "timeline", "chain", "chain-over", "chain-officer", "chain-unit",
        "record", "unit", "series", "beliefs", "rectangles", "compare",
    }  # fmt: skip


def test_an_altered_cell_of_a_sheet_is_named_under_its_heading(told, bundle, tmp_path):
    bureau, histories = told
    out = tmp_path / "a.csv"
    history = answers.history(bureau, "a", when())
    rows = filed(bureau, out, "history", history).read_text("utf-8-sig").splitlines()
    assert "范围 person=a" in rows[0]

    def put(n, heading, text):
        altered(out, lambda rows: rows[n].__setitem__(rows[1].index(heading), text))

    put(2, "经办", "某人")
    [said] = wrong(bundle, out)
    assert "column “经办”: it says “某人”, the entries give “" in said
    filed(bureau, out, "history", history)
    put(-1, "状态", "已撤销")
    [said] = wrong(bundle, out)
    assert said.endswith("column “状态”: it says “已撤销”, the entries give “有效”")
    filed(bureau, out, "timeline", answers_axes.timeline(bureau, "a", when(), "unit"))
    put(2, "内容", "单位=u9")
    [said] = wrong(bundle, out)
    assert said.endswith("column “内容”: it says “单位=u9”, the entries give “单位=odd”")
    [chain, *_] = [answers.accountability(bureau, p, when()) for p in histories[0].people]
    filed(bureau, out, "chain", chain, "en")
    put(2, "state of the seat", "no state")
    [said] = wrong(bundle, out)
    assert "column “state of the seat”: it says “no state”, the entries give “" in said


def test_what_is_private_in_a_file_is_compared_and_never_told(bureau, bundle, tmp_path):
    out = tmp_path / "a.jsonl"
    line = answers_axes.timeline(bureau, "a", when(), "name")
    shut = exported(bureau, tmp_path / "shut.zip", disclose=frozenset())
    for suffix in exports.SUFFIXES:
        path = filed(bureau, tmp_path / f"a{suffix}", "timeline", line, private=True)
        assert "not disclosed" not in agrees(bundle, path)
        assert "but for 2 not disclosed" in agrees(shut, path)
    veiled = answers_axes.timeline(bureau.seen_with(frozenset(), None), "a", when(), "name")
    for suffix in exports.SUFFIXES:
        path = filed(bureau, tmp_path / f"a{suffix}", "timeline", veiled)
        assert "but for 2 not disclosed" in agrees(bundle, path)
    altered(filed(bureau, out, "timeline", line, private=True),
            lambda rows: rows[1]["value"].update(name="欧阳某"))  # fmt: skip
    [said] = wrong(bundle, out)
    assert said.endswith("column “value”: it is not what the entries give")
    [zh] = [f.zh for f in check(bundle, Asked(report=out)).findings]
    assert "欧阳" not in zh + said
    assert "王" not in zh + said


def test_a_journal_says_what_it_was_searched_for_and_where_it_stops(bureau, bundle, tmp_path):
    head = bureau.ledger.log.head()
    asked = [
        {"limit": 5}, {"limit": 5, "after": 7}, {"types": ["FactAnnulled", "RewardGranted"]},
        {"corrections": True}, {"late": 30}, {"tags": ["person:a"], "limit": 2},
        {"since": str(head - 3)}, {"tags": ["unit:nowhere"]},
    ]  # fmt: skip
    for suffix in exports.SUFFIXES:
        out = tmp_path / f"a{suffix}"
        for one in asked:
            answer = answers.journal(bureau, when(), **one)
            agrees(bundle, filed(bureau, out, "journal", answer))
    filed(bureau, out := tmp_path / "a.csv", "journal", answers.journal(bureau, when(), limit=3))
    altered(out, lambda rows: rows[0].__setitem__(0, rows[0][0].replace("until=3", "until=4")))
    assert wrong(bundle, out) == ["it lacks the row of 4"]
    filed(bureau, out := tmp_path / "a.jsonl", "journal", answers.journal(bureau, when(), limit=3))
    altered(out, lambda rows: rows[0].pop("next"))
    assert wrong(bundle, out) == ["its first line says “next” otherwise than its scope"]
    filed(bureau, out, "journal", answers.journal(bureau, when(), corrections=True))
    altered(out, lambda rows: rows[0]["asked"].pop("corrections"))
    assert all(one.startswith("it lacks the row of ") for one in wrong(bundle, out)[:-1])


def test_a_person_s_bundle_is_enough_for_the_history_and_for_nothing_else(bureau, tmp_path):
    case = exported(bureau, tmp_path / "case.zip", persons=["a"], complete=False)
    out = tmp_path / "a.jsonl"
    agrees(case, filed(bureau, out, "history", answers.history(bureau, "a", when())))
    filed(bureau, out, "timeline", answers_axes.timeline(bureau, "a", when()))
    assert kinds(case, report=out) == [Kind.UNPROVED]
    filed(bureau, out, "chain", answers.accountability(bureau, "a", when()))
    assert kinds(case, report=out) == [Kind.UNPROVED]
    other = exported(bureau, tmp_path / "other.zip", persons=["o"], complete=False)
    filed(bureau, out, "history", answers.history(bureau, "a", when()))
    assert kinds(other, report=out) == [Kind.UNPROVED]
    altered(out, lambda rows: rows[0]["asked"].clear())
    [finding] = check(case, Asked(report=out)).findings
    assert (finding.kind, "does not say of what" in finding.en) == (Kind.UNPROVED, True)


@needs_chromium
def test_the_page_says_the_same_of_files(told, bundle, tmp_path, browser, opened):
    bureau, histories = told

    def alike_of(path, of=bundle):
        return alike(browser, opened, of, report=path)

    day, head = histories[1].days()[4], bureau.ledger.log.head()
    reports = [*every_report(bureau, histories[1], day, head),
               ("timeline", answers_axes.timeline(bureau, "a", when())),
               ("history", answers.history(bureau, "a", when())),
               ("journal", answers.journal(bureau, when(), late=3, limit=4))]  # fmt: skip
    suffixes = exports.SUFFIXES if browser.version >= UNPACKS else (".csv", ".jsonl")
    for n, (report, answer) in enumerate(reports):
        for m, suffix in enumerate(suffixes):
            out = tmp_path / f"a{suffix}"
            filed(bureau, out, report, answer, ("zh", "en")[(n + m) % 2], private=True)
            assert alike_of(out) == 0
    stated = tmp_path / "a.jsonl"
    for report, answer in reports:
        filed(bureau, stated, report, answer, private=True)
        whole = stated.read_text("utf-8")
        count = len(whole.splitlines()) - 1
        altered(stated, lambda rows: [
            rows[1 + n % (len(rows) - 1)].update({column: [True, "何人", None, 7][n % 4]})
            for n, column in enumerate(rows[1]) if len(rows) > 1
        ])  # fmt: skip
        assert alike_of(stated) == (int(Kind.REPORT) if count else 0)
        stated.write_text(whole, "utf-8")
        altered(stated, lambda rows: (rows.append(rows.pop(1)), rows.append(rows[2]), counted(rows))
                if len(rows) > 2 else None)  # fmt: skip
        assert alike_of(stated) == (int(Kind.REPORT) if count > 1 else 0)
        altered(stated, lambda rows: rows[0]["asked"].clear())
        assert alike_of(stated) in {int(Kind.REPORT), int(Kind.UNPROVED)}
    line = answers_axes.timeline(bureau, "a", when(), "name")
    shut = exported(bureau, tmp_path / "shut.zip", disclose=frozenset())
    veiled = answers_axes.timeline(bureau.seen_with(frozenset(), None), "a", when(), "name")
    for suffix in suffixes:
        out = filed(bureau, tmp_path / f"a{suffix}", "timeline", line, private=True)
        assert alike_of(out, shut) == 0
        assert alike_of(filed(bureau, out, "timeline", veiled)) == 0
    altered(filed(bureau, stated, "timeline", line, private=True),
            lambda rows: rows[1]["value"].update(name="欧阳某"))  # fmt: skip
    assert alike_of(stated) == int(Kind.REPORT)
    case = exported(bureau, tmp_path / "case.zip", persons=["a"], complete=False)
    filed(bureau, stated, "history", answers.history(bureau, "a", when()))
    assert alike_of(stated, case) == 0
    filed(bureau, stated, "history", answers.history(bureau, "o", when()))
    assert alike_of(stated, case) == int(Kind.UNPROVED)


ANSWERS = """
contents(document.getElementById('bundle').files[0]).then((raw) => {
  const one = new Check(raw, {});
  const answering = new Answering(one.every(%d, BEARING));
  return JSON.stringify(%s.map(([who, day]) => answering.answer(who, day)));
})
"""


@needs_chromium
def test_the_page_tells_of_random_histories_what_the_checker_tells(told, bundle, browser, opened):
    bureau, histories = told
    head = bureau.ledger.log.head()
    asked = [(p, d.isoformat()) for h in histories for p in h.people for d in h.days()]
    browser.open(opened)
    browser.put_files("bundle", bundle)
    mine = json.loads(browser.run(ANSWERS % (head, json.dumps(asked))))
    again = folded(bureau, head)
    for (person, day), answer in zip(asked, mine, strict=True):
        assert answer == json.loads(json.dumps(again.answer(person, day))), (person, day)
