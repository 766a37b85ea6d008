"""The vault's keys: parts that recover them, backups, and restricted keys brought back.

Owns `vault`. Invariant: a secret is read from standard input or shown once on standard output; it
is never an argument, and in no file but the key's own.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

import os
from pathlib import Path
from typing import Annotated

import typer

from api.cli.frame import Failure, PersonArg, clerk, console, frame, opened, said, tell

PARTS, NEEDED = 3, 2
"""Recovery parts of the key-encryption key: how many are made, how many are needed."""

vault = typer.Typer(help="密钥库:备份与恢复 / The vault: backup, recovery.", no_args_is_help=True)

FileArg = Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 / the backup")]


def print_parts(context: typer.Context, kek: bytes) -> None:
    """The recovery parts of a key-encryption key, to be written down and kept by three persons."""
    from domain.ledger.splitting import split, written

    tell(
        context,
        f"主密钥的 {PARTS} 份恢复码,只显示这一次;交 {PARTS} 人分别保存,任 {NEEDED} 份可恢复主密钥:",
        f"The {PARTS} recovery parts of the key, shown this once. Give each to another person;"
        f" any {NEEDED} of them give the key back:",
    )
    for part in split(kek, PARTS, NEEDED, os.urandom):
        print(f"{part.place}: {written(part)}")


@vault.command()
def split(context: typer.Context) -> None:
    """再印一套恢复码,旧的仍有效 / Print another set of recovery parts; older ones stay good."""
    with opened(context) as bureau:
        print_parts(context, bureau.kek)


@vault.command()
def recover(context: typer.Context) -> None:
    """用两份恢复码找回主密钥文件 / Bring a lost key file back with two recovery parts."""
    from api.settings import Settings
    from domain.ledger.keyfile import keep_key
    from domain.ledger.splitting import BadPart, join, read
    from domain.ledger.wrapping import OtherKey

    path = Settings.of(frame(context).data).kek_path
    try:
        first = read(_secret(context, "恢复码一", "First recovery part"))
        second = read(_secret(context, "恢复码二", "Second recovery part"))
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_key(path, join([first, second]))
    except BadPart as bad:
        raise Failure(f"恢复码不对:{bad}", str(bad)) from bad
    except FileExistsError as there:
        raise Failure(f"{path} 已存在,未作改动", f"{path} exists and was left alone") from there
    try:
        with opened(context):
            tell(context, f"主密钥已找回:{path}", f"The key is back: {path}")
    except Failure as failure:
        if isinstance(failure.__cause__, OtherKey):
            path.unlink()  # made here: the right parts are to find no file in their way
            zh, en = "这两份恢复码不属于本账本", "these parts are of another ledger's key"
            raise Failure(f"{zh},未写入密钥文件", f"{en}; no key file was written") from failure
        raise


@vault.command()
def backup(context: typer.Context, file: FileArg) -> None:
    """备份密钥库到一个加密文件 / Back the vault up into one sealed file."""
    from datetime import UTC, datetime

    from domain.ledger.backup import backup as write

    with opened(context) as bureau:
        keys = write(bureau.ledger.vault, bureau.kek, file, datetime.now(UTC))
        days = bureau.settings.backup_days
        zh = f"已备份 {keys} 个密钥至 {file}。超过 {days} 天的旧备份应销毁,其中有此后已销毁的密钥。"
        en = f"{keys} keys in {file}. Destroy backups older than {days} days: they hold keys since"
        console().print(said(context, zh, f"{en} destroyed."), markup=False, soft_wrap=True)


@vault.command()
def restore(context: typer.Context, file: FileArg) -> None:
    """从备份恢复到空密钥库 / Fill an empty vault from a backup."""
    from contextlib import ExitStack

    from api.settings import Settings
    from domain.ledger.backup import restore as fill
    from domain.ledger.server import EmbeddedServer
    from domain.ledger.wrapping import VaultUnfit, key_encryption_key

    settings = Settings.of(frame(context).data)
    if not file.is_file() or not settings.kek_path.is_file():
        missing = file if settings.kek_path.is_file() else settings.kek_path
        raise Failure(f"没有文件 {missing}", f"there is no file {missing}")
    with ExitStack() as closing:
        conninfo = settings.vault
        if conninfo is None:
            server = EmbeddedServer(settings.data / "postgres")
            conninfo = closing.enter_context(server).conninfo("vault")
        try:
            restored = fill(conninfo, key_encryption_key(settings.kek_path), file)
        except VaultUnfit as unfit:
            raise Failure(f"不能恢复:{unfit}", str(unfit)) from unfit
    with opened(context):  # what was destroyed or restricted since is so again
        tell(
            context,
            f"已恢复 {restored.made_at:%Y-%m-%d %H:%M} UTC 的 {restored.keys} 个密钥;"
            "此后的销毁和限制已重新执行。",
            f"{restored.keys} keys of {restored.made_at:%Y-%m-%d %H:%M} UTC are back; what was"
            " destroyed or restricted since is so again.",
        )


@vault.command()
def holder(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="HOLDER", help="分管人标识 / holder's id")],
) -> None:
    """指定密钥分管人,印出其密码 / Name an escrow holder and print the holder's code."""
    from domain.acts.privacy import EscrowHolderNamed
    from domain.events import Proposal
    from domain.ledger import Request
    from domain.ledger.escrow import new_holder

    made = new_holder()
    with opened(context) as bureau:
        event = EscrowHolderNamed(holder=name, public_key=made.public_key)
        act = Proposal(event, bureau.ledger.today())
        bureau.ledger.enter(Request([act], actor=clerk()))
    tell(context, f"分管人 {name} 的密码,只显示这一次:", f"The code of {name}, shown this once:")
    print(made.code)


@vault.command()
def lift(
    context: typer.Context,
    person: PersonArg,
    ground: Annotated[str, typer.Option("--ground", help="依据条款 / the article")],
) -> None:
    """两名分管人共同解除限制处理 / Lift a restriction: two holders give their codes."""
    from domain.ledger.splitting import BadPart
    from domain.refusals import UnknownSubject

    codes = [_secret(context, f"分管人密码 {n}", f"Holder's code {n}") for n in (1, 2)]
    with opened(context) as bureau:
        try:
            classes = bureau.ledger.lift(person, codes, ground, clerk())
        except BadPart as bad:
            raise Failure(f"密码不对:{bad}", str(bad)) from bad
        except UnknownSubject as nothing:
            raise Failure(nothing.detail_zh, nothing.detail) from nothing
        listed = "、".join(classes)
        tell(context, f"已解除:{listed}", f"Lifted: {', '.join(classes)}")


def _secret(context: typer.Context, zh: str, en: str) -> str:
    """A secret typed unseen, or a line of standard input."""
    import sys
    from getpass import getpass

    if sys.stdin.isatty():
        return getpass(said(context, zh, en) + ": ")
    return sys.stdin.readline().strip()
