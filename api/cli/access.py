"""Who may do what: granting, withdrawing, keys, and the list.

Owns `access`. Invariant: a secret is printed once and stored nowhere; every change is an entry.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from api.cli.frame import Failure, Lang, clerk, console, opened, said
from api.cli.out import Asked, answered
from api.rendering import Column, table

if TYPE_CHECKING:
    from api.settings import Bureau
    from domain.events import Event
    from domain.ledger import Receipt

access = typer.Typer(help="权限与接口密钥 / Rights and API keys.", no_args_is_help=True)

ISSUER = Annotated[str, typer.Argument(metavar="ISSUER", help="身份提供方 / its issuer")]
SUBJECT = Annotated[str, typer.Argument(metavar="SUBJECT", help="账号主体 / its subject there")]
ROLE = Annotated[
    str,
    typer.Argument(
        metavar="ROLE",
        help="clerk | approver | inspector | auditor | system | administrator",
    ),
]
UNIT = Annotated[
    str | None, typer.Option("--unit", help="限于该单位及下属;不给则全局 / this unit and below")
]
CLASSES = Annotated[
    list[str] | None,
    typer.Option("--class", help="可读的私密字段类别,可多次 / private fields it may read"),
]
ATTEST = Annotated[bool, typer.Option("--attest", help="可补登 / may attest")]
PERSON = Annotated[str | None, typer.Option("--person", help="账号所属人员 / whose account it is")]
LAST_DAY = Annotated[
    str | None, typer.Option("--last-day", metavar="DATE", help="最后一日 / its last day")
]
POSITION = Annotated[int, typer.Argument(min=1, help="授权登记的位置 / position of the grant")]
KEY = Annotated[str, typer.Argument(metavar="KEY", help="密钥标识 / the key's id")]


@access.command()
def grant(
    context: typer.Context,
    *,
    issuer: ISSUER,
    subject: SUBJECT,
    role: ROLE,
    unit: UNIT = None,
    classes: CLASSES = None,
    attest: ATTEST = False,
    person: PERSON = None,
    last_day: LAST_DAY = None,
) -> None:
    """授予一个账号一项权限 / Give an account a right."""
    fields = {
        "issuer": issuer, "subject": subject, "role": role, "unit": unit,
        "classes": classes or [], "attest": attest, "person": person,
    }  # fmt: skip
    with opened(context) as bureau:
        act = _act("RoleGranted", issuer, subject, fields)
        _tell_entered(context, _enter(bureau, act, last_day))


@access.command()
def withdraw(context: typer.Context, position: POSITION) -> None:
    """收回一项权限 / Take a right away, from today on."""
    from uuid import UUID

    from domain.acts.rights import RoleWithdrawn

    with opened(context) as bureau:
        head = bureau.ledger.moment().position
        found = bureau.ledger.entries(
            types=["RoleGranted"], after=position - 1, until=min(position, head)
        )
        entry = next(found, None) if position <= head else None
        if entry is None:
            raise Failure(f"位置 {position} 不是授权登记", f"entry {position} grants no right")
        act = RoleWithdrawn(account=entry.fields["account"])
        _tell_entered(context, _enter(bureau, act, ends=UUID(entry.root)))


@access.command()
def key(
    context: typer.Context,
    issuer: ISSUER,
    subject: SUBJECT,
    last_day: Annotated[
        str, typer.Option("--last-day", metavar="DATE", help="最后一日 / last day")
    ],
) -> None:
    """签发接口密钥;密文只显示这一次 / Issue a key; its secret is shown this once."""
    from hashlib import sha256
    from secrets import token_hex, token_urlsafe

    id_, secret = token_hex(8), token_urlsafe(32)
    fields = {
        "key": id_, "issuer": issuer, "subject": subject,
        "hash": sha256(secret.encode()).hexdigest(),
    }  # fmt: skip
    with opened(context) as bureau:
        _tell_entered(
            context, _enter(bureau, _act("ApiKeyIssued", issuer, subject, fields), last_day)
        )
    print(f"{id_}.{secret}")


@access.command()
def revoke(context: typer.Context, key: KEY) -> None:
    """吊销接口密钥 / Revoke a key, from today on."""
    from api.forms import event_named

    with opened(context) as bureau:
        act = _made(event_named("ApiKeyRevoked"), {"key": key})
        _tell_entered(context, _enter(bureau, act))


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    who = [Column(("签发者", "issuer")), Column(("主体", "subject"))]
    until = Column(("最后一日", "last day"), folds=False)
    columns = [
        Column(("位置", "position"), right=True), *who, Column(("角色", "role"), folds=False),
        Column(("单位", "unit")), Column(("私密字段", "private fields")),
        Column(("补登", "attest")), until,
    ]  # fmt: skip
    rows = [
        (
            r["position"], r["issuer"], r["subject"], r["role"], r.get("unit"),
            " ".join(r["classes"]), "✓" if r["attest"] else None, r["last_day"],
        )
        for r in data["roles"]
    ]  # fmt: skip
    yield table(("权限", "Rights"), columns, rows, lang)
    keys = [(k["key"], k["issuer"], k["subject"], k["last_day"]) for k in data["keys"]]
    yield table(("接口密钥", "API keys"), [Column(("密钥", "key")), *who, until], keys, lang)


@access.command(name="list")
@answered(_draw, "rights", timed=False)
def listed(asked: Asked) -> Mapping[str, Any]:
    """现有权限和密钥 / The rights and keys in force."""
    from api.reader import Question
    from api.shapes import opened as answer
    from api.times import NOW, as_of
    from domain.acts.rights import API_KEY, ROLE
    from domain.bitemporal import last_day

    bureau = asked.bureau
    pair, stated = as_of(bureau, NOW)
    roles = [
        {"position": f.root, **f.value, "last_day": last_day(f.until)}
        for f in bureau.records.in_force(ROLE, pair)
    ]
    keys = [
        {
            "key": f.subject.removeprefix("key:"), "issuer": f.value["issuer"],
            "subject": f.value["subject"], "last_day": last_day(f.until),
        }
        for f in bureau.records.everyone([API_KEY], pair)
        if f.value
    ]  # fmt: skip
    data = {"roles": roles, "keys": keys}
    return answer(bureau.asked(Question("rights")), stated, data)


def _act(type_: str, issuer: str, subject: str, fields: dict[str, Any]) -> "Event":
    from api.forms import event_named
    from domain.acts.rights import account_of

    return _made(event_named(type_), {"account": account_of(issuer, subject), **fields})


def _made(cls: "type[Event]", fields: dict[str, Any]) -> "Event":
    """Raises the typed refusal of the first field that is wrong."""
    import orjson

    from api.entries import checked_bytes

    return checked_bytes(cls, orjson.dumps(fields))


def _enter(
    bureau: "Bureau", act: "Event", last_day: str | None = None, **envelope: Any
) -> "Receipt":
    from datetime import timedelta

    from api.times import day_of
    from domain.events import Proposal
    from domain.ledger import Request

    last = day_of(last_day, "last_day")
    until = last + timedelta(days=1) if last else None
    proposed = Proposal(act, bureau.ledger.today(), until, **envelope)
    actor = clerk().model_copy(update={"role": "administrator"})
    return bureau.ledger.enter(Request([proposed], actor=actor))


def _tell_entered(context: typer.Context, receipt: "Receipt") -> None:
    words = (f"已登记,位置 {receipt.position}。", f"Entered at position {receipt.position}.")
    console(error=True).print(said(context, *words))
