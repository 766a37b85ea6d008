"""What is entered twice under one key: known where it says the same, in conflict where it does not."""

from datetime import date
from uuid import UUID

import pytest

from api.intake import Importer, undo
from domain.events import Proposal
from domain.ledger.requests import Request
from tests.intake.test_monthly import (
    CONTRACT_AT,
    FIRST,
    GRADE_AT,
    ID_1,
    ID_OTHER,
    OLD,
    UNIT_AT,
    changed,
    law,
    lists,
    opened,
    planned,
    sheet,
)

__all__ = ["opened"]  # a fixture

ID_AT, HIRED_AT = 4, 7


def rules(faults):
    return [(f.file, f.row, f.reason.rule) for f in faults]


def again(bureau, folder, *rows):
    return planned(bureau, folder, *rows, dated=FIRST)


def test_the_same_rows_in_another_file_are_known(opened, tmp_path):
    plan = again(opened, tmp_path, *OLD.values())

    (count,) = plan.counts()
    assert (count.acts, count.already, count.rejected) == (4, 4, 0)
    assert list(plan.rejected) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(0, "别名")], "姓名"),
        ([(HIRED_AT, "2016-07-01")], "录用日"),
        ([(GRADE_AT, "一级辅员")], "层级"),
        ([(UNIT_AT, "指挥中心")], "单位"),
        ([(ID_AT, "")], "身份证号"),
        ([(CONTRACT_AT, "2031-12-31")], "末日"),
        ([(CONTRACT_AT, "")], "事项"),
    ],
)
def test_a_row_entered_with_other_content_is_rejected_and_never_known(
    opened, tmp_path, changes, words
):
    head = opened.ledger.log.head()
    plan = again(opened, tmp_path, changed("F1", *changes), *list(OLD.values())[1:])

    assert rules(plan.rejected) == [("next.csv", 2, "entered-otherwise")]
    (fault,) = plan.rejected
    batch = next(e for e in opened.ledger.entries(types=["ImportBegun"])).fields["batch"]
    assert words in fault.reason.zh
    assert batch[:8] in fault.reason.zh
    assert "甲" not in fault.reason.zh + fault.reason.en
    assert ID_1 not in fault.reason.zh + fault.reason.en
    assert lists(plan)["conflict"] == ["F1"]
    (count,) = plan.counts()
    assert (count.acts, count.already, count.rejected) == (3, 3, 1)
    report = Importer(opened.ledger, opened.records).enter(plan)
    assert rules(report.rejected) == rules(plan.rejected)
    assert opened.ledger.log.head() == head


def test_another_person_under_an_entered_number_is_rejected(opened, tmp_path):
    plan = again(opened, tmp_path, ["戊", "F1", "男", "1990-01-01", ID_OTHER, *OLD["F1"][5:]])

    assert rules(plan.rejected) == [("next.csv", 2, "entered-otherwise")]


def test_a_month_entered_again_with_another_change_is_rejected(opened, tmp_path):
    importer = Importer(opened.ledger, opened.records)
    importer.enter(planned(opened, tmp_path, changed("F3", (UNIT_AT, "指挥中心")), changed("F4")))
    list(opened.runner.catch_up())

    plan = planned(opened, tmp_path, changed("F3", (UNIT_AT, "特巡警大队")), changed("F4"))

    assert rules(plan.rejected) == [("next.csv", 2, "entered-otherwise")]
    assert lists(plan) == {"unchanged": ["F4"], "conflict": ["F3"]}


def test_what_was_corrected_in_the_ledger_is_known_as_corrected(opened, tmp_path):
    first = next(
        e for e in opened.ledger.entries(types=["RecordOpened"]) if e.fields["number"] == "F1"
    )
    event = first.cls.model_validate(first.fields | {"hired_on": "2016-07-01"})
    fix = Proposal(event, FIRST, supersedes=UUID(first.id))
    opened.ledger.enter(Request([fix], mood="attested", attested_by="原花名册"))

    plan = again(opened, tmp_path, changed("F1", (HIRED_AT, "2016-07-01")), *list(OLD.values())[1:])

    assert list(plan.rejected) == []


def test_after_undoing_the_corrected_sheet_is_entered(opened, tmp_path):
    batch = next(e for e in opened.ledger.entries(types=["ImportBegun"])).fields["batch"]
    undo(opened.ledger, batch)
    list(opened.runner.catch_up())
    rows = [changed("F1", (0, "别名")), *list(OLD.values())[1:]]

    report = Importer(opened.ledger, opened.records).enter(again(opened, tmp_path, *rows))

    assert list(report.rejected) == []
    assert report.events["RecordOpened"] == 4


def of_two_files(bureau, folder, one, other):
    law(bureau)
    files = [sheet(folder, one, "a.csv"), sheet(folder, other, "b.csv")]
    return Importer(bureau.ledger, bureau.records).plan(files, "roster-city", date(2023, 8, 1))


@pytest.mark.parametrize(
    "other",
    [
        ["戊", "F1", "男", "1990-01-01", ID_OTHER, *OLD["F1"][5:]],  # one number
        ["甲", "F9", *OLD["F1"][2:]],  # one ID number
    ],
)
def test_files_of_one_run_that_contradict_each_other_are_rejected_both(bureau, tmp_path, other):
    plan = of_two_files(bureau, tmp_path, [OLD["F2"], OLD["F1"]], [other, OLD["F3"]])

    assert rules(plan.rejected) == [
        ("a.csv", 3, "conflicting-files"), ("b.csv", 2, "conflicting-files"),
    ]  # fmt: skip
    assert [(f.other, "b.csv" in f.reason.zh) for f in plan.rejected] == [(2, True), (3, False)]
    report = Importer(bureau.ledger, bureau.records).enter(plan)
    assert report.events["PersonRegistered"] == 2


def test_files_of_one_run_that_repeat_a_row_enter_it_once(bureau, tmp_path):
    plan = of_two_files(bureau, tmp_path, [OLD["F1"]], [OLD["F1"], OLD["F2"]])

    assert list(plan.rejected) == []
    report = Importer(bureau.ledger, bureau.records).enter(plan)
    assert report.events["PersonRegistered"] == 2
