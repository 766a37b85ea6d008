"""How answers look: pure."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from io import StringIO

import orjson
import pytest
from rich.console import Console
from rich.text import Text

from api.cli.axes import draw_compare, picture
from api.cli.chain_drawn import words_of
from api.cli.entering import example
from api.cli.overview import draw_due, draw_tree
from api.cli.series import bar, sparkline
from api.entries import request_of, type_dict
from api.rendering import (
    Column,
    content,
    footing,
    heading,
    instant,
    money,
    period,
    plain,
    table,
    word,
)
from api.settings import Bureau
from domain import acts
from domain.events import REGISTRY

acts.load()
PAIR = {"effective": "2023-06-30", "recorded": 7, "recorded_at": "2023-07-01T01:02:03+00:00",
        "fold": 1}  # fmt: skip


def drawn(part: object) -> str:
    out = StringIO()
    Console(file=out, width=100).print(part)
    return out.getvalue()


def test_a_value_cannot_drive_the_terminal() -> None:
    assert plain("\x1b[2J张\x07三\x9b") == "\ufffd[2J张\ufffd三\ufffd"


QUESTION = """
import time
from types import SimpleNamespace
from api.cli.frame import Frame, Lang, patience

context = SimpleNamespace(find_object=lambda kind: Frame(None, Lang.ZH))
with patience(context) as done:
    done(0.4)
    time.sleep({seconds})
"""


@pytest.mark.parametrize(("seconds", "shown"), [(1.5, True), (0.0, False)])
def test_a_question_that_takes_long_shows_that_it_is_being_worked_on(
    seconds: float, shown: bool
) -> None:
    terminal, inside = pty.openpty()
    script = QUESTION.format(seconds=seconds)
    with subprocess.Popen([sys.executable, "-c", script], stderr=inside) as process:
        assert process.wait(60) == 0
    os.close(inside)
    told = b""
    with suppress(OSError):  # a terminal nobody writes to any more
        while part := os.read(terminal, 4096):
            told += part
    os.close(terminal)
    assert ("查询中" in told.decode()) == shown
    assert ("40%" in told.decode()) == shown


def test_markup_and_control_codes_in_a_cell_are_text() -> None:
    cells = ["[red]张三[/red]", Text("\x1b[2J李四")]
    shown = drawn(table(("表", "Table"), [Column(("列", "column"))] * 2, [cells], "zh"))

    assert "[red]张三[/red]" in shown
    assert "\x1b" not in shown


def test_bars_and_lines_start_from_zero_and_leave_out_the_not_recorded() -> None:
    assert [len(bar(n, 100)) for n in (0, None, 50, 100)] == [0, 0, 24, 48]
    assert bar(1, 100_000) == "▏"
    assert sparkline([None, 0, 7, 14]) == " ▁▄█"[:2] + sparkline([0, 7, 14])[1:]
    assert sparkline([0, 0]) == "▁▁"
    assert len(sparkline(list(range(500)))) == 48
    assert sparkline(list(range(500)))[-1] == "█"


def test_none_and_erased_are_different_words() -> None:
    assert word(None, "zh") == "无"
    assert word({"erased": True}, "zh") == "已销毁"
    assert word({"name": {"erased": True}}, "en") == "name=erased"


def test_a_comparison_tells_none_ended_and_not_recorded_apart() -> None:
    held = {"value": {"unit": "U01"}, "since": "2022-02-01", "last_day": None}
    difference = {
        "facet": "unit", "zh": "所属单位", "en": "home unit", "slot": None, "entries": [3, 8],
        "before": [], "before_ended": None, "after": [], "after_ended": {**held, "last_day": "2022-05-31"},
    }  # fmt: skip
    vacant = {
        **difference,
        "before": [held],
        "after": [{**held, "value": None}],
        "after_ended": None,
    }
    data = {"before": PAIR, "differences": [difference, vacant]}

    ended, none = (
        line for line in drawn(next(draw_compare(data, "zh"))).splitlines() if "3 8" in line
    )

    assert ended.split()[1] == "未登记"
    assert "已终止:U01 2022-02-01 至" in ended
    assert ("无 自" in none, "未登记" in none, "已终止" in none) == (True, False, False)


def test_codes_are_said_in_the_words_of_their_field() -> None:
    assert content({"sex": "1", "state": "in"}, "zh") == "性别=男 状态=在职"
    assert content({"grade": "supervisor-1"}, "zh") == "一级辅督"
    assert content({"grade": "unheard-of"}, "zh") == "unheard-of"


@pytest.mark.parametrize(
    ("fen", "yuan"), [(0, "0.00"), (5, "0.05"), (-12345, "-123.45"), (420_000_00, "420,000.00")]
)
def test_money_is_exact(fen: int, yuan: str) -> None:
    assert money(fen) == yuan


def test_a_period_shows_its_last_day() -> None:
    assert period("2022-01-01", "2022-12-31", "zh") == "2022-01-01 至 2022-12-31 止"
    assert period("2022-01-01", None, "en") == "since 2022-01-01"


def test_instants_are_told_in_shanghai() -> None:
    assert instant("2023-06-30T16:30:00+00:00") == "2023-07-01 00:30:00"


def test_only_a_time_set_back_is_marked() -> None:
    assert list(heading(PAIR, ("2023-06-30", 7), "zh")) == []
    assert [t.plain for t in heading(PAIR, ("2026-01-01", 9), "zh")] == [
        "▲ 正在查看 2023-06-30 的状态、位置 7(2023-07-01 09:02:03)的历史认知"
    ]


def test_every_answer_states_its_two_times_and_its_position() -> None:
    assert footing(PAIR, "zh").plain == (
        "生效 2023-06-30 · 认知 位置 7(2023-07-01 09:02:03) · 折叠版本 1"
    )


def believed(
    grade: str, start: str, end: str | None, since: int, to: int | None
) -> dict[str, object]:
    return {"value": {"grade": grade}, "start": start, "end": end, "known_from": since,
            "known_to": to}  # fmt: skip


def test_the_picture_has_days_across_and_positions_down() -> None:
    parts = [
        believed("g1", "2021-01-01", None, 3, 7),
        believed("g1", "2021-01-01", "2022-01-01", 7, None),
        believed("g2", "2022-01-01", None, 7, 9),
    ]

    assert [line.plain.rstrip() for line in picture(parts, "zh")] == [
        "         2021-01-01            2022-01-01",
        "       3 │g1                   ──────────────────────",
        "       7 │g1                   │g2",
        "       9 ┊                     ·",
        "",
    ]


def test_a_picture_too_broad_for_the_line_is_not_drawn() -> None:
    days = [f"20{n}-01-01" for n in range(10, 20)]
    parts = [believed("g1", day, None, 1, None) for day in days]

    assert [max(len(line.plain) for line in picture(parts[:n], "zh")) for n in (1, 8)] == [31, 97]
    assert list(picture(parts, "zh")) == []


def holder(officer: str) -> dict[str, object]:
    return {"officer": officer, "acting": False, "state": "suspended", "since": "2022-01-01",
            "last_day": None, "entries": [3]}  # fmt: skip


def line(**said: object) -> dict[str, object]:
    return {"capacity": "head", "unit": "U1", "seat": "所长", "status": "held", "holders": [],
            "since": None, "cause": None, "entries": [], "beside": [], "overlap": False,
            **said}  # fmt: skip


def test_a_vacancy_names_its_first_day_and_cause_with_the_unit_above_beside_it() -> None:
    above = line(unit="U0", holders=[holder("O9")])
    said = words_of(
        line(status="vacant", since="2023-05-01", cause="term-ended", beside=[above]), {}, "zh"
    )

    assert said == "空缺,自 2023-05-01(任期届满)\n上级单位 U0 所长:O9 自 2022-01-01(当日停职)"


def test_an_overlap_names_both_and_says_so() -> None:
    said = words_of(line(holders=[holder("O1"), holder("O2")], overlap=True), {}, "zh")

    assert said.splitlines() == [
        "O1 自 2022-01-01(当日停职)", "O2 自 2022-01-01(当日停职)", "⚠ 同一席位重叠任职",
    ]  # fmt: skip


def test_the_example_of_every_type_is_a_body_that_can_be_read(common_bureau: Bureau) -> None:
    first = example(type_dict(REGISTRY["PersonRegistered"]))
    common_bureau.ledger.enter(request_of(common_bureau.ledger, as_body(first)))

    for cls in REGISTRY.values():
        request = request_of(common_bureau.ledger, as_body(example(type_dict(cls))))
        assert type(request.proposals[0].event) is cls


def as_body(said: object) -> bytes:
    return orjson.dumps(said)


def promise(state: str, day: str) -> dict[str, object]:
    return {"state": state, "deadline": {"due": day, "provisional": False}, "late": 0,
            "workdays": False, "zh": "限期", "en": "term", "subject": "person:P1", "unit": "U1",
            "started_on": "2020-01-01", "article": "某法 1"}  # fmt: skip


def test_of_more_promises_than_can_be_read_those_not_kept_are_shown() -> None:
    items = [promise("kept", "2020-02-01")] * 1_000 + [promise("overdue", "2024-05-06")]
    few, many = (
        [drawn(part) for part in draw_due({"items": said}, "zh")] for said in (items[-2:], items)
    )

    assert few[0].index("2020-02-01") < few[0].index("2024-05-06")
    assert "期限 1001 项" in many[0]
    assert many[0].index("2024-05-06") < many[0].index("2020-02-01")
    assert "只列出 1000 项" in many[1]
    assert len(few) == 1


def test_a_tree_shows_every_unit_even_those_acknowledged_to_stand_above_themselves() -> None:
    parents = {"a": None, "b": "a", "c": "b", "x": "y", "y": "x"}
    units = [{"unit": u, "name": None, "state": "active", "parent": p} for u, p in parents.items()]
    [tree] = draw_tree({"units": units}, "zh")
    shown = drawn(tree)

    assert "单位 5 个" in shown
    assert [line.split(" —")[0].rstrip() for line in shown.splitlines()[3:]] == [
        "a", "  b", "    c", "x", "  y",
    ]  # fmt: skip
