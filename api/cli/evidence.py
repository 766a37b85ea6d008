"""Bundles of evidence: made here, checked anywhere.

Owns `evidence export` and `evidence check`. Invariant: `check` opens no ledger; it runs the very
code that every bundle carries.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.frame import Effective, Failure, Recorded, asking, console, patience, tell

if TYPE_CHECKING:
    from api.reader import Question

app = typer.Typer(help="证据包:导出与核验 / Bundles of evidence.", no_args_is_help=True)


Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="写入此文件 / written here")
]
Persons = Annotated[
    list[str] | None,
    typer.Option("--person", help="此人的档案与登记,可多次 / this person's record"),
]
Entries = Annotated[
    list[int] | None,
    typer.Option("--entry", min=1, metavar="POS", help="此条登记,可多次 / this entry"),
]
Documents = Annotated[
    list[str] | None,
    typer.Option("--document", metavar="NUMBER", help="此文号之登记,可多次 / of this document"),
]
Everything = Annotated[
    bool, typer.Option("--all", help="全部登记 / every entry; with --person: complete")
]
Disclose = Annotated[
    list[str] | None,
    typer.Option("--disclose", metavar="CLASS", help="公开此类私密字段 / open this class"),
]
Cases = Annotated[
    bool,
    typer.Option("--cases", help="含未公开案件,仅供监督部门 / sealed cases too: for inspectors"),
]
Reads = Annotated[
    bool, typer.Option("--reads", help="含查阅记录:谁看过 / with the reads: who has looked")
]
Head = Annotated[
    int | None, typer.Option("--head", min=1, help="所用封签的条数 / size of the head")
]
Old = Annotated[
    list[int] | None,
    typer.Option("--old", min=1, help="所存封签的条数,可多次 / size of a head kept"),
]
OldReads = Annotated[
    list[int] | None,
    typer.Option("--old-reads", min=1, help="所存查阅日志封签的条数 / of a head of the reads"),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", exists=True, help="record --json 的输出,或花名册等文件 / an answer or file"
    ),
]
Layout = Annotated[
    Path | None,
    typer.Option("--columns", exists=True, help="该文件所用的 columns.toml / its layout"),
]
WhoRead = Annotated[
    str | None, typer.Option("--who-read", metavar="PERSON", help="何人查阅过此人 / who looked")
]
Counting = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="unit|actor|lag", help="按单位、经办、迟录天数计数 / count remarks"
    ),
]
Listing = Annotated[
    bool, typer.Option("--list", help="列出更正、迟录、查阅等 / list remarks, reads")
]


def export(
    context: typer.Context,
    output: Output,
    person: Persons = None,
    entry: Entries = None,
    document: Documents = None,
    *,
    everything: Everything = False,
    effective: Effective = None,
    recorded: Recorded = None,
    disclose: Disclose = None,
    cases: Cases = False,
    reads: Reads = False,
    head: Head = None,
    old: Old = None,
    old_reads: OldReads = None,
) -> None:
    """导出证据包 / Write a bundle that can be checked without this software or a network."""
    from api.copies import cases_in_bundle, in_bundle
    from api.exports import vocabulary
    from api.looked import evident
    from api.times import When, as_of
    from domain.acts import load
    from replay.evidence import Wanted, picked, telling
    from replay.evidence import export as run
    from replay.looks import Unprovable

    load()
    case = (person or (), entry or (), document or ())
    if not any(case) and not everything:
        raise typer.BadParameter(
            "给出 --person、--entry、--document 或 --all / give one of these, or several"
        )
    opened = _classes(disclose or ())
    with asking(context) as bureau:
        pair, stated = as_of(bureau, When(effective, recorded))
        wanted = Wanted(pair, *case, everything, opened, head, old or (), cases)
        wanted = wanted._replace(words=vocabulary())
        if reads or old_reads:
            looks = evident(bureau, cases=cases)._replace(old=old_reads or ())
            wanted = wanted._replace(looks=looks)
        try:
            ledger, _ = telling(bureau.ledger, bureau.records, wanted)
            entries = [*picked(ledger, wanted)]
            held = in_bundle(ledger, pair.recorded, case[0], entries, everything=everything)
            asked = bureau.asked(_question(*case, everything=everything))
            told = cases_in_bundle(ledger, pair.recorded, case[0], entries, everything=everything)
            asked.read(stated, held, wanted.disclose, told)
            with patience(context):
                count = run(bureau.ledger, bureau.records, bureau.sealer, wanted, output)
        except Unprovable as unprovable:
            raise Failure(unprovable.zh, str(unprovable)) from unprovable
        except OSError as unwritten:
            raise _unwritten(output, unwritten) from unwritten
    tell(context, f"已导出 {count} 条登记。", f"{count} entries written.")


@app.command()
def proof(
    context: typer.Context,
    position: Annotated[int, typer.Argument(min=1, metavar="POS")],
    output: Output,
    *,
    bare: Annotated[
        bool, typer.Option("--bare", help="不含登记内容,与回执并用 / without the entry itself")
    ] = False,
    cases: Cases = False,
) -> None:
    """一条登记的证明,一个小文件 / Write one entry's proof as one small file (C2SP tlog-proof)."""
    from api.copies import cases_in_bundle, in_bundle
    from api.times import NOW, as_of
    from domain.acts import load
    from replay.evidence import prove
    from replay.looks import Unprovable

    load()
    try:
        with asking(context) as bureau:
            text = prove(bureau.ledger, bureau.records, bureau.sealer, position,
                         cases=cases, bare=bare)  # fmt: skip
            if not bare:
                pair, stated = as_of(bureau, NOW)
                held = in_bundle(bureau.ledger, pair.recorded, (), [position], everything=False)
                asked = bureau.asked(_question((), [position], (), everything=False))
                told = cases_in_bundle(
                    bureau.ledger, pair.recorded, (), [position], everything=False
                )
                asked.read(stated, held, frozenset(), told)
    except Unprovable as unprovable:
        raise Failure(unprovable.zh, str(unprovable)) from unprovable
    try:
        output.write_text(text, "utf-8")
    except OSError as unwritten:
        raise _unwritten(output, unwritten) from unwritten
    tell(context, f"已写入 {output}。", f"Written to {output}.")


def _unwritten(output: Path, why: OSError) -> Failure:
    return Failure(f"不能写入 {output}:{why.strerror}", f"{output}: {why.strerror}")


def _question(
    persons: Sequence[str],
    entries: Sequence[int],
    documents: Sequence[str],
    *,
    everything: bool,
) -> "Question":
    from api.reader import Question

    named = {"persons": list(persons), "entries": list(entries), "documents": len(documents)}
    alone = persons[0] if len(persons) == 1 and not (entries or documents or everything) else None
    return Question("evidence", {**named, "all": everything}, alone, again=not documents)


def _classes(disclose: Sequence[str]) -> frozenset[str]:
    from domain.events import REGISTRY

    classes = {mark.cls for cls in REGISTRY.values() for mark in cls.private.values()}
    if unknown := sorted(set(disclose) - classes):
        known = ", ".join(sorted(classes))
        raise typer.BadParameter(f"--disclose {unknown[0]}: {known}")
    return frozenset(disclose)


@app.command("check")
def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", exists=True, dir_okay=False)],
    key: Annotated[
        str | None, typer.Option("--key", help="账本公钥 / the ledger's public key")
    ] = None,
    witness_key: Annotated[
        list[str] | None, typer.Option("--witness-key", help="见证人公钥,可多次 / a witness's key")
    ] = None,
    stamps: Annotated[
        Path | None, typer.Option("--stamps", exists=True, help="时间戳机构证书 / certificates")
    ] = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option("--kept", exists=True, help="先前所存封签,可多次 / a head kept earlier"),
    ] = None,
    receipt: Annotated[
        list[Path] | None, typer.Option("--receipt", exists=True, help="回执,可多次 / a receipt")
    ] = None,
    report: Report = None,
    columns: Layout = None,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="PERSON", help="重放此人档案 / replay")
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="重放全体档案,一人一行 / replay everybody")
    ] = False,
    effective: Annotated[str | None, typer.Option("--effective", metavar="DATE")] = None,
    recorded: Annotated[int | None, typer.Option("--recorded", metavar="POS")] = None,
    who_read: WhoRead = None,
    by: Counting = None,
    *,
    listing: Listing = False,
) -> None:
    """核验证据包或单条证明,不需账本与网络 / Check a bundle or proof; the code is what is wrong."""
    from api.exports import vocabulary
    from replay.check import check as run
    from replay.evidence import declared, worded
    from replay.findings import Asked
    from replay.remarks import BY

    if by not in (None, *BY):
        raise typer.BadParameter(f"--by {by}: {', '.join(BY)}")
    asked = Asked(
        key, witness_key or (), stamps, kept or (), receipt or (), report, columns,
        replay, everyone, effective, recorded, by, who_read, declared(), worded(vocabulary()),
    )  # fmt: skip
    verdict = run(bundle, asked)
    for line in verdict.shown(sys.stdout.encoding, listing=listing, who=who_read):
        sys.stdout.write(line + "\n")
    for line in verdict.lines():
        console(error=True).print(line, markup=False, soft_wrap=True)
    raise typer.Exit(verdict.exit_code)
