"""What a cell may or may not mean, where a roster has it: refused with its reason, or read."""

from datetime import date

import xlsxwriter

from api.intake import Importer
from domain.acts.people import PersonRegistered

HEADINGS = [
    "姓名",
    "工号",
    "公民身份号码",
    "出生日期",
    "用人单位",
    "参加辅警工作时间",
    "合同到期日",
    "用工形式",
]


def row(**said):
    usual = dict.fromkeys(HEADINGS, "") | {
        "姓名": "甲某", "工号": "F1", "用人单位": "指挥中心", "参加辅警工作时间": "2018-07-01",
        "合同到期日": "2026-06-30", "用工形式": "劳动合同",
    }  # fmt: skip
    return [*(usual | said).values()]


def planned(bureau, folder, *rows, mapping="roster-county"):
    path = folder / "one.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for n, cells in enumerate([["花名册(截至2024年3月31日)"], HEADINGS, *rows]):
            page.write_row(n, 0, cells)
    return Importer(bureau.ledger).plan([path], mapping)


def rejected(plan):
    return [(f.row, f.heading, f.reason.rule) for f in plan.rejected]


def warned(plan, rule):
    return [(f.row, f.heading) for f in plan.warnings if f.reason.rule == rule]


def test_a_long_number_of_a_person_kept_as_a_number_is_refused_and_how_to_mend_it(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(工号=320500202400100001), row(工号="320500202400100002"))

    [fault] = plan.rejected
    assert (fault.row, fault.heading, fault.reason.rule) == (3, "工号", "digits-lost")
    assert fault.cell.startswith("3205002024")
    assert "文本" in fault.reason.mend_zh
    assert plan.events["RecordOpened"] == 1


def test_a_day_that_may_be_two_is_refused_and_no_other_is_entered(bureau, tmp_path):
    cells = [20183, "19903", 2018.1, "2018.1", "190301"]
    rows = [row(工号=f"F{n}", 参加辅警工作时间=cell) for n, cell in enumerate(cells)]

    plan = planned(bureau, tmp_path, *rows)

    assert [(line, rule) for line, _, rule in rejected(plan)] == [
        (3, "ambiguous-serial"), (4, "ambiguous-serial"), (5, "ambiguous-date"),
        (6, "ambiguous-date"), (7, "ambiguous-short-day"),
    ]  # fmt: skip
    assert plan.events["RecordOpened"] == 0
    assert all("有歧义" in fault.reason.zh and fault.reason.mend_zh for fault in plan.rejected)


def test_a_month_under_a_short_year_is_pointed_out_as_both(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(参加辅警工作时间="18年3月"))

    assert rejected(plan) == []
    for rule in ("month-only", "two-digit-year"):
        assert warned(plan, rule) == [(3, "参加辅警工作时间")]


def born(plan):
    return [
        made.event.birth_date
        for draft in plan.drafts
        for made in draft.made
        if isinstance(made.event, PersonRegistered)
    ]


def test_a_month_of_birth_agrees_with_the_id_number_which_gives_the_day(bureau, tmp_path):
    said = {"公民身份号码": "32050319900215003X", "出生日期": "1990.02"}
    plan = planned(bureau, tmp_path, row(**said))

    assert rejected(plan) == []
    assert born(plan) == [date(1990, 2, 15)]
    assert warned(plan, "birth-day-from-id") == [(3, "出生日期")]


def test_a_month_of_birth_that_is_not_the_id_numbers_contradicts_it(bureau, tmp_path):
    said = {"公民身份号码": "32050319900215003X", "出生日期": "1990.03"}
    assert rejected(planned(bureau, tmp_path, row(**said))) == [
        (3, "出生日期", "birth-contradicts-id")
    ]


def test_a_month_of_birth_alone_is_not_made_a_day(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(出生日期="1990年2月"))

    assert (rejected(plan), born(plan)) == ([], [None])
    assert warned(plan, "birth-month-alone") == [(3, "出生日期")]


def test_a_number_shorter_than_its_column_may_have_lost_zeros(bureau, tmp_path):
    plan = planned(
        bureau, tmp_path, row(工号=12), row(工号="000013"), row(工号=100014), row(工号="15")
    )

    assert rejected(plan) == []
    assert warned(plan, "shorter-number") == [(3, "工号")]
