"""What a cell said is kept with the value that was made of it, and is as private as that is."""

from collections import Counter
from datetime import date

import orjson
import pytest
import rich

from api import answers
from api.cli import overview
from api.cli.frame import Lang
from api.entries import to_bytes
from api.intake import Importer, undo
from api.intake.originals import letters
from api.settings import Bureau, Settings
from domain.acts.imports import RowRead
from domain.acts.privacy import PrivateDataDestroyed
from domain.events import Proposal
from domain.ledger.requests import Request
from tests.intake.paths import ROSTERS

CITY = ROSTERS / "roster_city.xlsx"


@pytest.fixture
def settings(tmp_path, database, other_database):
    """A vault of its own: what is destroyed here is destroyed for nobody else."""
    return Settings(tmp_path, database, other_database)


@pytest.fixture
def bureau(settings):
    with Bureau(settings) as opened:
        yield opened.read_by(opened.reader.stating("核对", None))


@pytest.fixture
def imported(bureau):
    return enter(bureau)


def enter(bureau, **kwargs):
    importer = Importer(bureau.ledger, bureau.records)
    list(bureau.runner.catch_up())
    report = importer.enter(importer.plan([CITY], "roster-city", **kwargs))
    list(bureau.runner.catch_up())
    return report


def entry_of(bureau, number, type_="RecordOpened"):
    opened = bureau.ledger.entries(types=["RecordOpened"])
    person = next(e.fields["person"] for e in opened if e.fields["number"] == number)
    return next(bureau.ledger.entries([f"person:{person}"], [type_]))


def read_of(bureau, entry):
    return answers.entry(bureau, entry.position)["data"]["read"]


def said(read):
    return {one["heading"]: one["text"] for one in read["cells"]}


def test_an_entry_names_each_cell_and_what_it_said_to_the_letter(bureau, imported):
    read = read_of(bureau, entry_of(bureau, "FJ320500001"))

    assert (read["file"], read["sheet"], read["row"]) == ("roster_city.xlsx", "在职辅警", 4)
    assert read["sha256"] == next(bureau.ledger.entries(types=["ImportBegun"])).fields["digests"][0]
    assert (read["mapping"], read["version"]) == ("roster-city", "1")
    hired = next(one for one in read["cells"] if one["cell"] == "I4")
    assert (hired["heading"], hired["text"]) == ("入职时间", "2006.6.9")
    assert hired["into"] == ["RecordOpened.hired_on"]
    assert said(read)["所在单位"] == "城西派出所  "
    assert "姓名" not in said(read)  # which went into the registration
    assert "备注" not in said(read)  # which went nowhere


def test_what_is_typed_and_what_is_full_width_is_kept_as_the_clerk_saw_it(bureau, imported):
    read = read_of(bureau, entry_of(bureau, "FJ320500004", "ContractOpened"))
    assert said(read)["合同期限至"] == "2022-12-31"

    assert (
        said(read_of(bureau, entry_of(bureau, "FJ320500004")))["辅警编号"]
        == "ＦＪ３２０５００００４"
    )
    registered = read_of(bureau, entry_of(bureau, "FJ320500006", "PersonRegistered"))
    assert said(registered)["身份证号码"] == "３２０５００１９６８０８１３０６７６"


def test_a_private_cell_is_sealed_withheld_and_erased_like_the_value(bureau, imported):
    entry = entry_of(bureau, "FJ320500001", "PersonRegistered")
    assert said(read_of(bureau, entry))["姓名"] == " 华子涛"
    stored = b"".join(one.data for one in bureau.ledger.entries()).decode()
    for cell in ("华子涛", "320500197102144050", "1971-02-14"):
        assert cell not in stored

    seen = bureau.seen_with(frozenset({"health"}), None)
    shut = {one["class"]: one["text"] for one in read_of(seen, entry)["cells"] if "class" in one}
    assert shut == {"identity": {"withheld": True}}

    gone = PrivateDataDestroyed(
        person=entry.fields["person"], classes=["identity"], ground="销毁", approval="销1号"
    )
    bureau.ledger.enter(Request([Proposal(gone, date(2024, 5, 1))]))
    list(bureau.runner.catch_up())
    shut = {one["class"]: one["text"] for one in read_of(bureau, entry)["cells"] if "class" in one}
    assert shut == {"identity": {"erased": True}}
    assert said(read_of(bureau, entry))["性别"] == "男"


def test_every_row_that_became_acts_is_kept_once_and_importing_again_adds_none(bureau, imported):
    (count,) = imported.files
    rows = Counter(e.fields["row"] for e in bureau.ledger.entries(types=["RowRead"]))
    assert len(rows) == count.acts
    assert set(rows.values()) == {1}

    again = enter(bureau)

    assert again.position == imported.position


def test_a_changed_row_of_a_later_sheet_says_what_it_said(bureau, imported, tmp_path):
    sheet = tmp_path / "later.csv"
    sheet.write_text(
        "辅警编号,姓名,所在单位,现层级\nFJ320500001,华子涛, 城东派出所 ,三级辅督\n", "utf-8"
    )
    importer = Importer(bureau.ledger, bureau.records)
    importer.enter(importer.plan([sheet], "roster-city", date(2022, 1, 1)))
    list(bureau.runner.catch_up())

    moved = next(bureau.ledger.entries(types=["AuxiliaryTransferred"]))
    read = read_of(bureau, moved)
    assert said(read)["所在单位"] == " 城东派出所 "
    assert read["row"] == 2


def test_what_a_file_said_outlives_the_undoing_of_what_was_made_of_it(bureau, imported):
    entry = entry_of(bureau, "FJ320500001")
    before = read_of(bureau, entry)

    undo(bureau.ledger, str(imported.batch))
    list(bureau.runner.catch_up())

    assert read_of(bureau, entry) == before
    again = enter(bureau)
    rows = [e for e in bureau.ledger.entries(types=["RowRead"]) if e.fields["row"] == 4]
    assert [one.envelope["request_id"] for one in rows] == [str(imported.batch), str(again.batch)]


def test_what_was_entered_by_hand_has_no_cells(bureau):
    bureau.ledger.enter(Request([Proposal(RowRead(sheet=0, row=1, cells={}), date(2024, 1, 1))]))
    list(bureau.runner.catch_up())
    assert answers.entry(bureau, 1)["data"]["read"] is None


def test_a_clerk_sees_the_cells_on_the_command_line(bureau, imported, capsys):
    entry = entry_of(bureau, "FJ320500001")
    answer = orjson.loads(to_bytes(answers.entry(bureau, entry.position)))

    for part in overview.draw_entry(answer["data"], Lang.ZH):
        rich.print(part)

    shown = capsys.readouterr().out
    for words in ("roster_city.xlsx", "SHA-256", "I4", "入职时间", "2006.6.9", "RecordOpened"):
        assert words in shown


@pytest.mark.parametrize(
    ("at", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")]
)
def test_columns_are_named_as_a_spreadsheet_names_them(at, name):
    assert letters(at) == name
