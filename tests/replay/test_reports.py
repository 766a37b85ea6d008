"""A file of a report is held against the entries of a bundle: what agrees, and what does not."""

import re
import subprocess
import sys
import zipfile
from datetime import date

import pytest

from api import answers, exports
from api.intake import Importer
from domain.acts.movement import SecondmentStarted
from domain.acts.units import UnitEstablished
from replay.check import check
from replay.evidence import checker
from replay.findings import Asked, Kind
from tests.given import act
from tests.histories import History, sample_steps
from tests.intake.paths import ROSTERS
from tests.replay.bundles import enter, kinds
from tests.replay.filed import DAY, UNPACKS, agrees, altered, exported, filed, wrong
from tests.replay.test_page import alike, needs_chromium

KINDS = pytest.mark.parametrize("suffix", exports.SUFFIXES)


@pytest.fixture(scope="module")
def bureau(common_bureau, tmp_path_factory):
    """A city's roster, someone seconded, random histories of others."""
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path_factory.mktemp("key") / "seal.key"
    importer = Importer(bureau.ledger)
    importer.enter(importer.plan([ROSTERS / "roster_city.xlsx"], "roster-city"))
    list(bureau.runner.catch_up())
    [first, *_] = answers.roster(bureau, answers.When(DAY), "320500-cx")["data"]["lines"]
    enter(
        bureau,
        act(UnitEstablished(unit="odd", name="=1+1", parent="320500"), DAY),
        act(SecondmentStarted(person=first["person"], unit="odd"), DAY),
    )
    for seed in (5, 6, 7):
        History(bureau.ledger).play(sample_steps(seed))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    return bureau


@pytest.fixture(scope="module")
def bundle(bureau, tmp_path_factory):
    return exported(bureau, tmp_path_factory.mktemp("bundle") / "b.zip")


def saved(bureau, out, *args, question=answers.roster, lang="zh", layout=None, private=False,
          **asked):  # fmt: skip
    name = {"headcounts": "headcount"}.get(question.__name__, question.__name__)
    if question is answers.roster:
        asked["id_numbers"] = private
    when = asked.pop("when", answers.When(DAY))
    answer = question(bureau, when, *args, **asked)
    return filed(bureau, out, name, answer, lang, layout, private)


@KINDS
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_true_roster_agrees(bureau, bundle, tmp_path, suffix, lang):
    out = tmp_path / f"a{suffix}"
    for private in (False, True):
        said = agrees(bundle, saved(bureau, out, lang=lang, private=private))
        assert "not disclosed" not in said
        assert int(said.split(" rows")[0].rpartition("(")[2]) > 20
    for unit in ("320500-cx", "320500", "odd"):
        agrees(bundle, saved(bureau, out, unit, lang=lang))
        agrees(bundle, saved(bureau, out, unit, below=False, lang=lang))
    agrees(bundle, saved(bureau, out, category="civilian", lang=lang))


@KINDS
def test_a_roster_of_any_pair_agrees(bureau, bundle, tmp_path, suffix):
    head = bureau.ledger.log.head()
    for n, day in enumerate((date(2019, 1, 1), date(2022, 5, 1), date(2024, 2, 1))):
        for recorded in (head // 3, head - 7 * n, head):
            when = answers.When(day, recorded)
            agrees(bundle, saved(bureau, tmp_path / f"a{suffix}", when=when, private=True))


@KINDS
def test_headcounts_and_units_agree(bureau, bundle, tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    for by in ("unit", "grade", "post", "category"):
        agrees(bundle, saved(bureau, out, question=answers.headcounts, by=by))
    agrees(bundle, saved(bureau, out, question=answers.headcounts, unit="320500", below=False))
    agrees(bundle, saved(bureau, out, question=answers.units))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_what_was_altered_is_named_by_row_and_column(bureau, bundle, tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    sheet = suffix == ".csv"

    def at(column):
        return list(answers_columns()).index(column) if sheet else column

    def answers_columns():
        return [f.name for f in exports.REPORTS["roster"].fields if not f.private]

    def cell(rows):
        rows[5][at("number")] = "F999"

    def removed(rows):
        gone.append(rows.pop(6)[at("person")])
        if not sheet:
            rows[0]["count"] -= 1

    def added(rows):
        rows.append(dict(rows[4]) if not sheet else list(rows[4]))
        if not sheet:
            rows[0]["count"] += 1

    gone = []
    person, heading = (
        (lambda rows: rows[5][at("person")]),
        "编号" if sheet else "number",
    )
    held = []
    altered(saved(bureau, out), lambda rows: (held.append(person(rows)), cell(rows)))
    [said] = wrong(bundle, out)
    assert said.startswith(f"row 6 ({held[0]}), column “{heading}”: it says “F999”")

    altered(saved(bureau, out), removed)
    assert wrong(bundle, out) == [f"it lacks the row of {gone[0]}"]

    altered(saved(bureau, out), added)
    [said] = wrong(bundle, out)
    assert said.endswith("is not in what the entries give")


def test_an_altered_cell_of_a_workbook_is_named_as_another_program_saved_it(
    bureau, bundle, tmp_path
):
    """Its texts in a table of their own, as Excel and WPS write them."""
    path = saved(bureau, tmp_path / "a.xlsx")
    agrees(bundle, path)
    with zipfile.ZipFile(path) as held:
        parts = {name: held.read(name) for name in held.namelist()}
    first = "xl/worksheets/sheet1.xml"
    inline = parts[first].decode()
    texts: list[str] = []

    def shared(found):
        texts.append(found[2])
        return f'{found[1]} t="s"><v>{len(texts) - 1}</v></c>'

    sheet = re.sub(
        r'(<c r="[A-Z0-9]+"(?: s="\d+")?) t="inlineStr"><is>(.*?)</is></c>', shared, inline
    )
    assert texts
    table = "".join(f"<si>{text}</si>" for text in texts)

    def packed(sheet, table):
        out = tmp_path / "b.xlsx"
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as held:
            for name, content in parts.items():
                held.writestr(name, sheet if name == first else content)
            held.writestr("xl/sharedStrings.xml", f"<sst>{table}</sst>")
        return out

    agrees(bundle, packed(sheet, table))
    [said] = wrong(bundle, packed(sheet, table.replace("文职", "文员", 1)))
    assert "column “类别”: it says “文员”, the entries give “文职”" in said


def repacked(path, out, **parts):
    """A workbook with parts of it changed: by the last word of their names."""
    with zipfile.ZipFile(path) as held, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in held.namelist():
            was = held.read(name).decode()
            change = parts.get(name.rpartition("/")[2].removesuffix(".xml"))
            new.writestr(name, change(was) if change else was)
            assert not change or change(was) != was
    return out


def sub(old, new):
    return lambda raw: re.sub(old, new, raw, count=1)


WORKBOOKS = [
    ({"sheet1": sub(r'(<c r="B4".*?)<is>', r"\1<f>1+1</f><is>")}, "the cell B4 of its sheet 1 is a formula"),
    ({"workbook": sub('sheetId="1"', 'sheetId="1" state="hidden"')}, "of its sheet 1 something"),
    ({"workbook": sub('sheetId="2"', 'sheetId="2" state="veryHidden"')}, "of its sheet 2 something"),
    ({"workbook": sub("(<sheet name=.*?/>)", r"\1\1")}, "it has more sheets than"),
    ({"sheet1": sub('<row r="5"', '<row r="5" hidden="1"')}, "of its sheet 1 something is hidden"),
    ({"sheet1": sub('<col min="1"', '<col hidden="true" min="1"')}, "of its sheet 1 something"),
    ({"sheet1": sub("(?s)(<row r=.6.*?)</row>", r'\1<c r="AB6" t="str"><v>x</v></c></row>')},
     "its cell AB6 is under no heading"),
    ({"sheet1": sub("(?s)(<row r=.1.*?)</row>", r'\1<c r="B1" t="str"><v>x</v></c></row>')},
     "its cell B1 is under no heading"),
    ({"sheet1": sub("</sheetData>", '<row r="999"><c r="AC999" t="str"><v>x</v></c></row></sheetData>')},
     "its cell AC999 is under no heading"),
    ({"sheet1": sub("<pageMargins", '<mergeCells count="0"/><pageMargins')}, "its sheet 1 has drawings"),
    ({"styles": sub('<xf numFmtId="0"(?=[^>]*applyAlignment)', '<xf numFmtId="14"')}, "hides it"),
    ({"sheet1": sub("账本末位 [0-9]+", "账本末位 1")}, "the head that it names is below"),
    ({"sheet1": sub("查阅日志 1", "查阅日志 2")}, "its notes say otherwise of “查阅日志位置”"),
    ({"sheet2": sub("(<v>)([0-9]+)(</v>)", r"\g<1>9\2\3")}, "its notes say otherwise of “认知位置”"),
    ({"sheet1": sub("范围 全部", "范围 全部 已核")}, "there are other words in its title"),
]  # fmt: skip
ODD_LINES = [
    (lambda rows: rows[0].update(certified=True), "its first line has “certified” too"),
    (lambda rows: rows[0].update(head=1), "the head that it names is below"),
    (lambda rows: rows[0]["asked"].update(all="yes"), "no report says “all” of itself"),
    (lambda rows: rows[0]["as_of"].update(until="x"), "no report says “until” of itself"),
]


def test_what_a_file_shows_beside_its_rows_is_named(bureau, bundle, tmp_path):
    book = saved(bureau, tmp_path / "a.xlsx")
    assert "that it is read 1 is not compared" in agrees(bundle, book)
    for parts, wanted in WORKBOOKS:
        told = wrong(bundle, repacked(book, tmp_path / "b.xlsx", **parts))
        assert any(wanted in one for one in told), (wanted, told)
    for change, wanted in ODD_LINES:
        assert wanted in wrong(bundle, altered(saved(bureau, tmp_path / "a.jsonl"), change))[0]
    out = saved(bureau, tmp_path / "a.csv")
    altered(out, lambda rows: (rows[4].extend(["", "x"]), rows.append([""] * 40 + ["y"])))
    assert all("is under no heading" in one for one in wrong(bundle, out))
    assert len(wrong(bundle, out)) == 2


@needs_chromium
def test_the_page_names_it_too(bureau, bundle, tmp_path, browser, opened):
    book = saved(bureau, tmp_path / "a.xlsx")
    for parts, _ in WORKBOOKS if browser.version >= UNPACKS else ():
        out = repacked(book, tmp_path / "b.xlsx", **parts)
        assert alike(browser, opened, bundle, report=out) == int(Kind.REPORT)
    for change, _ in ODD_LINES:
        out = altered(saved(bureau, tmp_path / "a.jsonl"), change)
        assert alike(browser, opened, bundle, report=out) == int(Kind.REPORT)


def test_the_wrong_times_are_named(bureau, bundle, tmp_path):
    head = bureau.ledger.log.head()
    out = saved(bureau, tmp_path / "a.csv")

    def dated(rows):
        rows[0][0] = rows[0][0].replace("2021-08-01", "2019-08-01")

    def placed(rows):
        rows[0]["as_of"]["recorded"] -= 9

    altered(out, dated)
    assert len(wrong(bundle, out)) > 1
    [said] = wrong(bundle, altered(saved(bureau, tmp_path / "a.jsonl"), placed))
    assert said.startswith(f"entry {head - 9} was not recorded at 20")
    altered(saved(bureau, out), lambda rows: rows[0].__setitem__(0, rows[0][0].replace(":", ";")))
    assert "was not recorded at" in wrong(bundle, out)[0]
    altered(saved(bureau, out), lambda rows: rows[0].__setitem__(0, "花名册"))
    [finding] = check(bundle, Asked(report=out)).findings
    assert (finding.kind, finding.en[:16]) == (Kind.UNREADABLE, "the report given")


def test_what_is_not_comparable_is_said(bureau, bundle, tmp_path):
    out = tmp_path / "a.jsonl"
    shut = exported(bureau, tmp_path / "shut.zip", disclose=frozenset())
    assert "not disclosed" in agrees(shut, saved(bureau, out, private=True))
    case = exported(bureau, tmp_path / "case.zip", complete=False,
                    entries=[bureau.ledger.log.head()])  # fmt: skip
    assert kinds(case, report=out) == [Kind.UNPROVED]
    wordless = exported(bureau, tmp_path / "wordless.zip", words={})
    assert kinds(wordless, report=out) == [Kind.UNPROVED]
    altered(out, lambda rows: rows[0].update(report="pay"))
    [finding] = check(bundle, Asked(report=out)).findings
    assert finding.kind == Kind.UNPROVED
    assert "comparable are roster, headcount, units" in finding.en


def test_a_layout_of_ones_own_is_read_by_it(bureau, bundle, tmp_path):
    own = tmp_path / "columns.toml"
    own.write_text(
        '[roster]\ncolumns = ["unit_name", "number", "name"]\nheadings = { number = "工号" }\n'
    )
    path = saved(bureau, tmp_path / "a.csv", layout=own, private=True)
    assert kinds(bundle, report=path) == [Kind.UNPROVED]  # by what would a row be found?
    assert "columns not compared" not in agrees(bundle, path, columns=own)
    own.write_text('[roster]\nheadings = { post = "职位" }\ncolumns = ["person", "post"]\n')
    path = saved(bureau, tmp_path / "a.csv", layout=own)
    assert agrees(bundle, path).endswith("columns not compared: 职位")


def test_a_private_value_that_differs_is_named_and_not_told(bureau, bundle, tmp_path):
    out = saved(bureau, tmp_path / "a.jsonl", private=True)
    altered(out, lambda rows: rows[3].update(name="欧阳某"))
    [said] = wrong(bundle, out)
    assert "column “name”: it is not what the entries give" in said


def test_many_differences_are_not_all_told(bureau, bundle, tmp_path):
    def spoilt(rows):
        for row in rows[1:]:
            row["post"] = "x"

    told = wrong(bundle, altered(saved(bureau, tmp_path / "a.jsonl"), spoilt))
    assert len(told) == 21
    assert "there are more differences" in told[-1]


def test_the_checker_that_travels_compares_them(bureau, bundle, tmp_path):
    (tmp_path / "check.py").write_bytes(checker())
    out = saved(bureau, tmp_path / "a.xlsx", "320500-cx", private=True)
    ran = subprocess.run(
        [sys.executable, "-I", "check.py", bundle, "--report", out],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "is what the entries give" in ran.stderr


@needs_chromium
def test_the_page_says_the_same_of_files(bureau, bundle, tmp_path, browser, opened):
    own = tmp_path / "columns.toml"

    def alike_of(path, of=bundle):
        return alike(browser, opened, of, report=path)

    for suffix in exports.SUFFIXES if browser.version >= UNPACKS else (".csv", ".jsonl"):
        out = tmp_path / f"a{suffix}"
        assert alike_of(saved(bureau, out, private=True)) == 0
        assert alike_of(saved(bureau, out, "320500", below=False, lang="en")) == 0
        assert alike_of(saved(bureau, out, question=answers.headcounts, by="category")) == 0
        assert alike_of(saved(bureau, out, question=answers.units)) == 0
    table, stated = tmp_path / "a.csv", tmp_path / "a.jsonl"
    spoilt = [
        (table, lambda rows: rows[5].__setitem__(1, 'F,"9"\n9')),
        (table, lambda rows: rows.pop(4)),
        (table, lambda rows: rows.append([*rows[6]])),
        (table, lambda rows: rows[0].__setitem__(0, rows[0][0].replace("2021-08", "2019-08"))),
        (table, lambda rows: rows[0].__setitem__(0, rows[0][0] + " unit=none")),
        (table, lambda rows: rows[1].__setitem__(3, "其他")),
        (table, lambda rows: rows[1].__setitem__(0, "何人")),
        (table, lambda rows: rows.pop(0)),
        (stated, lambda rows: rows[2].update(grade=None, post=7)),
        (stated, lambda rows: rows[0].update(report="pay")),
        (stated, lambda rows: rows[0]["as_of"].update(fold=1)),
        (stated, lambda rows: rows[0]["as_of"].update(recorded=bureau.ledger.log.head() - 5)),
        (stated, lambda rows: [row.update(post="x") for row in rows[1:]]),
        (stated, lambda rows: rows[3].update(name="欧阳某")),
    ]  # fmt: skip
    codes = [alike_of(altered(saved(bureau, path, private=path == stated), change))
             for path, change in spoilt]  # fmt: skip
    assert codes == [22, 22, 22, 22, 22, 0, 0, 25, 22, 24, 24, 22, 22, 22]
    own.write_text('[roster]\ncolumns = ["unit_name"]\n')
    assert alike_of(saved(bureau, table, layout=own)) == 24
    shut = exported(bureau, tmp_path / "shut.zip", disclose=frozenset())
    assert alike_of(saved(bureau, stated, private=True), shut) == 0
    book = saved(bureau, tmp_path / "b.xlsx").read_bytes()
    (tmp_path / "c.xlsx").write_bytes(book[: len(book) // 2])
    assert alike_of(tmp_path / "c.xlsx") == 25
