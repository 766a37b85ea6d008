"""Sealing, the witness, and proving that the log is what was sealed.

Owns `seal`, `verify` and `witness`. Invariant: `verify` changes nothing, and its exit code is the
kind of the first finding.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.frame import (
    Failure,
    clerk,
    console,
    failing,
    opened,
    progress,
    said,
    settings,
    tell,
    tell_whole,
)

if TYPE_CHECKING:
    from domain.ledger.vault import Vault
    from domain.notes import Note, Verifier
    from replay.reads import Gone
    from replay.seals import Verdict
    from replay.stamps import Authority
    from replay.witness import Witness

LOOPBACK = "127.0.0.1"
witness = typer.Typer(
    help="见证人:会签账本的封签 / The witness of the seals.", no_args_is_help=True
)

Key = Annotated[
    str | None, typer.Option("--key", help="账本公钥;不给则取密钥文件 / the ledger's public key")
]
Name = Annotated[str, typer.Option("--name", help="见证人名称 / the witness's name")]
State = Annotated[Path, typer.Option("--state", help="见证人所存之处 / where it keeps heads")]
Logs = Annotated[list[str], typer.Option("--log", help="账本公钥,可多次 / public key of a log")]
File = Annotated[Path, typer.Argument(metavar="FILE")]


def seal(
    context: typer.Context,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="换用新的封签密钥 / put a new key in force")
    ] = False,
) -> None:
    """封签至最后一条登记 / Seal up to the last entry; print the head and its public key."""
    from domain.ledger.keyfile import KeyUnfit
    from domain.ledger.rotation import change_key
    from domain.ledger.seals import Broken
    from domain.notes import public

    with opened(context) as bureau:
        try:
            if rotate:
                change_key(bureau.ledger, bureau.sealer, bureau.reads, clerk())
            else:
                bureau.sealer.catch_up()
                bureau.reads.sealer.catch_up()
                bureau.pinning.pin()
                bureau.reads.sealer.catch_up()
        except Broken as broken:
            raise Failure(f"账本有缺,不能封签:{broken}", f"not sealed: {broken}") from broken
        except KeyUnfit as unfit:
            raise Failure(f"密钥不符,不能封签:{unfit}", f"not sealed: {unfit}") from unfit
        last = bureau.sealer.seals.last()
        if last is None:
            tell(context, "账本为空,无可封签。", "The ledger is empty: nothing to seal.")
            return
        key = public(last.head.origin, bureau.sealer.key())
        tell(context, f"已封签至第 {last.size} 条。公钥:", f"Sealed up to {last.size}. Public key:")
        tell_whole(str(key))
        if (origin := bureau.reads.sealer.seals.origin()) is not None:
            tell(context, "查阅日志的公钥:", "Public key of the log of reads:")
            tell_whole(str(key._replace(name=origin)))
        sys.stdout.write(str(last.note))


def verify(
    context: typer.Context,
    key: Key = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option("--witness", help="见证人所存封签,每个日志一份 / a head it keeps, one a log"),
    ] = None,
    witness_key: Annotated[
        str | None, typer.Option("--witness-key", help="见证人公钥 / its public key")
    ] = None,
    receipt: Annotated[
        list[Path] | None, typer.Option("--receipt", help="回执文件,可多次 / a receipt")
    ] = None,
    stamps: Annotated[
        Path | None, typer.Option("--stamps", help="时间戳机构证书 / the authority's certificates")
    ] = None,
) -> None:
    """核验账本未被改动:逐条重算 / Read every entry again and check it against the seals."""
    from domain.ledger.log import EventLog
    from replay import reads
    from replay.contents import findings
    from replay.seals import Trust, merged
    from replay.seals import verify as run

    with _checked(context, key) as (database, chosen, vault):
        ours, of_reads = _by_log(database, kept or ())
        trust = Trust(
            chosen,
            ours,
            None if witness_key is None else _verifier(witness_key, "--witness-key"),
            [_note(file) for file in receipt or ()],
            _authority(stamps or settings(context).stamp_roots),
        )
        with progress(context, "核验", "Verifying", 1.0) as done:
            verdict = run(database, trust, done)
        with closing(EventLog(database, create=False)) as log:
            verdict = merged(verdict, findings(log, vault, verdict.position))
        with progress(context, "核验查阅日志", "Verifying the log of reads", 1.0) as done:
            second = reads.verify(database, trust._replace(kept=of_reads), done)
        gone = reads.gone(database)
    _tell_verdict(context, verdict, ("条登记", "entries"))
    _tell_verdict(context, second, ("条查阅日志", "rows of the log of reads"))
    if gone is not None:
        _tell_gone(context, gone)
    raise typer.Exit(verdict.exit_code or second.exit_code)


def _by_log(database: str, kept: Sequence[Path]) -> tuple["Note | None", "Note | None"]:
    from replay.reads import by_log

    try:
        return by_log(database, [_note(file) for file in kept])
    except ValueError as twice:
        raise Failure(f"同一日志给了两份封签:{twice}", f"two heads for one log: {twice}") from twice


@contextmanager
def _checked(
    context: typer.Context, key: str | None
) -> Iterator[tuple[str, "Verifier | None", "Vault | None"]]:
    """The ledger's database, its public key and its vault. Who brings the key needs no key file of
    ours, no vault, and a role that only reads.
    """
    from api.settings import ledger_database
    from domain.ledger.wrapping import VaultUnfit
    from domain.notes import public

    told = settings(context)
    if key is not None and not told.kek_path.exists():
        tell(
            context,
            "本机没有密钥库的密钥:不核验保密字段能否以本人的密钥打开。",
            "The vault's key is not here: whether private fields open is not looked at.",
        )
        with failing(), ledger_database(told) as database:
            yield database, _verifier(key), None
        return
    with ExitStack() as opening:
        try:
            bureau = opening.enter_context(opened(context))
        except Failure as failure:
            if key is None or not isinstance(failure.__cause__, VaultUnfit):
                raise
            tell(
                context,
                f"{failure.zh}。不核验保密字段能否以本人的密钥打开。",
                f"{failure.en}. Whether private fields open is not looked at.",
            )
            database = opening.enter_context(ledger_database(told))
            yield database, _verifier(key), None
            return
        vault, origin = bureau.ledger.vault, bureau.sealer.seals.origin()
        if key is not None or origin is None:
            yield bureau.database, None if key is None else _verifier(key), vault
            return
        tell(
            context,
            "未给公钥,用的是本机密钥文件:只能证明账本与它相符。",
            "No public key was given: this machine's own key file is used.",
        )
        yield bureau.database, public(origin, bureau.sealer.key()), vault


def _tell_gone(context: typer.Context, gone: "Gone") -> None:
    rows, day, entry, ground = gone.rows, gone.before, gone.position, gone.ground
    zh = f"查阅日志前 {rows} 条({day} 以前)已由第 {entry} 条登记下令到期销毁({ground}),"
    en = f"The first {rows} reads (before {day}) were ordered to go by entry {entry} ({ground}):"
    zh += f"尚有 {gone.left} 条未销毁(reads cut)。" if gone.left else "只存其散列。"
    en += f" {gone.left} are still there (reads cut)." if gone.left else " their hashes are left."
    console().print(said(context, zh, en), markup=False)


def _tell_verdict(context: typer.Context, verdict: "Verdict", what: tuple[str, str]) -> None:
    page = console()
    if not verdict.findings:
        entries, sealed, heads = verdict[:3]
        zh = f"✓ 一致:共 {entries} {what[0]},{sealed} 条在 {heads} 个封签之下。"
        en = f"✓ Green: {entries} {what[1]}, {sealed} under {heads} heads."
        page.print(said(context, zh, en))
    for f in verdict.findings:
        more = f"({f.total})" if f.total > 1 else ""
        page.print(said(context, f"✗ {f.zh}。{more}", f"✗ {f.en}. {more}"), markup=False)


@witness.command("serve")
def serve_witness(
    state: State,
    name: Name,
    log: Logs,
    host: Annotated[str, typer.Option("--host")] = LOOPBACK,
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8010,
) -> None:
    """由审计方运行:接受封签并会签 / Run by the auditor: cosign heads over HTTP."""
    import uvicorn

    from api.app import QUIET
    from api.witnessing import create_witness

    one = _witness(state, name, log)
    console(error=True).print(str(one.verifier), markup=False, soft_wrap=True)
    uvicorn.run(create_witness(one), host=host, port=port, **QUIET)


@witness.command("request")
def request_cosignature(
    context: typer.Context,
    old: Annotated[
        int | None, typer.Option("--old", min=0, help="见证人所存条数 / what the witness keeps")
    ] = None,
    *,
    of_reads: Annotated[
        bool, typer.Option("--reads", help="查阅日志的封签 / the head of the log of reads")
    ] = False,
) -> None:
    """生成会签请求,以介质送交见证人 / Write a request for a witness beyond an air gap."""
    from replay.witness import ask

    with opened(context) as bureau:
        seals = (bureau.reads.sealer if of_reads else bureau.sealer).seals
        last, kept = seals.last(), seals.cosigned()
        size = old if old is not None else kept.size if kept else 0
        if last is None or size > last.size:
            raise Failure("没有可会签的封签", "there is no head to cosign")
        origin = last.head.origin
        tell(context, f"请求会签:{origin}", f"To be cosigned: {origin}")
        sys.stdout.write(str(ask(seals, last, size)))


@witness.command("sign")
def sign(file: File, state: State, name: Name, log: Logs) -> None:
    """见证人会签请求文件 / Cosign a request from a file; print the cosigned head."""
    from replay.witness import WitnessRefuses

    try:
        sys.stdout.write(str(_witness(state, name, log).add(_text(file))))
    except WitnessRefuses as refuses:
        raise Failure(f"见证人拒绝会签:{refuses}", f"the witness refuses: {refuses}") from refuses
    except OSError as unread:
        raise _unusable(state, unread) from unread


@witness.command("accept")
def accept(
    context: typer.Context,
    file: File,
    witness_key: Annotated[str, typer.Option("--witness-key", help="见证人公钥 / its key")],
) -> None:
    """收存见证人会签的封签 / Keep the line of a head that came back cosigned."""
    from domain.notes import Head

    note, by = _note(file), _verifier(witness_key, "--witness-key")
    with opened(context) as bureau, _note_form(file):
        head = Head.of(note.text)
        of_reads = head.origin == bureau.reads.sealer.seals.origin()
        seals = (bureau.reads.sealer if of_reads else bureau.sealer).seals
        ours = seals.covering(head.size)
        lines = [line for line in note.lines if by.checks(note.text, line)]
        if ours is None or ours.note.text != note.text or not lines:
            raise Failure("不是本账本的会签", "this is no cosigned head of this ledger")
        seals.cosign(head.size, lines[0])
        zh, en = ("查阅日志", "log of reads") if of_reads else ("账本", "ledger")
        zh = f"已收存{zh}至第 {head.size} 条的会签:{head.origin}"
        tell(context, zh, f"Kept: {en} {head.origin}, cosigned up to {head.size}.")


def _witness(state: Path, name: str, logs: list[str]) -> "Witness":
    import time

    from domain.ledger.keyfile import KeyUnfit
    from replay.witness import Witness

    keys = [_verifier(log, "--log") for log in logs]
    try:
        return Witness(state, name, keys, time.time)
    except KeyUnfit as unfit:
        raise Failure(f"见证人名称或密钥不可用:{unfit}", str(unfit)) from unfit
    except OSError as unread:
        raise _unusable(state, unread) from unread


def _unusable(state: Path, why: OSError) -> Failure:
    return Failure(f"见证人目录 {state} 不可用:{why.strerror}", f"{state}: {why.strerror}")


@contextmanager
def _note_form(source: Path | str) -> Iterator[None]:
    from domain.notes import NoteInvalid

    try:
        yield
    except NoteInvalid as invalid:
        raise Failure(f"{source}:格式有误", f"{source}: {invalid}") from invalid


def _authority(file: Path | None) -> "Authority | None":
    from replay.stamps import Authority

    if file is None:
        return None
    try:
        return Authority.of(file)
    except (OSError, ValueError) as unread:
        raise Failure(f"{file} 不是可读取的证书", f"{file} holds no certificate") from unread


def _verifier(vkey: str, option: str = "--key") -> "Verifier":
    from domain.notes import Verifier

    with _note_form(option):
        return Verifier.of(vkey)


def _note(file: Path) -> "Note":
    from domain.notes import Note

    with _note_form(file):
        return Note.of(_text(file))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as unread:
        raise Failure(f"{file} 不能读取", f"{file} cannot be read") from unread
