"""The commands that ask one question: shown on the screen, as JSON, or `--out` to a file.

Owns the options all of them share. Invariant: `--out` shows nothing but where the file is; without
it none of the other options of a file means anything, and is refused.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from api.cli.frame import (
    Draw,
    Effective,
    Failure,
    Json,
    Recorded,
    ask,
    asking,
    frame,
    patience,
    tell,
)

if TYPE_CHECKING:
    from api.answers import When
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
    """Where an answer goes; `mapping_out`: where the mapping goes that imports it again."""

    out: Path | None
    columns: Path | None = None
    private: bool = False
    gb18030: bool = False
    mapping_out: Path | None = None


class Asked(NamedTuple):
    """What a question is put to: the bureau, and what its shared options say; `filed`: the answer
    goes to a file.
    """

    bureau: "Bureau"
    when: "When"
    private: bool
    context: typer.Context
    filed: bool


Question = Callable[..., Mapping[str, Any]]
"""Answers an `Asked`, then the options of its own."""


def _option(name: str, kind: Any, default: Any = None) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


_CONTEXT = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
_TIMES = [_option("effective", Effective), _option("recorded", Recorded)]
_FILE = [_option("out", Out), _option("columns", Columns), _option("gb18030", Gb18030, False)]
_PRIVATE = _option("private", PrivateToo, False)
_READ_BACK = _option("mapping_out", ReadBack)
_JSON = _option("json", Json, False)


def answered(
    draw: Draw,
    report: str | None = None,
    *,
    timed: bool = True,
    private: bool = False,
    read_back: bool = False,
) -> Callable[[Question], Callable[..., None]]:
    """Make a command of a question: it has the two times, unless it is not `timed`, and `--json`,
    and where it is a `report` the options of a file; with `private`, columns that are private; with
    `read_back`, the mapping that imports the file again.
    """
    shared = [*_TIMES] if timed else []
    if report is not None:
        shared += [*_FILE, *([_PRIVATE] if private else []), *([_READ_BACK] if read_back else [])]
    shared.append(_JSON)

    def command_of(question: Question) -> Callable[..., None]:
        def command(context: typer.Context, **given: Any) -> None:
            from api.answers import When

            options = {option.name: given.pop(option.name) for option in shared}
            when = When(options.pop("effective", None), options.pop("recorded", None))
            as_json, private = options.pop("json"), options.get("private", False)
            filed = options.get("out") is not None

            def asked(bureau: "Bureau") -> Mapping[str, Any]:
                return question(Asked(bureau, when, private, context, filed), **given)

            if report is None:
                ask(context, asked, draw, as_json=as_json)
            else:
                ask_or_save(context, report, asked, draw, ToFile(**options), as_json=as_json)

        return _with_options(command, question, shared)

    return command_of


def _with_options(
    command: Callable[..., None], question: Question, shared: Sequence[Parameter]
) -> Callable[..., None]:
    """The command under the question's name, its signature spelt out as typer reads it."""
    own = list(signature(question).parameters.values())[1:]
    spelt = Signature([_CONTEXT, *own, *shared])
    command.__name__, command.__doc__ = question.__name__, question.__doc__
    command.__annotations__ = {name: p.annotation for name, p in spelt.parameters.items()}
    command.__dict__["__signature__"] = spelt
    return command


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
    if to_file.mapping_out is not None and out.suffix == ".jsonl":
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
        if to_file.mapping_out is not None:
            mapping = to_toml(reading_back(bureau, made, lang))
        encoding = "gb18030" if to_file.gb18030 else "utf-8-sig"
        try:
            with patience(context, "写入文件", "Writing") as done:
                exports.save(made, out, lang=lang, encoding=encoding, done=done)
            if to_file.mapping_out is not None and mapping is not None:
                to_file.mapping_out.write_text(mapping, "utf-8")
        except OSError as fault:
            raise Failure(f"不能写入 {out}", f"cannot write to {out}") from fault
    count = len(made.rows)
    tell(context, f"已写入 {out}({count} 行)", f"written to {out} ({count} rows)")
    if made.next is not None:
        tell(context, f"未完,续写另一文件:--after {made.next}",
             f"there are more, for another file: --after {made.next}")  # fmt: skip
