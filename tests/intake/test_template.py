"""A template is made of a declaration, and what is filled in comes back as acts."""

import tempfile
from datetime import date
from pathlib import Path
from shutil import rmtree

import pytest
import xlsxwriter
from python_calamine import load_workbook

from api.forms import fields_of
from api.intake import Importer, mapping_of, template_type, write_template
from api.intake.template import columns_of
from api.publishing import publish_law
from api.settings import Bureau, Settings
from domain.acts.contracts import ContractSigned
from domain.acts.grades import AuxiliaryPromoted
from domain.acts.people import AuxiliaryNumberAssigned, PersonDetailsChanged, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import REGISTRY, FactAnnulled, Proposal
from domain.ledger.requests import Request
from domain.refusals import BadInput, UnknownType
from tests.api.desk import run

DAY = date(2022, 1, 4)
ID_NUMBER = "320500196808130676"


def staffed(bureau, division=None):
    """Two auxiliaries of one station: a with a number and an ID number, b with a number."""
    people = {"a": ID_NUMBER, "b": None}
    events = [
        UnitEstablished(unit="u1", name="城东派出所", kind="station", division=division),
        *(PersonRegistered(person=p, name=p, id_number=n) for p, n in people.items()),
        *(AuxiliaryHired(person=p, unit="u1", category="field") for p in people),
        *(AuxiliaryNumberAssigned(person=p, number=f"F{p}") for p in people),
    ]
    bureau.ledger.enter(
        Request([Proposal(e, DAY) for e in events], mood="attested", attested_by="政治部")
    )
    list(bureau.runner.catch_up())


def filled(tmp_path, cls, *rows):
    """The workbook as a clerk fills it in: the template's sheet and headings, rows by heading."""
    out = tmp_path / f"{cls.__name__}.xlsx"
    write_template(cls.__name__, out, ["城东派出所"])
    given = load_workbook(out).get_sheet_by_name(cls.__name__).to_python()
    headings = given[1]
    bare = {h.strip("*"): n for n, h in enumerate(headings)}
    path = tmp_path / "filled.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet(cls.__name__)
        for n, row in enumerate(given[:3]):
            sheet.write_row(n, 0, row)
        for n, row in enumerate(rows, 3):
            for heading, value in {"序号": n - 2, **row}.items():
                sheet.write(n, bare[heading], value)
    return path


BY_ITSELF = {"ImportBegun", "SheetRead", "RowRead", "ImportFinished", "ImportUndone", "ApprovalUsed",
             "SealKeyChanged", "ReadsSealed", "ReadsCut"}  # fmt: skip
NO_SHEETS = {"FactAnnulled"} | BY_ITSELF
"""An annulment names an entry; others the software enters by itself."""


def planned(bureau, path, cls, attested_by="政治部"):
    return Importer(bureau.ledger, bureau.records).plan([path], mapping_of(cls, attested_by))


@pytest.mark.parametrize("name", sorted(REGISTRY.keys() - NO_SHEETS))
def test_every_type_has_a_template_that_reads_back(name, tmp_path, common_bureau):
    out = tmp_path / "t.xlsx"
    cls = write_template(name, out, ["城东派出所"])

    plan = planned(common_bureau, out, cls)

    assert template_type(out) is cls
    assert (plan.rows, list(plan.rejected)) == ([0], [])
    notes = load_workbook(out).get_sheet_by_name("说明").to_python()
    told = {row[0] for row in notes}
    assert len({f.name for f in fields_of(cls)}) <= len(told)


def test_what_the_examples_say_is_what_their_acts_take(bureau, tmp_path):
    """With persons and units that there are, each example is an act that could be."""
    staffed(bureau)
    there = {"person": "Fa", "unit": "城东派出所"}
    asked = {n: c for n, c in REGISTRY.items() if n not in NO_SHEETS and not _is_kept_by_itself(c)}
    faults = {}
    for name, cls in asked.items():
        row = {
            one.heading: there.get(one.column.kind, one.sample)
            for one in columns_of(cls) if one.sample
        }  # fmt: skip

        plan = planned(bureau, filled(tmp_path, cls, row), cls)

        if found := [f.heading for f in plan.rejected if f.reason.rule == "bad-value"]:
            faults[name] = found
    assert faults == {}


def _is_kept_by_itself(cls):
    """What the ledger or an import enters of itself, with digests and ids of entries."""
    fields = cls.model_json_schema()["properties"].values()
    return any("[0-9a-f]" in str(field) or "uuid" in str(field) for field in fields)


def test_what_is_filled_in_becomes_acts_once(bureau, tmp_path):
    staffed(bureau)
    path = filled(
        tmp_path, RewardGranted,
        {"人员": "Fa", "生效日": "2023-05-01", "种类": "优秀辅警", "事迹": "勇救落水者"},
        {"人员": "b", "生效日": date(2023, 5, 2).isoformat(), "种类": "自拟奖项"},
        {"人员": ID_NUMBER, "生效日": "2023-06-01", "种类": "优秀辅警"},
    )  # fmt: skip
    importer = Importer(bureau.ledger, bureau.records)

    report = importer.enter(planned(bureau, path, RewardGranted))
    again = importer.enter(planned(bureau, path, RewardGranted))

    assert list(report.rejected) == []
    entries = list(bureau.ledger.entries(types=["RewardGranted"]))
    assert [(e.fields["person"], str(e.effective)) for e in entries] == [
        ("a", "2023-05-01"), ("a", "2023-06-01"), ("b", "2023-05-02"),
    ]  # fmt: skip
    assert {e.fields["kind"] for e in entries} == {"excellent", "自拟奖项"}
    assert bureau.ledger.vault.reveal(entries[0].fields)["deed"] == "勇救落水者"
    assert again.events.total() == 0


def test_choices_units_dates_and_several_values_are_read(bureau, tmp_path):
    staffed(bureau)
    path = filled(
        tmp_path, ContractSigned,
        {"人员": "Fa", "生效日": "2023-05-01", "编号": "c1", "用人主体": "城东派出所",
         "期限": "固定期限", "末日": "2026-04-30", "条款": "合同期限、劳动报酬"},
    )  # fmt: skip

    plan = planned(bureau, path, ContractSigned)

    ((made,),) = [draft.made for draft in plan.drafts]
    assert made.event == ContractSigned(
        person="a", number="c1", employer="u1", term="fixed", last_day=date(2026, 4, 30),
        clauses=["term", "pay"],
    )  # fmt: skip


def test_rows_that_cannot_be_are_told_and_the_ledger_is_asked_beforehand(bureau, tmp_path):
    staffed(bureau)
    path = filled(
        tmp_path, AuxiliaryPromoted,
        {"人员": "F9999", "生效日": "2023-05-01", "层级": "三级辅员", "种类": "考核晋升"},
        {"人员": "Fa", "生效日": "2023-02-30", "层级": "三级辅员", "种类": "考核晋升"},
        {"人员": "Fa", "生效日": "2023-05-01", "层级": "三级辅员", "种类": "别的"},
        {"人员": "Fa", "生效日": "2023-05-01", "种类": "考核晋升"},
        {"人员": "Fb", "生效日": "2020-05-01", "层级": "三级辅员", "种类": "考核晋升"},
    )  # fmt: skip
    head = bureau.ledger.log.head()

    plan = planned(bureau, path, AuxiliaryPromoted)

    assert [(f.row, f.reason.rule) for f in plan.rejected] == [
        (4, "unknown-person"), (5, "impossible-date"), (6, "unknown-kind"), (7, "blank-grade"),
        (8, "refused-not-in-service"),
    ]  # fmt: skip
    assert list(plan.drafts) == []
    assert bureau.ledger.log.head() == head


def test_what_the_law_would_find_of_a_row_is_told_beforehand_and_refuses_nothing(bureau, tmp_path):
    publish_law(bureau.ledger, ["320500"])
    staffed(bureau, division="320500")
    rows = [{"人员": "Fa", "生效日": "2023-05-01", "种类": kind} for kind in ("嘉奖", "火线奖励")]

    plan = planned(bureau, filled(tmp_path, RewardGranted, *rows), RewardGranted, None)

    assert list(plan.rejected) == []
    assert [(f.row, f.reason.rule, f.reason.rejects) for f in plan.warnings] == [
        (4, "found-reward-kind-list", False)
    ]  # fmt: skip
    assert plan.events == {"RewardGranted": 2}


def test_rows_that_differ_in_private_content_alone_contradict_each_other(bureau, tmp_path):
    staffed(bureau)
    same = {"人员": "Fa", "生效日": "2023-05-01"}
    path = filled(
        tmp_path, PersonDetailsChanged,
        {**same, "电话": "1"}, {**same, "电话": "2"}, {**same, "电话": "1"},
    )  # fmt: skip

    plan = planned(bureau, path, PersonDetailsChanged)

    assert [(f.row, f.reason.rule, f.other) for f in plan.rejected] == [
        (5, "conflicting-duplicate", 4)
    ]
    assert [row for _, row, _ in plan.unchanged()] == [6]


def test_only_the_example_as_it_was_is_passed_over(bureau, tmp_path):
    staffed(bureau)
    path = filled(
        tmp_path, RewardGranted,
        {"序号": "示例", "人员": "Fa", "生效日": "2023-05-01", "种类": "优秀辅警"},
        {"人员": "Fb", "生效日": "2023-05-01", "种类": "优秀辅警"},
    )  # fmt: skip

    plan = planned(bureau, path, RewardGranted)

    assert [(f.row, f.reason.rule) for f in plan.rejected] == [(4, "marked-example")]
    assert [draft.row for draft in plan.drafts] == [5]
    assert "第 3 行" in plan.left_out[-1][0]


def test_what_names_an_entry_has_no_template(tmp_path):
    with pytest.raises(BadInput) as caught:
        write_template(FactAnnulled.__name__, tmp_path / "t.xlsx", [])
    assert caught.value.field == "type"
    with pytest.raises(UnknownType):
        write_template("Nothing", tmp_path / "t.xlsx", [])
    assert not list(tmp_path.iterdir())


def test_a_clerk_asks_for_a_template_fills_it_in_and_imports_it(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="ledger-template-"))
    folder.chmod(0o755)
    try:
        with Bureau(Settings(folder)) as bureau:
            staffed(bureau)
            out = tmp_path / "template.xlsx"
            assert run(folder, "template", "给予奖励", "--out", str(out)).code == 0
            assert template_type(out) is RewardGranted
            assert "说明" not in run(folder, "import", str(out)).out
            assert "没有填报模板" in run(folder, "template", "导入开始").err
            path = filled(
                tmp_path, RewardGranted,
                {"人员": "Fa", "生效日": "2023-05-01", "种类": "优秀辅警"},
                {"人员": "F0", "生效日": "2023-05-01", "种类": "优秀辅警"},
            )  # fmt: skip
            head = bureau.ledger.log.head()
            checked = run(folder, "import", str(path))
            assert (checked.code, bureau.ledger.log.head()) == (0, head)
            assert "账本中找不到此人" in checked.out
            assert "略过 1 行" in checked.out

            entered = run(folder, "import", str(path), "--enter", "--document", "甬公奖〔2023〕2号")

            assert entered.code == 0
            (granted,) = bureau.ledger.entries(types=["RewardGranted"])
            assert granted.mood == "ordered"
            assert granted.envelope["document"] == {"number": "甬公奖〔2023〕2号"}
            other = tmp_path / "other.csv"
            other.write_text("a,b\n1,2\n")
            assert "--mapping" in run(folder, "import", str(other)).err
    finally:
        rmtree(folder, ignore_errors=True)


def test_the_name_beside_a_number_must_be_that_persons(bureau, tmp_path):
    staffed(bureau)
    row = {"人员": "Fa", "种类": "嘉奖", "生效日": "2023-05-01"}
    headings = [f.zh for f in fields_of(RewardGranted) if f.required]
    row = {k: v for k, v in row.items() if k in (*headings, "生效日")}
    path = filled(tmp_path, RewardGranted, {**row, "姓名(供核对)": "王五"},
                  {**row, "姓名(供核对)": "a", "生效日": "2023-05-02"})  # fmt: skip

    plan = planned(bureau, path, RewardGranted)

    (fault,) = [f for f in plan.rejected if f.reason.rule == "name-of-another"]
    assert (fault.row, fault.heading, fault.private) == (4, "姓名(供核对)", True)
