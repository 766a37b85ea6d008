"""Refusals and faults over HTTP: problem details (RFC 9457), typed and in two languages.

Owns which status a refusal has. Invariant: a problem names codes, fields, entries and articles;
what was sent, and what a fault's text says, are never in it.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from domain.refusals import (
    BadInput,
    BadJson,
    MissingField,
    Refusal,
    Superseded,
    TooLarge,
    UnknownFact,
    UnknownSubject,
)
from projections.runner import Lagging

MEDIA_TYPE = "application/problem+json"
_BY_CATEGORY = {"incorrect": 422, "refused": 409, "conflict": 409, "unavailable": 503}
_BY_TYPE: dict[type[Refusal], int] = {BadJson: 400, TooLarge: 413}
_RETRY_SECONDS = "2"
_SLOWED_SECONDS = "6"


class KeyRequired(Refusal):
    """The request needs an Idempotency-Key header of 1 to 255 printable ASCII characters."""

    code = "idempotency-key-required"
    category = "incorrect"
    zh = "请求须带 Idempotency-Key 头(1至255个可打印 ASCII 字符)"


class NotJson(Refusal):
    """The body's media type is not application/json."""

    code = "unsupported-media-type"
    category = "incorrect"
    zh = "请求正文的媒体类型应为 application/json"


class NotLocal(Refusal):
    """The server answers to this machine's own name only."""

    code = "not-local"
    category = "incorrect"
    zh = "服务只接受本机访问"


class Behind(Refusal):
    """The records have not yet taken in the position asked about."""

    code = "projection-lag"
    category = "unavailable"
    zh = "查询数据尚未跟上所问的登记位置,请稍后重试"


class Unavailable(Refusal):
    """The database does not answer."""

    code = "unavailable"
    category = "unavailable"
    zh = "数据库暂不可用"


class Fault(Refusal):
    """The server failed; the request id leads to its log line."""

    code = "internal-error"
    category = "unavailable"
    zh = "服务器内部错误,可凭请求号查日志"


class NotIdentified(Refusal):
    """The request does not say who asks, in a way that is believed."""

    code = "not-identified"
    category = "incorrect"
    zh = "未能确认请求者身份"


class NotAllowed(Refusal):
    """Whoever asks has no right to this."""

    code = "not-allowed"
    zh = "请求者无此权限"


class TooOften(Refusal):
    """Too many attempts failed; try again later."""

    code = "too-often"
    zh = "失败次数过多,请稍后再试"


class KeysUnavailable(Refusal):
    """The identity provider's keys are out of reach, so no token can be checked."""

    code = "keys-unavailable"
    category = "unavailable"
    zh = "身份提供方的公钥不可用,无法核验令牌"


class RevocationUnknown(Refusal):
    """The list of revoked certificates is missing or out of date, so none can be trusted."""

    code = "revocation-unknown"
    category = "unavailable"
    zh = "证书吊销列表缺失或已过期,无法核验证书"


class NoSuchPage(Refusal):
    """There is nothing at this address."""

    code = "not-found"
    category = "incorrect"
    zh = "没有这个地址"


class WrongMethod(Refusal):
    """The address does not take this method."""

    code = "method-not-allowed"
    category = "incorrect"
    zh = "该地址不支持此方法"


_BY_TYPE |= {
    KeyRequired: 400, NotIdentified: 401, NotAllowed: 403, NotJson: 415, TooOften: 429,
    NotLocal: 421, Fault: 500, NoSuchPage: 404, WrongMethod: 405,
}  # fmt: skip


def status_of(refusal: Refusal, method: str) -> int:
    """An unknown subject or entry is 404 where it was asked for, 422 where it was sent."""
    if method in ("GET", "HEAD") and isinstance(refusal, UnknownSubject | UnknownFact):
        return 404
    if isinstance(refusal, Superseded) and refusal.field == "expect":
        return 412
    return _BY_TYPE.get(type(refusal), _BY_CATEGORY[refusal.category])


def title_of(refusal: type[Refusal]) -> str:
    return (refusal.__doc__ or "").strip().splitlines()[0]


def problem(refusal: Refusal, request: Request, status: int | None = None) -> Response:
    """The answer to a request that was refused."""
    status = status or status_of(refusal, request.method)
    told = refusal.as_dict()
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": title_of(type(refusal)),
        "title_zh": type(refusal).zh,
        "status": status,
        **told,
        "request_id": request.scope.get("state", {}).get("request_id"),
    }
    if refusal.index is not None:
        body["pointer"] = "/".join(["/events", str(refusal.index), *_steps(refusal)])
    elif refusal.field is not None and request.method == "POST":
        body["pointer"] = "/".join(["", *_steps(refusal)])
    headers = {"Retry-After": _RETRY_SECONDS} if status == 503 else {}
    if status == 429:
        headers["Retry-After"] = _SLOWED_SECONDS
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def _steps(refusal: Refusal) -> list[str]:
    return [refusal.field] if refusal.field else []


async def of_refusal(request: Request, refusal: Refusal) -> Response:
    return problem(refusal, request)


async def of_lag(request: Request, lagging: Lagging) -> Response:
    return problem(Behind(position=lagging.reached), request)


async def of_no_database(request: Request, _: Exception) -> Response:
    return problem(Unavailable(), request)


async def of_parameters(request: Request, invalid: RequestValidationError) -> Response:
    """A path, query or header parameter of the wrong form: named, not repeated."""
    first = invalid.errors()[0]
    refusal = MissingField if first["type"] == "missing" else BadInput
    return problem(refusal(field=str(first["loc"][1])), request)


async def of_http(request: Request, error: HTTPException) -> Response:
    known: dict[int, type[Refusal]] = {404: NoSuchPage, 405: WrongMethod}
    refusal = known.get(error.status_code, Fault)
    answer = problem(refusal(HTTPStatus(error.status_code).phrase), request, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def catalogue() -> dict[str, dict[str, Any]]:
    """Every problem there is, by code."""
    found = {}
    for cls in _refusals(Refusal):
        found[cls.code] = {
            "type": f"/problems/{cls.code}",
            "title": title_of(cls),
            "title_zh": cls.zh,
            "status": status_of(cls(), "POST"),
        }
    return dict(sorted(found.items()))


def _refusals(cls: type[Refusal]) -> Iterator[type[Refusal]]:
    for inner in cls.__subclasses__():
        yield inner
        yield from _refusals(inner)
