"""The interface document (OpenAPI 3.1), generated from the routes and the declared event types.

Owns what the document adds to the framework's. Invariant: every event type is named in it, by the
schema that its class gives.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.entries import Body, type_schema
from api.feed import MEDIA_TYPE
from api.mass import MassBody
from api.publishing import PayBody
from api.queries import Sought
from domain.events import REGISTRY

_TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
_REF = "#/components/schemas/"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; decide by `type` or `code`, never by text.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "title_zh": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "detail_zh": {"type": "string"},
        "field": {"type": "string"},
        "pointer": {"type": "string"},
        "index": {"type": "integer", "description": "which act of the request"},
        "rule": {"type": "string"},
        "article": {"type": "string"},
        "position": {"type": "integer", "description": "the entry that stands in the way"},
        "request_id": {"type": "string"},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["as_of", "data"],
    "properties": {
        "as_of": {
            "type": "object",
            "required": ["effective", "recorded", "recorded_at", "fold"],
            "properties": {
                "effective": {"type": "string", "format": "date"},
                "recorded": {"type": "integer", "description": "the ledger position"},
                "recorded_at": {"type": ["string", "null"], "format": "date-time"},
                "fold": {"type": "integer"},
                "inside_batch": {"const": True},
                "last_day": {
                    "type": "string",
                    "format": "date",
                    "description": "the last day of which whoever asks is told, where there is one",
                },
            },
        },
        "data": {"type": ["object", "array"]},
    },
}
_RECEIPT = {
    "type": "object",
    "required": ["entries", "position", "findings"],
    "properties": {
        "entries": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "position": {"type": "integer"},
                    "event_id": {"type": "string", "format": "uuid"},
                    "type": {"type": "string"},
                    "recorded_at": {"type": "string", "format": "date-time"},
                },
            },
        },
        "position": {"type": "integer"},
        "findings": {"type": "array", "items": {"type": "object"}},
        "receipt": {
            "type": ["string", "null"],
            "description": "signed note: positions and leaf hashes; keep it as evidence",
        },
    },
}
_SEALED = {
    "type": "object",
    "required": ["size", "sealed_at", "head"],
    "properties": {
        "position": {"type": "integer"},
        "leaf": {"type": "string", "description": "base64"},
        "path": {"type": "array", "items": {"type": "string", "description": "base64"}},
        "old": {"type": "integer"},
        "size": {"type": "integer"},
        "sealed_at": {"type": "string", "format": "date-time"},
        "head": {"type": "string", "description": "C2SP signed note"},
        "key": {"type": "string", "description": "C2SP vkey"},
        "unsealed": {"type": "integer"},
    },
}
_NOTICES = {
    "type": "array",
    "items": {
        "type": "object",
        "description": "CloudEvents 1.0; `sequence` is the ledger position",
        "required": ["specversion", "id", "source", "type", "sequence"],
    },
}
_BODIES = {
    "/v1/entries": "EntryRequest",
    "/v1/preview": "EntryRequest",
    "/v1/mass": "MassRequest",
    "/v1/mass/preview": "MassRequest",
    "/v1/preview/pay": "PayRequest",
    "/v1/lookup": "Sought",
}


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _made(app)
    return app.openapi_schema


def _made(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, routes=app.routes, openapi_version="3.1.0"
    )
    schemas: dict[str, Any] = {
        "Problem": _PROBLEM, "Answer": _ANSWER, "Receipt": _RECEIPT,
        "Sealed": _SEALED, "Notices": _NOTICES,
        "Sought": Sought.model_json_schema(),
        "PayRequest": PayBody.model_json_schema(),
    }  # fmt: skip
    for name in sorted(REGISTRY):
        _add(schemas, name, type_schema(REGISTRY[name]))
    _add(schemas, "EntryRequest", Body.model_json_schema(ref_template=_REF + "{model}"))
    _add(schemas, "MassRequest", MassBody.model_json_schema(ref_template=_REF + "{model}"))
    schemas["Act"] = {
        "oneOf": [{"$ref": _REF + name} for name in sorted(REGISTRY)],
        "discriminator": {"propertyName": "type"},
    }
    schemas["EntryRequest"]["properties"]["events"]["items"] = {"$ref": _REF + "Act"}
    document["components"] = {"schemas": dict(sorted(schemas.items()))}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe(path, method, operation)
    return document


def _add(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    schemas.update(schema.pop("$defs", {}))
    schemas[name] = schema


def _describe(path: str, method: str, operation: dict[str, Any]) -> None:
    if path in _BODIES:
        content = {"application/json": {"schema": {"$ref": _REF + _BODIES[path]}}}
        operation["requestBody"] = {"required": True, "content": content}
    problem = {"application/problem+json": {"schema": {"$ref": _REF + "Problem"}}}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {"description": "Refused", "content": problem}
    if path in ("/v1/entries", "/v1/mass") or (
        path.startswith("/v1/approvals") and method == "post"
    ):
        receipt = {"application/json": {"schema": {"$ref": _REF + "Receipt"}}}
        operation["responses"]["201"] = {"description": "Entered", "content": receipt}
    elif path.startswith(("/v1/seals", "/v1/proofs")):
        sealed = {"application/json": {"schema": {"$ref": _REF + "Sealed"}}}
        operation["responses"]["200"] = {"description": "The seal", "content": sealed}
    elif path == "/v1/changes":
        notices = {MEDIA_TYPE: {"schema": {"$ref": _REF + "Notices"}}}
        operation["responses"]["200"] = {"description": "The notices", "content": notices}
    elif path == "/metrics":
        operation["responses"]["200"] = {"description": "Prometheus text", "content": _TEXT}
    elif path.startswith("/v1/") and path != "/v1/types":
        answer = {"application/json": {"schema": {"$ref": _REF + "Answer"}}}
        operation["responses"]["200"] = {"description": "The answer", "content": answer}
