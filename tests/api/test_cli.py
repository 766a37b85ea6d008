"""The command as users run it: a process of its own, on a data folder with its own server."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
import xlsxwriter
from python_calamine import load_workbook

from api.app import create_app
from api.cli.frame import clerk
from domain.acts.packs import PackPublished
from domain.law import Pack, load_packs
from tests.api.conftest import CLOSED, STATED, serving
from tests.api.desk import ATTESTED, ROSTER, Desk, Said, act

UNLAWFUL = [
    act("PersonRegistered", "2022-01-04", person="P2"),
    act("AuxiliaryHired", "2022-01-04", person="P2", unit="U01", category="field"),
]


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'pydantic', 'psycopg', 'fastapi', 'cryptography', 'domain.ledger'}"
    code = f"import sys, api.cli.main; sys.exit(len({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_init_again_changes_nothing(desk: Desk) -> None:
    head = desk.head()

    assert "未作改动" in desk.run("init").err
    assert desk.head() == head


def test_init_refuses_a_pack_that_is_not_packaged(desk: Desk) -> None:
    said = desk.run("init", "--pack", "999999")

    assert said.code == 1
    assert "没有规则包 999999" in said.err


def test_a_file_entered_twice_is_stored_once(desk: Desk) -> None:
    head = desk.head()

    again = desk.run("enter", str(desk.folder / "story.json"))

    assert (again.code, desk.head()) == (0, head)
    assert "未重复登记" in again.err
    assert "主要领导任职" in again.out


def test_a_dry_run_tells_the_findings_and_stores_nothing(desk: Desk) -> None:
    head = desk.head()

    said = desk.enter(UNLAWFUL, "--dry-run", mood="attested", attested_by="政治部")

    assert said.code == 0
    assert "未登记" in said.out
    assert "实施意见 三(二)7" in said.out
    assert desk.head() == head


def test_what_an_order_undermines_is_listed_and_entered_once_acknowledged(desk: Desk) -> None:
    later = [
        act("PersonRegistered", "2022-01-04", person="P3"),
        act("AuxiliaryHired", "2022-01-04", person="P3", unit="U01", category="field"),
        act("PostAssigned", "2023-01-09", person="P3", post="patrol"),
    ]
    assert desk.enter(later, **ATTESTED).code == 0
    head = desk.head()
    left = [act("AuxiliaryResigned", "2022-06-01", person="P3")]

    tried, refused = desk.enter(left, "--dry-run"), desk.enter(left)
    assert desk.head() == head
    reason = [{"position": head, "reason": "劳动仲裁裁决"}]
    entered = desk.enter(left, acknowledge=reason)
    record = desk.run("record", "P3")

    assert (tried.code, refused.code, entered.code) == (1, 1, 0)
    assert "将被拒绝" in tried.out
    assert "自 2022-06-01" in tried.out
    assert "此前登记将不成立" in tried.out
    assert f"登记 {head} 定岗" in refused.err
    assert "2023-01-09 不在职" in refused.err
    assert "确认影响并启动复核" in entered.out
    assert "劳动仲裁裁决" in record.out
    assert "待复核" in record.out


def test_an_unlawful_order_is_refused_with_its_article_and_leaves_nothing(desk: Desk) -> None:
    head = desk.head()

    said = desk.enter(UNLAWFUL)

    assert (said.code, said.out, desk.head()) == (1, "", head)
    assert "第 2 项" in said.err
    assert "依据 实施意见 三(二)7" in said.err
    assert "law-forbids" in said.err


NUMBER = "330203199001011234"  # its check character is wrong
BAD = {
    "bad-json": (b'{"events": [', ""),
    "impossible-date": (act("PersonRegistered", "2022-02-30", person="P9"), "field effective"),
    "bad-input": (
        act("PersonRegistered", "2022-01-04", person="P9", id_number=NUMBER), "field id_number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", BAD)
def test_bad_input_is_refused_by_name_and_not_repeated(desk: Desk, code: str) -> None:
    body, field = BAD[code]
    head = desk.head()

    sent = body if isinstance(body, bytes) else json.dumps({"events": [body]}).encode()
    said = desk.run("enter", "-", stdin=sent)

    assert (said.code, said.out, desk.head()) == (1, "", head)
    assert f"[{code}" in said.err
    assert field in said.err
    assert NUMBER not in said.err


def test_bad_use_and_missing_files_have_codes_of_their_own(desk: Desk) -> None:
    assert desk.run("chain").code == 2
    assert desk.run("enter", str(desk.folder / "nowhere.json")).code == 1


def test_a_record_tells_none_from_not_recorded_and_states_its_two_times(desk: Desk) -> None:
    said = desk.run("record", "P1", "--effective", "2022-06-01", "--recorded", str(desk.entered))

    assert "▲ 正在查看 2022-06-01 的状态" in said.out
    assert "带辅责任民警  O3" in said.out
    assert "未登记:" in said.out
    assert f"生效 2022-06-01 · 认知 位置 {desk.entered}" in said.out
    assert max(map(len, said.out.splitlines())) <= 100


def test_an_unknown_person_is_an_error(desk: Desk) -> None:
    said = desk.run("record", "P404")

    assert (said.code, said.out) == (1, "")
    assert "unknown-subject" in said.err


def test_history_shows_a_correction_and_what_it_corrected(desk: Desk) -> None:
    hired = next(
        e for e in desk.bureau.ledger.entries(["person:P1"], ["AuxiliaryHired"]) if not e.corrects
    )
    corrected = act("AuxiliaryHired", "2022-02-07", person="P1", unit="U01", category="civilian",
                    supersedes=hired.id, reason="日期误")  # fmt: skip

    assert desk.enter([corrected], **ATTESTED).code == 0
    now = desk.run("history", "P1")
    then = desk.run("history", "P1", "--recorded", str(desk.entered))

    assert "被更正" in now.out
    assert "理由:日期误" in now.out
    assert "被更正" not in then.out
    assert "的历史认知" in then.out


def test_roster_and_headcount_answer_as_of_a_day(desk: Desk) -> None:
    before = desk.run("roster", "U00", "--effective", "2021-01-01")
    after = desk.run("--lang", "en", "roster", "U00", "--effective", "2023-01-01")

    assert "0 人" in before.out
    assert "Roster of U00: 1" in after.out
    assert "张三" in after.out


def test_an_empty_seat_is_said_in_words_and_a_later_change_is_marked(desk: Desk) -> None:
    asked = ("chain", "P1", "2023-06-01", "--now", str(desk.entered))
    said, since = desk.run(*asked), desk.run(*asked, "--then", str(desk.entered - 1))

    assert "空缺,自 2023-05-01(已免职或者解除)" in said.out
    assert "李副所长(O2) 自 2020-01-01" in said.out
    assert "(缺：主要领导）(实施意见 三(一)3)" in said.out.replace("（", "(")
    assert "▲ 当时(位置 0)账本尚无此人登记" in said.out
    assert f"▲ 事后变更:登记 {desk.entered} 改变了答案" in since.out
    assert f"当时登记(位置 {desk.entered - 1})" in since.out


def test_a_period_sums_its_vacant_days(desk: Desk) -> None:
    said = desk.run("chain", "P1", "2023-04-01", "--to", "2023-06-30")

    assert "责任空缺合计 61 天" in said.out


def test_an_officer_is_told_whom_they_answered_for(desk: Desk) -> None:
    said = desk.run("chain", "--officer", "O1", "2023-01-01", "--to", "2023-12-31")

    assert "张三(P1)" in said.out
    assert "2023-01-01 至 2023-04-30 止" in said.out


def test_a_list_of_persons_and_dates_is_answered_row_by_row(desk: Desk, tmp_path: Path) -> None:
    asked, out = tmp_path / "asked.xlsx", tmp_path / "answers.xlsx"
    rows = [["责任倒查", ""], ["编号", "事发日期"], ["F0001", "2023.6.1"], ["F0001", "2023年2月30日"],
            ["=1+1", "2023-06-01"]]  # fmt: skip
    with xlsxwriter.Workbook(str(asked), {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate(rows):
            sheet.write_row(n, 0, row)
        book.add_worksheet("底稿").write(0, 0, "编号")

    said = desk.run("chain", "--list", str(asked), "--out", str(out))
    answered = load_workbook(str(out)).get_sheet_by_index(0).to_python()

    assert said.code == 0, said
    assert "已答 1 项,不能回答 2 项" in said.out
    assert "asked.xlsx:未读取的工作表:底稿(要读其中一张,加 --sheet 名称)" in said.err
    other = desk.run("chain", "--list", str(asked), "--out", str(out), "--sheet", "底稿")
    assert (other.code, "找不到对应表所列的表头行" in other.err) == (1, True)
    assert answered[1][3].startswith("空缺,自 2023-05-01")
    assert answered[1][5] == "赵警官(O3) 自 2022-01-04"
    assert answered[2][-1] == "日期不存在或超出范围"
    assert answered[3][-1] == "账本中没有这个对象"
    notes = dict(load_workbook(str(out)).get_sheet_by_index(1).to_python())
    assert (notes["认知位置"], notes["导出时账本末位"]) == (desk.head(), desk.head())


def test_beliefs_rectangles_and_explanations_name_entries(desk: Desk) -> None:
    day = ("--effective", "2022-06-01", "--recorded", str(desk.entered))

    said = desk.run("beliefs", "P1", "--facet", "unit", *day)
    both = desk.run("rectangles", "unit:U01", "--facet", "unit-name", *day)
    why = desk.run("explain", "P1", "unit", *day)
    held = desk.run("timeline", "P1", "--facet", "unit", *day)

    assert (said.code, both.code, why.code, held.code) == (0, 0, 0, 0)
    assert "所属单位:关于 2022-06-01 的说法" in said.out
    assert "城东派出所" in both.out
    assert "给出内容" in why.out
    assert all("辅警录用" in one.out for one in (said, why, held))


def test_a_retro_report_is_shown_and_written_as_a_file(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "retro.xlsx"
    asked = ("retro", "--from", "1", "--to", str(desk.entered), "--effective", "2022-06-01")

    shown = desk.run(*asked)
    said = desk.run(*asked, "--out", str(out))
    rows = load_workbook(str(out)).get_sheet_by_index(0).to_python()

    assert (shown.code, said.code) == (0, 0), said
    assert "张三" in shown.out
    assert f"登记位置 {desk.entered}" in rows[0][0]
    assert rows[1][:3] == ["人员", "月份", "原计(元)"]
    assert desk.run(*asked, "--out", str(tmp_path / "retro.txt")).code == 2

    assert desk.run(*asked, "--roster", "--private", "--out", str(out)).code == 0
    roster = load_workbook(str(out)).get_sheet_by_index(0).to_python()
    assert ["P1", "张三", "所属单位", ""] in [row[:4] for row in roster]


def test_a_series_is_drawn_and_written_as_a_file(desk: Desk, tmp_path: Path) -> None:
    asked = (
        "series", "vacancies", "--from", "2023-04", "--to", "2023-05", "--unit", "U01",
        "--recorded", str(desk.entered),
    )  # fmt: skip
    files = [tmp_path / "series.csv", tmp_path / "series.xlsx"]

    said = desk.run(*asked)
    written = [desk.run(*asked, "--out", str(file)).code for file in files]
    sheet = load_workbook(str(files[1])).get_sheet_by_index(0).to_python()

    assert said.code == 0, said
    assert "空缺席位 U01" in said.out
    assert "▁█" in said.out
    assert written == [0, 0]
    title, _, *lines = files[0].read_text("utf-8-sig").splitlines()
    assert f"登记位置 {desk.entered}" in title
    assert len(lines) == 2 * 6
    assert lines[0] == "空缺席位,U01,2023-04,2023-04-30,合计,,0"
    assert [row[6] for row in sheet[2:] if row[4] == "合计"] == [0.0, 1.0]
    assert desk.run(*asked, "--out", str(tmp_path / "series.txt")).code == 2


def test_json_is_the_very_answer_of_the_api(desk: Desk) -> None:
    pair = {"effective": "2023-06-01", "recorded": str(desk.entered)}
    options = ("--effective", "2023-06-01", "--recorded", str(desk.entered), "--json")
    asked = {
        "/v1/auxiliaries/P1": ("record", "P1", *options),
        "/v1/auxiliaries/P1/history": ("history", "P1", *options),
        "/v1/auxiliaries/P1/accountability": ("chain", "P1", *options),
        "/v1/roster": ("roster", *options),
        f"/v1/entries/{desk.entered}": ("entry", str(desk.entered), *options),
    }
    for _ in desk.bureau.runner.catch_up():
        pass
    with serving(create_app(desk.bureau)) as port:
        served = {
            path: httpx.get(f"http://127.0.0.1:{port}{path}", params=pair, headers=STATED).text
            for path in asked
        }

    assert {path: desk.run(*arguments).out for path, arguments in asked.items()} == served


def test_verify_finds_a_changed_row_and_a_rebuild_mends_it(desk: Desk) -> None:
    assert desk.run("headcount").code == 0  # the records have taken in what was entered
    with psycopg.connect(desk.bureau.database) as connection:
        connection.execute("UPDATE records SET value = '{\"unit\": \"U99\"}' WHERE facet = 'unit'")

    red = desk.run("replay", "verify")
    mended = desk.run("replay", "rebuild")
    green = desk.run("replay", "verify")

    assert (red.code, mended.code, green.code) == (3, 0, 0)
    assert "person:P1 的所属单位" in red.out
    assert "✓ 一致" in green.out
    assert "数据库角色不起作用" in green.err


@pytest.mark.skipif(not ROSTER.exists(), reason="the sample rosters are not in this checkout")
def test_the_history_is_decided_again_under_another_pack(desk: Desk, tmp_path: Path) -> None:
    file, law, head = tmp_path / "other.toml", load_packs()["330200"].text, desk.head()

    def relaw(text: str, *arguments: str) -> Said:
        file.write_text(text, "utf-8")
        return desk.run("replay", "relaw", "--pack", str(file), *arguments)

    freer = law.replace('id = "unified-recruitment"', 'id = "unified"')
    drawn = relaw(freer, "--unit", "U01", "--since", "2022-01-04")
    assert drawn.code == 0
    assert all(
        word in drawn.out for word in ("不再是问题", "unified-recruitment", "辅警录用", "P1")
    )
    assert "每秒重判" in drawn.err

    data = json.loads(relaw(freer, "--json").out)["data"]
    assert [(c["rule"], c["outcome"], c["arises"]) for c in data["changes"]] == [
        ("unified-recruitment", "found", False)
    ]
    assert "无差异" in relaw(law).out
    out = tmp_path / "relaw.csv"
    assert relaw(freer, "--out", str(out)).code == 0
    title, _, change, example, *_ = out.read_text("utf-8-sig").splitlines()
    assert f"账本末位 {head}" in title
    assert change.startswith("不再是问题,unified-recruitment,")
    assert "辅警录用" in example

    broken = relaw(law.replace('kind = "eligibility"', 'kind = "wish"', 1))
    assert (broken.code, broken.out, desk.head()) == (1, "", head)
    assert "rule.0.kind" in broken.err
    assert "field pack" in broken.err


def test_a_closed_period_is_changed_with_a_second_person(desk: Desk) -> None:
    pack = PackPublished.of(Pack.parse(CLOSED)).model_dump()
    unit = act("UnitEstablished", "2020-01-01", unit="U7", name="所", division="111100")
    assert desk.enter([unit, act("PackPublished", "2024-01-01", **pack)]).code == 0
    rename = [act("UnitRenamed", "2023-01-01", unit="U7", name="队")]
    head = desk.head()

    for said in (desk.enter(rename), desk.enter(rename, "--dry-run")):
        assert (said.code, said.out, desk.head()) == (1, "", head)
        assert "依据 封账 1" in said.err
        assert "[closed-period; field effective; act 1" in said.err
    assert desk.enter(rename, approved_by=clerk().subject).code == 1

    assert desk.enter(rename, "--approved-by", "局领导").code == 0
    assert "批准人" in (shown := desk.run("entry", str(desk.head())).out)
    assert "局领导" in shown


def test_an_import_enters_only_when_told_and_only_once(desk: Desk) -> None:
    command = ("import", str(ROSTER), "--mapping", "roster-city")
    head = desk.head()

    checked = desk.run(*command)
    assert (checked.code, desk.head()) == (0, head)
    entered = desk.run(*command, "--enter")
    filled = desk.head()
    again = desk.run(*command, "--enter")

    assert "以上未登记" in checked.err
    assert (entered.code, again.code) == (0, 0)
    assert filled > head
    assert desk.head() == filled


def test_serving_says_that_it_listens_to_this_machine_only(desk: Desk) -> None:
    command = [
        sys.executable,
        "-m",
        "api.cli.main",
        "--data",
        str(desk.folder),
        "serve",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        assert server.stderr is not None
        first, second = (server.stderr.readline().decode() for _ in range(2))
        server.terminate()

    assert "只监听本机 http://127.0.0.1" in first
    assert "数据库角色不起作用" in second


def test_an_id_that_was_merged_answers_and_says_where_it_went(desk: Desk) -> None:
    twins = [act("PersonRegistered", "2022-01-04", person=p, name="孪") for p in ("M1", "M2")]
    merge = act("PersonsMerged", "2024-05-01", merged="M2", kept="M1")
    assert desk.enter([*twins, merge], **ATTESTED).code == 0

    said = desk.run("record", "M2")
    assert "该人员标识已归并到 M1" in said.out
    assert "孪" in said.out
    assert "归并而来的人员标识:M2" in desk.run("history", "M1").out
