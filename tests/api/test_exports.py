"""Answers as files: what they state of themselves, their columns, and the way back in."""

import csv
import json
from datetime import date

import orjson
import pytest
from python_calamine import load_workbook

from api import answers, answers_axes, answers_many, answers_series, exports
from api.cases import cases
from api.intake import Importer, parse_mapping, reading_back, to_toml
from api.looked import who_read
from api.settings import Bureau
from domain.acts.movement import SecondmentStarted
from domain.acts.units import UnitEstablished
from domain.ledger import Request
from domain.refusals import BadInput
from tests.given import act
from tests.intake.paths import ROSTERS

DAY, LATER = date(2021, 8, 1), date(2021, 9, 30)
WHEN = answers.When(DAY)
FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def filled(common_bureau):
    """The roster of a city, someone seconded, and a unit with a name that would be a formula."""
    bureau = common_bureau
    Importer(bureau.ledger).enter(
        Importer(bureau.ledger).plan([ROSTERS / "roster_city.xlsx"], "roster-city")
    )
    list(bureau.runner.catch_up())
    [first, *_] = answers.roster(bureau, WHEN, "320500-cx")["data"]["lines"]
    bureau.ledger.enter(Request([
        act(UnitEstablished(unit="odd", name=FORMULA, parent="320500"), DAY),
        act(SecondmentStarted(person=first["person"], unit="320500-zhzx"), DAY),
    ], mood="attested", attested_by="政治部"))  # fmt: skip
    list(bureau.runner.catch_up())
    return bureau


def answer_of(bureau, question=answers.roster, *args, **kwargs):
    return orjson.loads(answers.to_bytes(question(bureau, *args, **kwargs)))


def made(bureau, report="roster", answer=None, layout=None, private=False, lang="zh"):
    answer = answer or answer_of(bureau, answers.roster, WHEN, id_numbers=private)
    return exports.made(bureau, report, answer, read=7, lang=lang, layout=layout, private=private)


def layout(tmp_path, text):
    path = tmp_path / "columns.toml"
    path.write_text(text, "utf-8")
    return path


def sheet_rows(path, sheet=0):
    return load_workbook(path).get_sheet_by_index(sheet).to_python()


def test_every_kind_of_file_states_its_times_position_and_head(filled, tmp_path):
    report = made(filled)
    at = str(report.as_of["recorded"])
    for name in ("a.xlsx", "a.csv", "a.jsonl"):
        exports.save(report, tmp_path / name, lang="zh")

    top, headings, first, *_ = sheet_rows(tmp_path / "a.xlsx")
    for stated in ("截至2021-08-01", f"登记位置 {at}", f"账本末位 {report.head}"):
        assert stated in top[0]
    assert headings[:2] == ["人员", "编号"]
    assert first[headings.index("类别")] in ("文职", "勤务")
    notes = dict(sheet_rows(tmp_path / "a.xlsx", 1))
    assert (notes["生效时点"], notes["认知位置"], notes["导出时账本末位"]) == (
        "2021-08-01",
        report.as_of["recorded"],
        report.head,
    )
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [[top[0]], headings]
    assert len(rows) == 2 + len(report.rows)
    stated, *lines = map(json.loads, (tmp_path / "a.jsonl").read_text("utf-8").splitlines())
    assert stated["as_of"] == report.as_of
    assert (stated["head"], stated["count"], stated["private"]) == (report.head, len(lines), False)
    assert lines[0]["category"] in ("civilian", "field")


def test_private_columns_are_there_only_when_asked_for(filled, tmp_path):
    named = answer_of(filled, answers.roster, WHEN)["data"]["lines"][0]["name"]
    for private in (False, True):
        for suffix in exports.SUFFIXES:
            exports.save(
                made(filled, private=private), out := tmp_path / f"{private}{suffix}", lang="zh"
            )
            text = str(sheet_rows(out)) if suffix == ".xlsx" else out.read_text("utf-8")
            assert (named in text) is private
            assert ("32050019" in text) is private


def test_a_bureau_has_its_own_columns_order_and_headings(filled, tmp_path):
    own = layout(
        tmp_path,
        '[roster]\ncolumns = ["unit_name", "name", "number"]\nheadings = { number = "工号" }\n',
    )
    assert made(filled, layout=own, private=True).headings == ["单位名称", "姓名", "工号"]
    assert made(filled, layout=own).headings == ["单位名称", "工号"]
    assert made(filled, layout=layout(tmp_path, "[pay]\ncolumns = ['month']\n")).headings[:2] == [
        "人员",
        "编号",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[roster]\ncolumns = ['rank']\n", "no column rank"),
        ("[rooster]\ncolumns = ['number']\n", "no report rooster"),
        ("[roster]\ncolumns = 7\n", "no list of columns"),
        ("[roster\n", "no list of columns"),
        ("[roster]\ncolumns = []\n", "needs columns"),
        (
            "[roster]\ncolumns = ['number', 'person']\nheadings = { number = '人员' }\n",
            "heading of its own",
        ),
    ],
)
def test_columns_that_cannot_be_are_refused(filled, tmp_path, text, said):
    with pytest.raises(BadInput, match=said) as caught:
        made(filled, layout=layout(tmp_path, text))
    assert caught.value.field == "columns"


def test_no_cell_becomes_a_formula(filled, tmp_path):
    counts = answer_of(filled, answers.headcounts, WHEN)
    counts["data"]["counts"][0]["name"] = FORMULA
    report = made(filled, "headcount", counts)
    for name in ("a.xlsx", "a.csv"):
        exports.save(report, tmp_path / name, lang="zh")
    assert sheet_rows(tmp_path / "a.xlsx")[2][2] == FORMULA  # a formula would read as its value
    assert f",'{FORMULA}," in (tmp_path / "a.csv").read_text("utf-8-sig")


def test_a_csv_file_may_be_in_gb18030(filled, tmp_path):
    exports.save(made(filled), tmp_path / "a.csv", lang="zh", encoding="gb18030")
    assert "在职辅警花名册" in (tmp_path / "a.csv").read_bytes().decode("gb18030")


def test_every_report_is_written_with_as_many_rows_as_it_has(filled, tmp_path):
    person = answer_of(filled, answers.roster, WHEN)["data"]["lines"][0]["person"]
    asked = {
        "headcount": (answers.headcounts, WHEN), "due": (answers.due, answers.When(date(2022, 8, 1))),
        "pay": (answers.pay, person, WHEN), "history": (answers.history, person, WHEN),
        "journal": (answers.journal, WHEN), "retro": (answers_axes.retro, 1, answers.When(LATER)),
        "retro-roster": (answers_axes.retro, 1, answers.When(LATER)),
        "timeline": (answers_axes.timeline, person, WHEN),
        "beliefs": (answers_axes.beliefs, person, WHEN),
        "rectangles": (answers_axes.rectangles, person, WHEN),
        "explain": (answers_axes.explain, person, "grade", WHEN),
        "compare": (answers_axes.compare, "unit:320500", answers.When(date(2020, 1, 1)), WHEN),
        "unit": (answers.unit, "320500-cx", WHEN), "units": (answers.units, WHEN),
        "chain": (answers.accountability, person, WHEN),
        "chain-over": (answers.accountability_over, person, DAY, LATER, WHEN),
        "chain-officer": (answers.responsibilities, person, WHEN),
        "payroll": (answers_many.payroll, WHEN, "320500"),
        "chain-unit": (answers_many.accountability_of_many, WHEN, "320500"),
        "series": (answers_series.series, "pyramid", "2021-06", "2021-08", WHEN),
        "record": (answers.record, person, WHEN), "entry": (answers.entry, 200, WHEN),
        "cases": (cases, WHEN), "reads": (who_read, person),
    }  # fmt: skip
    found = answer_of(filled, answers.findings, WHEN, unit="320500")
    reports = {name: answer_of(filled, *question) for name, question in asked.items()} | {
        "findings": found
    }
    for name, answer in reports.items():
        report = made(filled, name, answer)
        for suffix in exports.SUFFIXES:
            exports.save(report, out := tmp_path / f"{name}{suffix}", lang="en")
        assert len(out.read_text("utf-8").splitlines()) == 1 + len(report.rows)
        assert len(sheet_rows(tmp_path / f"{name}.xlsx")) == 2 + len(report.rows)
    assert len(made(filled, "pay", reports["pay"]).rows) == 8
    assert len(made(filled, "history", reports["history"]).rows) == 4
    elsewhere = {"roster", "repriced", "found", "rights", "batches", "relaw"}
    assert reports.keys() | elsewhere == exports.REPORTS.keys()


OF_WHAT = {
    "pay": (answers.pay, WHEN), "record": (answers.record, WHEN),
    "beliefs": (answers_axes.beliefs, WHEN), "rectangles": (answers_axes.rectangles, WHEN),
    "reads": (who_read,),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_WHAT)
def test_a_report_about_a_person_says_so_even_where_no_row_does(filled, tmp_path, name):
    person = answer_of(filled, answers.roster, WHEN)["data"]["lines"][0]["person"]
    question, *rest = OF_WHAT[name]
    report = made(filled, name, answer_of(filled, question, person, *rest))._replace(rows=[])

    exports.save(report, tmp_path / "a.csv", lang="zh")
    exports.save(report, tmp_path / "a.jsonl", lang="zh")

    assert person in (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()[0]
    assert person in json.dumps(json.loads((tmp_path / "a.jsonl").read_text())["asked"])


def test_what_is_compared_says_both_pairs(filled):
    early = answers.When(date(2020, 1, 1), 300)
    asked = (answers_axes.compare, "unit:320500", early, WHEN)
    report = made(filled, "compare", answer_of(filled, *asked))
    assert "subject=unit%3A320500 before=2020-01-01 before_recorded=300" in exports.title_of(
        report, "en"
    )


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_report_has_a_name_that_a_sheet_can_have(filled, tmp_path, lang):
    report = made(filled)
    for name in exports.REPORTS:
        exports.save(report._replace(report=name), tmp_path / f"{name}.xlsx", lang=lang)
        assert len(sheet_rows(tmp_path / f"{name}.xlsx")) == 2 + len(report.rows)


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "gb.csv"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_exported_roster_imported_into_an_empty_ledger_is_the_same_roster(
    filled, settings, database, tmp_path, name, lang
):
    own = layout(tmp_path, '[roster]\ncolumns = ["number", "name", "id_number", "person", "unit_name", "unit", "host", '
                 '"grade", "ladder", "category", "post", "hired_on", "since"]\nheadings = { number = "工号" }\n')  # fmt: skip
    report = made(filled, layout=own, private=True, lang=lang)
    exports.save(
        report, tmp_path / name, lang=lang, encoding="gb18030" if "gb" in name else "utf-8-sig"
    )
    mapping = reading_back(filled, report, lang)
    text = to_toml(mapping)
    assert parse_mapping(text) == mapping
    written = tmp_path / "mapping.toml"
    written.write_text(text, "utf-8")

    with Bureau(settings._replace(database=database)) as opened:
        empty = opened.read_by(opened.reader.stating("核对", None))
        importer = Importer(empty.ledger)
        done = importer.enter(importer.plan([tmp_path / name], written))
        assert list(done.rejected) == []
        list(empty.runner.catch_up())
        was, now = (answer_of(b, answers.roster, WHEN)["data"] for b in (filled, empty))
        assert now == was
        assert any(line["host"] for line in now["lines"])
        again = made(empty, layout=own, private=True, lang=lang)
        assert again.rows == report.rows


def test_only_a_roster_with_person_and_unit_can_be_imported_again(filled, tmp_path):
    narrow = layout(tmp_path, '[roster]\ncolumns = ["number"]\n')
    with pytest.raises(BadInput, match="person and unit"):
        reading_back(filled, made(filled, layout=narrow), "zh")


def test_an_erased_name_is_said_to_be_erased_and_a_missing_one_is_blank(filled, tmp_path):
    answer = answer_of(filled, answers.roster, WHEN)
    answer["data"]["lines"][0]["name"] = {"erased": True}
    answer["data"]["lines"][1]["name"] = None
    exports.save(made(filled, answer=answer, private=True), tmp_path / "a.xlsx", lang="zh")
    _, headings, first, second, *_ = sheet_rows(tmp_path / "a.xlsx")
    at = headings.index("姓名")
    assert (first[at], second[at]) == ("已销毁", "")
