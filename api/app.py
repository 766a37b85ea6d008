"""The HTTP application: entering, health, metrics, the interface document; questions beside it.

Owns how a bureau is served. Invariant: every route passes the guard; without an identity provider
the server listens on this machine only, because whoever reaches it may read and enter everything.
"""

import ipaddress
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from api import (
    answers,
    approvals,
    cases,
    feed,
    mass,
    previews,
    problems,
    queries,
    queries_axes,
    queries_reads,
    sealing,
)
from api.documents import openapi
from api.edge import Edge, Metrics
from api.entries import request_of, to_bytes
from api.guard import Guard
from api.queries import TheBody, TheBureau
from api.settings import Bureau
from api.shapes import noting_whom
from api.stamping import Stamping
from api.witnessing import Cosigning
from domain.events import Id
from domain.ledger.backing import Keeping
from domain.ledger.requests import Receipt
from domain.ledger.requests import Request as Entering
from domain.refusals import ImpactRefused, Refusal
from projections.runner import Lagging

MOST_LAG = 100_000
"""Entries behind the log at which the server says that it is not ready."""

PROBLEMS: dict[type[Exception], Callable[..., Any]] = {
    Refusal: problems.of_refusal,
    Lagging: problems.of_lag,
    OperationalError: problems.of_no_database,
    PoolTimeout: problems.of_no_database,
    RequestValidationError: problems.of_parameters,
    HTTPException: problems.of_http,
}
ROUTERS = (
    queries.router, queries_axes.router, cases.router, queries_reads.router, feed.router,
    sealing.router, approvals.router,
)  # fmt: skip

_KEY = re.compile("[\x21-\x7e]{1,255}")


def create_app(bureau: Bureau) -> FastAPI:
    """The application over an opened bureau; it keeps the records while it runs.

    Raises WitnessUnfit, StampingUnfit, AccessUnfit.
    """
    metrics = Metrics()
    guard = Guard(bureau, metrics)
    app = FastAPI(
        dependencies=[Depends(guard)],
        title="personnel-ledger",
        version="1",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # the framework's own route would pass by the guard
        lifespan=_working,
    )
    app.state.bureau = bureau
    app.state.metrics = metrics
    app.state.cosigning = _cosigning(bureau)
    app.state.stamping = _stamping(bureau)
    app.state.guard = guard
    app.add_middleware(Edge, metrics=metrics, here=not bureau.settings.guarded)
    for fault, told in PROBLEMS.items():
        app.exception_handler(fault)(told)
    for router in ROUTERS:
        app.include_router(router)
    _add_entering(app)
    _add_approving(app)
    _add_health(app)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _working(app: FastAPI) -> AsyncIterator[None]:
    """What a server does beside answering, each on a thread: it ends with the server."""
    stop = threading.Event()
    threads = [threading.Thread(target=one, args=(stop,), daemon=True) for one in _work(app)]
    app.state.follower = threads[0]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join(10)


def request_of_entries(bureau: Bureau, body: bytes, **envelope: Any) -> Entering:
    return request_of(bureau.ledger, body, **envelope)


def _work(app: FastAPI) -> list[Callable[[threading.Event], None]]:
    """What goes on beside the answers until it is stopped; the records' follower is the first."""
    bureau: Bureau = app.state.bureau
    work = [
        bureau.runner.follow, bureau.sealer.follow, bureau.reads.sealer.follow,
        bureau.pinning.follow, *(one.follow for one in app.state.cosigning),
        *(one.follow for one in app.state.stamping),
    ]  # fmt: skip
    if (folder := bureau.settings.backup_dir) is not None:
        age = timedelta(days=bureau.settings.backup_days)
        work.append(Keeping(bureau.ledger.vault, bureau.kek, folder, age).follow)
    return work


def _cosigning(bureau: Bureau) -> list[Cosigning]:
    """Of both logs, with the witness that the settings name, if they do. Raises WitnessUnfit."""
    url, key = bureau.settings.witness, bureau.settings.witness_key
    if url is None and key is None:
        return []
    logs = (bureau.sealer.seals, bureau.reads.sealer.seals)
    return [Cosigning(seals, url or "", key or "") for seals in logs]


def _stamping(bureau: Bureau) -> list[Stamping]:
    """Of both logs, by the time-stamp authority that the settings name, if they do.

    Raises StampingUnfit.
    """
    url, roots = bureau.settings.stamps, bureau.settings.stamp_roots
    if url is None and roots is None:
        return []
    return [Stamping(one, url or "", roots) for one in (bureau.sealer, bureau.reads.sealer)]


def _add_entering(app: FastAPI) -> None:
    @app.post("/v1/entries", status_code=201, tags=["entries"])
    def enter(
        request: Request,
        bureau: TheBureau,
        body: TheBody,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Enter acts, all or nothing 登记; the same key again gives the first answer."""
        return _entered(
            request, bureau, idempotency_key, _of(request, bureau, body, request_of_entries)
        )

    @app.post("/v1/mass", status_code=201, tags=["entries"])
    def mass_enter(
        request: Request,
        bureau: TheBureau,
        body: TheBody,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Enter one act for many persons, all or nothing 一份文件多人."""
        return _entered(request, bureau, idempotency_key, _of(request, bureau, body, mass.request))


def _add_approving(app: FastAPI) -> None:
    @app.post("/v1/approvals/{request_id}", status_code=201, tags=["approvals"])
    def approve(
        request: Request,
        bureau: TheBureau,
        request_id: Id,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Approve what waits for the asking account, as it was shown 批准."""

        def approved(**envelope: Any) -> Receipt:
            guard, asking = app.state.guard, request.state.asking
            return approvals.approve(bureau, guard, asking, request_id, **envelope)

        return _entered(request, bureau, idempotency_key, approved)


def _entered(
    request: Request, bureau: Bureau, key: str | None, enter: Callable[..., Receipt]
) -> Response:
    """Enter and answer with the receipt; every answer is counted."""
    metrics: Metrics = request.app.state.metrics
    try:
        if key is None or not _KEY.fullmatch(key):
            raise problems.KeyRequired
        with noting_whom(bureau):
            receipt = enter(key=key, request_id=request.state.request_id)
    except Refusal as refusal:
        metrics.refusals.labels(refusal.code).inc()
        if refusal.category == "conflict":
            metrics.conflicts.inc()
        raise
    headers = {"Ledger-Position": str(receipt.position)}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
        metrics.replays.inc()
    else:
        metrics.appends.inc()
        metrics.entries.inc(len(receipt.entries))
    answer = to_bytes(answers.receipt(bureau, receipt))
    return Response(answer, 201, headers, "application/json")


def _of(
    request: Request, bureau: Bureau, body: bytes, made: Callable[..., Entering]
) -> Callable[..., Receipt]:
    """What enters the acts of a body, in the name of whoever asks."""

    def entered(**envelope: Any) -> Receipt:
        asking = request.state.asking
        proposed = made(bureau, body, actor=asking.actor, **envelope)
        guard: Guard = request.app.state.guard
        allowed = guard.acting.entering(asking, proposed)
        try:
            return approvals.enter(bureau, asking, allowed)
        except ImpactRefused as refused:
            before = guard.acting.told_before(asking, allowed)
            refused.impacts = [previews.told(impact, before) for impact in refused.impacts]
            raise

    return entered


def _add_health(app: FastAPI) -> None:
    @app.get("/livez", tags=["health"])
    def livez() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get("/readyz", tags=["health"])
    def readyz(bureau: TheBureau) -> Response:
        """Whether questions can be answered, and why not."""
        head, position = bureau.ledger.log.head(), bureau.runner.position()
        following = app.state.follower.is_alive()
        ready = following and head - position <= MOST_LAG
        backed_up, late = bureau.vault_backup()
        told = {
            "ready": ready, "following": following, "head": head, "position": position,
            "embedded": bureau.embedded,
            "vault_backup": {"made_at": backed_up, "late": late},
        }  # fmt: skip
        return Response(to_bytes(told), 200 if ready else 503, media_type="application/json")

    @app.get("/metrics", tags=["health"])
    def metrics(bureau: TheBureau) -> Response:
        """Counts and times, in the Prometheus text format."""
        app.state.metrics.lag.set(bureau.runner.lag())
        lag = bureau.sealer.lag()
        app.state.metrics.unsealed.set(lag.entries)
        app.state.metrics.unsealed_seconds.set(lag.seconds)
        app.state.metrics.unsealed_reads.set(bureau.reads.sealer.lag().seconds)
        if app.state.cosigning:
            silences = [one.silence().seconds for one in app.state.cosigning]
            app.state.metrics.silence.set(max(silences))
        if app.state.stamping:
            overdue = max(one.overdue().seconds for one in app.state.stamping)
            app.state.metrics.overdue.set(max(0.0, overdue))
        return Response(generate_latest(app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/openapi.json", include_in_schema=False)
    def interface() -> Response:
        """The interface document."""
        return Response(to_bytes(app.openapi()), media_type="application/json")

    @app.get("/problems/{code}", tags=["health"])
    def explained(code: str) -> Response:
        """What a problem's `type` means."""
        if (known := problems.catalogue().get(code)) is None:
            raise HTTPException(404)
        return Response(to_bytes(known), media_type="application/json")


class NotLoopbackError(ValueError):
    """The server was asked to listen beyond this machine without an identity provider."""


def serve(bureau: Bureau, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until stopped. Raises NotLoopbackError for an address beyond this machine where
    nobody is asked who they are.
    """
    if not bureau.settings.guarded:
        require_loopback(host)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),  # a command warns only
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    uvicorn.run(create_app(bureau), host=host, port=port, **QUIET)


QUIET: dict[str, Any] = {
    "access_log": False, "log_config": None, "server_header": False, "proxy_headers": False,
}  # fmt: skip
"""The server's own request log would hold whole addresses; ours holds routes. A forwarding header
is anybody's word for where he comes from.
"""


def require_loopback(host: str) -> None:
    try:
        local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NotLoopbackError(
            "without an identity provider the server listens on this machine only: 127.0.0.1, ::1"
        )
