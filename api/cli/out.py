"""An answer to a file instead of the screen: `--out` of the lists and reports.

Owns the options of an export. Invariant: `--out` shows nothing but where the file is; without it
none of the other options means anything, and is refused.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from api.cli.frame import Draw, Failure, ask, asking, frame, patience, tell

if TYPE_CHECKING:
    from api.settings import Bureau

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="写成 .xlsx、.csv 或 .jsonl 文件 / as a file"),
]
Columns = Annotated[
    Path | None,
    typer.Option(
        "--columns", metavar="TOML", help="--out 的列及次序;不给用账本目录的 columns.toml / layout"
    ),
]
PrivateToo = Annotated[
    bool, typer.Option("--private", help="--out 含姓名、身份证号等保密列 / private columns too")
]
Gb18030 = Annotated[
    bool, typer.Option("--gb18030", help="CSV 用 GB18030 编码,不给为 UTF-8 / CSV in GB18030")
]
ReadBack = Annotated[
    Path | None,
    typer.Option(
        "--mapping-out", metavar="TOML", help="另写可将该文件重新导入的对应表 / to import it again"
    ),
]


class ToFile(NamedTuple):
    """Where an answer goes; `read_back`: where the mapping goes that imports it again."""

    out: Path | None
    columns: Path | None = None
    private: bool = False
    gb18030: bool = False
    read_back: Path | None = None


def ask_or_save(
    context: typer.Context,
    report: str,
    question: Callable[["Bureau"], Mapping[str, Any]],
    draw: Draw,
    to_file: ToFile,
    *,
    as_json: bool,
) -> None:
    """Show the answer, or write it as the report of this name."""
    if to_file.out is None:
        if any(to_file[1:]):
            raise typer.BadParameter("该选项须与 --out 同用 / that option goes with --out")
        ask(context, question, draw, as_json=as_json)
        return
    _check(to_file, to_file.out, as_json=as_json)
    _save(context, report, question, to_file, to_file.out)


def _check(to_file: ToFile, out: Path, *, as_json: bool) -> None:
    from api.exports import SUFFIXES

    if as_json or out.suffix not in SUFFIXES:
        raise typer.BadParameter(
            "--out 写 .xlsx、.csv 或 .jsonl,不与 --json 同用 / "
            "--out is .xlsx, .csv or .jsonl, not with --json"
        )
    if to_file.gb18030 and out.suffix != ".csv":
        raise typer.BadParameter("--gb18030 只用于 .csv / --gb18030 is for .csv")
    if to_file.read_back is not None and out.suffix == ".jsonl":
        raise typer.BadParameter("--mapping-out 用于 .xlsx 和 .csv / for .xlsx and .csv")


def _save(
    context: typer.Context,
    report: str,
    question: Callable[["Bureau"], Mapping[str, Any]],
    to_file: ToFile,
    out: Path,
) -> None:
    import orjson

    from api import exports
    from api.entries import to_bytes
    from api.intake import reading_back, to_toml

    lang = frame(context).lang
    rows: list[int] = []
    with asking(context) as bureau:
        reader = bureau.reader._replace(via=f"{bureau.reader.via} --out")
        classes = None if to_file.private else frozenset[str]()
        asked = bureau.seen_with(classes, None).read_by(reader).noting(rows)
        with patience(context) as done:
            answer = orjson.loads(to_bytes(question(asked.telling(done))))
            made = exports.made(
                bureau, report, answer, read=rows[-1],
                lang=lang, layout=to_file.columns, private=to_file.private,
            )  # fmt: skip
        mapping = None
        if to_file.read_back is not None:
            mapping = to_toml(reading_back(bureau, made, lang))
        encoding = "gb18030" if to_file.gb18030 else "utf-8-sig"
        try:
            exports.save(made, out, lang=lang, encoding=encoding)
            if to_file.read_back is not None and mapping is not None:
                to_file.read_back.write_text(mapping, "utf-8")
        except OSError as fault:
            raise Failure(f"不能写入 {out}", f"cannot write to {out}") from fault
    count = len(made.rows)
    tell(context, f"已写入 {out}({count} 行)", f"written to {out} ({count} rows)")
