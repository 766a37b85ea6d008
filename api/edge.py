"""What every request passes: its id, its log line, its measure, and the net under every fault.

Owns the request id and the metrics. Invariant: a log line and a metric carry the route's pattern,
never the address, a query or a value.
"""

import re
import time
import traceback
from typing import Any
from uuid import uuid4

import structlog
from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Fault, NotLocal, problem

METHODS = {"GET", "HEAD", "POST"}
LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_REQUEST_ID = re.compile("(?![0-9]{10,17}[0-9Xx]$)[A-Za-z0-9._-]{1,64}")
"""Not an ID card's number, nor a telephone's: it goes into every log."""
_log = structlog.get_logger(__name__)


class Metrics:
    """Counts of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        name = "personnel_ledger_"
        self.entries = Counter(name + "entries", "Entries appended", registry=self.registry)
        self.appends = Counter(name + "appends", "Requests entered", registry=self.registry)
        self.replays = Counter(
            name + "replays", "Requests that had been entered before", registry=self.registry
        )
        self.refusals = Counter(
            name + "refusals", "Requests refused", ["code"], registry=self.registry
        )
        self.conflicts = Counter(
            name + "conflicts", "Requests that lost to another", registry=self.registry
        )
        self.reads = Counter(
            name + "reads", "Looks at records: allowed, denied, or unrecorded and so not answered",
            ["outcome"], registry=self.registry,
        )  # fmt: skip
        for outcome in ("allowed", "denied", "unrecorded"):
            self.reads.labels(outcome)
        self.seconds = Histogram(
            name + "request_seconds", "Time to answer", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.lag = Gauge(
            name + "projection_lag_entries", "Entries the records have yet to take in",
            registry=self.registry,
        )  # fmt: skip
        self.unsealed = Gauge(
            name + "seal_lag_entries", "Entries not sealed yet", registry=self.registry
        )
        self.unsealed_seconds = Gauge(
            name + "seal_lag_seconds", "Age of the oldest entry not sealed yet",
            registry=self.registry,
        )  # fmt: skip
        self.unsealed_reads = Gauge(
            name + "read_seal_lag_seconds", "Age of the oldest read on record not sealed yet",
            registry=self.registry,
        )  # fmt: skip
        self.silence = Gauge(
            name + "witness_lag_seconds", "Age of the oldest head not cosigned yet",
            registry=self.registry,
        )  # fmt: skip
        self.overdue = Gauge(
            name + "stamp_overdue_seconds", "For how long a time stamp is due",
            registry=self.registry,
        )  # fmt: skip


class Edge:
    """The outermost layer of the application. `here`: it answers to this machine's names only."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, here: bool) -> None:
        self._app = app
        self._here = here
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request_id = _request_id(request)
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"], (b"x-request-id", request_id.encode())
                ]  # fmt: skip
            await send(message)

        try:
            if self._here and not _is_local(request):
                await problem(NotLocal(), request)(scope, receive, told)
            else:
                await self._app(scope, receive, told)
        except Exception as fault:  # noqa: BLE001 - its text may hold what was sent
            _log.error("fault", request_id=request_id, **where(fault))
            if not status:
                await problem(Fault(), request)(scope, receive, told)
        route = getattr(scope.get("route"), "path", "-")
        method = request.method if request.method in METHODS else "-"
        seconds = time.perf_counter() - began
        self._metrics.seconds.labels(method, route, status).observe(seconds)
        _log.info(
            "request", method=method, route=route, status=status,
            ms=round(seconds * 1000, 1), request_id=request_id,
        )  # fmt: skip


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _is_local(request: Request) -> bool:
    """Whether the request calls this machine by its own name (a rebound name is another's)."""
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name.lower() in LOCAL_NAMES


def where(fault: BaseException) -> dict[str, Any]:
    """The kind of a fault and its frames: no text, no values."""
    frames = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(fault.__traceback__)]
    return {"fault": type(fault).__name__, "frames": frames[-8:]}
