"""The whole ledger as a file: dumped, checked, loaded.

Owns `archive`. Invariant: an archive is made and loaded whole or not at all, and what it holds is
stated: how far it goes, with or without private values, and the digest to compare.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.frame import Failure, bring_up, console, frame, opened, progress, said, tell

if TYPE_CHECKING:
    from replay.archive import Summary

app = typer.Typer(
    no_args_is_help=True, help="整个账本的备份:导出、核对、装入 / Dump, check and load the ledger."
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 / the archive")]


@app.command()
def dump(
    context: typer.Context,
    file: File,
    *,
    keys: Annotated[
        bool,
        typer.Option("--keys/--no-keys", help="含(已加密的)保密内容密钥 / with the wrapped keys"),
    ] = True,
) -> None:
    """导出整个账本,其间可照常登记 / Write the whole ledger to a file."""
    from api import copies
    from replay import archive

    with opened(context) as bureau:
        head = bureau.ledger.moment().position
        copies.archive(bureau, keys=keys)
        try:
            with progress(context, "导出", "Dumping", head) as done:
                summary = archive.dump(
                    bureau.ledger, bureau.reads.log, file, private=keys, progress=done
                )
        except OSError as fault:
            why = type(fault).__name__
            raise Failure(f"不能写入 {file}({why})", f"cannot write to {file} ({why})") from fault
    _tell(context, "已导出", "Dumped", summary)
    if keys:
        zh = "另行保管密钥文件(kek):没有它,备份中的保密内容不能读取。"
        tell(context, zh, "Keep the key file (kek) apart: without it no private value opens.")
    else:
        zh = "不含密钥:装入后保密内容不能读取。"
        tell(context, zh, "Without keys: no private value of it can be read once it is loaded.")


@app.command()
def check(context: typer.Context, file: File) -> None:
    """核对备份文件是否完整、未被改动 / Read an archive from end to end; needs no ledger."""
    from replay import archive

    with progress(context, "核对", "Checking", None) as done:
        summary = archive.check(_there(file), done)
    _tell(context, "✓ 完整", "✓ Whole", summary)


@app.command()
def load(context: typer.Context, file: File) -> None:
    """装入空账本(先放好密钥文件),再装一次不变 / Load into an empty ledger; first its key file."""
    from api.settings import Settings
    from replay import archive

    settings = Settings.of(frame(context).data)
    kek = settings.kek_file or settings.data / "kek"
    if archive.secrets_of(_there(file)) and not kek.exists():
        raise Failure(
            f"请先将原账本的密钥文件放到 {kek}", f"first put the key file of that ledger at {kek}"
        )
    with opened(context) as bureau:
        with progress(context, "装入", "Loading", None) as done:
            loaded = archive.load(bureau.ledger, bureau.reads.log, file, done, settings.owner)
        bring_up(context, bureau)
    if loaded.already:
        tell(context, "此前已装入,未作改动。", "It was loaded before; nothing was changed.")
    _tell(context, "✓ 已装入,逐条核对一致", "✓ Loaded, every entry read back", loaded.summary)


def _there(file: Path) -> Path:
    if not file.is_file():
        raise Failure(f"没有文件 {file}", f"there is no file {file}")
    return file


def _tell(context: typer.Context, zh: str, en: str, summary: "Summary") -> None:
    page = console()
    zh_keys, en_keys = ("含密钥", "with keys") if summary.private else ("不含密钥", "without keys")
    zh = f"{zh}:位置 1 至 {summary.head},{zh_keys}。"
    en = f"{en}: entries 1 to {summary.head}, {en_keys}."
    page.print(said(context, zh, en), markup=False)
    page.print(said(context, f"树根(RFC 9162){summary.root}", f"root (RFC 9162) {summary.root}"))
    if summary.reads is None:
        tell(context, "其中没有查阅日志。", "It holds no log of reads.")
    else:
        first = summary.gone + 1
        page.print(said(
            context, f"查阅日志 {first} 至 {summary.reads},树根 {summary.reads_root}",
            f"log of reads: rows {first} to {summary.reads}, root {summary.reads_root}",
        ))  # fmt: skip
    if summary.gone:
        zh = f"查阅日志前 {summary.gone} 条已到期销毁,只有其散列"
        en = f"the first {summary.gone} reads went at the end of their term: their hashes alone"
        page.print(said(context, zh, en))
    page.print(said(context, f"文件内容的摘要 {summary.sha256}", f"lines {summary.sha256}"))
