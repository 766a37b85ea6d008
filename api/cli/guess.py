"""A mapping proposed for a file that no mapping knows.

Owns `import guess`. Invariant: nothing is entered, and nothing is written but the mapping asked
for; no private cell is on the screen.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import Failure, console, frame, opened, tell
from api.cli.importing import SHEET
from api.rendering import Column, pick, table

if TYPE_CHECKING:
    from api.intake import Guess, Proposal

_SHOWN = 5


def guess(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="文件 / the file")],
    *,
    division: Annotated[
        str | None, typer.Option("--division", help="本局行政区划代码 / the bureau's division")
    ] = None,
    decided: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="HEADING=COLUMN", help="指定某列,=后留空即不采用;可多次 / your word"
        ),
    ] = None,
    sheet: SHEET = None,
    name: Annotated[str, typer.Option("--name", help="对应表名称 / its name")] = "roster-own",
    save: Annotated[
        Path | None, typer.Option("--save", metavar="TOML", help="采纳并写到 / accept, write to")
    ] = None,
) -> None:
    """由列名和内容推测对应表,逐列给出把握 / Propose a mapping, with a confidence per column."""
    from api.intake import Importer, propose, to_toml

    lang = frame(context).lang
    with opened(context) as bureau:
        known = Importer(bureau.ledger, bureau.records).known_units()
    words = [one.rpartition("=") for one in decided or []]
    if any(not heading for heading, _, _ in words):
        raise typer.BadParameter("--set 列名=栏目 / --set HEADING=COLUMN")
    proposal = propose(
        file, name=name, division=division, known_units=known,
        decided={heading: column for heading, _, column in words}, tab=sheet,
    )  # fmt: skip
    for part in _drawn(proposal, lang):
        console().print(part)
    if save is None:
        tell(
            context,
            "未保存;采纳请加 --save 文件.toml。",
            "Nothing was saved; accept: --save FILE.toml.",
        )
        return
    try:
        save.write_text(to_toml(proposal.mapping, [*_remarks(proposal)]), "utf-8")
    except OSError as fault:
        raise Failure(f"不能写入 {save}", f"cannot write to {save}") from fault
    tell(context, f"对应表:{save};核对:import {file} --mapping {save}",
         f"Mapping: {save}; check with: import {file} --mapping {save}")  # fmt: skip


def _drawn(proposal: "Proposal", lang: str) -> Iterator[RenderableType]:
    columns = [
        Column(("列名", "heading")),
        Column(("作为", "taken for")),
        Column(("把握", "confidence"), right=True),
        Column(("理由", "why")),
        Column(("读不出的内容", "not read"), least=12),
    ]
    rows = [
        (
            guess.heading,
            " ".join(guess.columns) or "—",
            f"{guess.confidence:.0%}",
            pick((guess.zh, guess.en), lang),
            _unread(guess, lang),
        )
        for guess in proposal.guesses
    ]
    like = proposal.like
    zh, en = f"推测的对应表(仿 {like})", f"A mapping guessed after {like}"
    yield table((zh, en), columns, rows, lang)
    for words in _warnings(proposal):
        yield Text(pick(words, lang), style="yellow")


def _unread(guess: "Guess", lang: str) -> str:
    if guess.unread:
        return " ".join(guess.unread[:_SHOWN])
    if guess.private and guess.columns and guess.readable < 1:
        return pick(("(保密)", "(private)"), lang)
    return ""


def _warnings(proposal: "Proposal") -> Iterator[tuple[str, str]]:
    """What the clerk has to look at before the mapping is used."""
    yield from proposal.left_out
    if (numbering := proposal.numbering) is not None:
        first = numbering.number(1)
        zh = f"表中没有编号:将由账本依行次编号,自账本中最大的号起,如 {first}(prefix、width 见对应表"
        zh += " [sheet.numbering]);以后各月凭身份证号(没有的凭姓名和出生日期)认人。"
        zh += "某列其实是编号的,请以 --set 列名=number 指明"
        en = "The file has no numbers: they will be given by its rows, on from the highest in the"
        en += f" ledger, as {first} (prefix, width: [sheet.numbering] of the mapping). Later sheets"
        en += " find persons by ID number, or name and birth date."
        en += " If a column is the number: --set HEADING=number"
        yield zh, en
    if proposal.lacking:
        listed = " ".join(proposal.lacking)
        yield f"缺少必需的列:{listed}", f"columns that must not be missing: {listed}"
    for said in proposal.fixed:
        yield f"每行都写入(仿照而来,请核):{said}", f"written for every row, check it: {said}"


def _remarks(proposal: "Proposal") -> Iterator[str]:
    """The confidence in each column, for the head of the file."""
    yield f"guessed after {proposal.like}; change what is not right, and raise the version"
    for guess in proposal.guesses:
        taken = " ".join(guess.columns) or "-"
        yield f"{guess.heading}: {taken} {guess.confidence:.0%} ({guess.zh})"
    for _, en in _warnings(proposal):
        yield en
