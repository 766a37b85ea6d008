"""The register of cases on the command line.

Owns `cases`. Invariant: it opens the ledger as this machine's user, who sees every case.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import Lang
from api.cli.out import Asked, answered
from api.rendering import Column, coded, pick, table


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("案件", "case")),
        Column(("人员", "person")),
        Column(("状态", "state"), folds=False),
        Column(("收到", "received"), folds=False),
        Column(("立案", "opened"), folds=False),
        Column(("结论", "outcome")),
        Column(("结论日", "concluded"), folds=False),
        Column(("告知", "told")),
        Column(("告知日", "on"), folds=False),
    ]
    rows = [
        (
            matter["case"], matter["person"], coded("case-state", matter["state"], lang),
            "\n".join(matter["complaints"]) or "—", matter["investigated"] or "—",
            coded("outcome", matter["outcome"] or "—", lang), matter["concluded"] or "—",
            coded("state", matter["handling"] or "—", lang), matter["handled"] or "—",
        )
        for matter in data["matters"]
    ]  # fmt: skip
    yield table((f"案件 {len(rows)} 项", f"Cases: {len(rows)}"), columns, rows, lang)
    for one in data["undermined"]:
        said = one["refusal"]["detail_zh" if lang == "zh" else "detail"]
        words = (
            f"▲ 第 {one['position']} 号登记({one['zh']})据此后登记已不成立:{said}",
            f"▲ entry {one['position']} ({one['en']}) would now be refused: {said}",
        )
        yield Text(pick(words, lang), style="yellow")


@answered(_draw, "cases")
def cases(asked: Asked) -> Mapping[str, Any]:
    """投诉举报与核查:每案每人的收到、结论、告知 / Complaints and investigations."""
    from api import cases as answers

    return answers.cases(asked.bureau, asked.when)
