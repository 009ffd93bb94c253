"""The description of the HTTP interface, made from the contracts when the gateway starts."""

import json
from typing import Any

from gateway.api.openapi.contracts import Contracts, read_contracts
from gateway.api.openapi.operations import Operations
from gateway.api.openapi.schemas import Schemas

VERSION = "1"
DESCRIPTION = (
    "Takes documents in, makes them searchable, and never loses one. 64-bit integers are strings, enum values are full "
    "names, errors are google.rpc.Status with one google.rpc.ErrorInfo of the domain `acervo`."
)


def open_api() -> bytes:
    """OpenAPI 3.1 in JSON."""
    return json.dumps(describe(read_contracts()), ensure_ascii=False).encode()


def describe(contracts: Contracts) -> dict[str, Any]:
    """The document of all methods that have an HTTP binding."""
    schemas = Schemas(contracts)
    operations = Operations(contracts, schemas)
    paths: dict[str, dict[str, Any]] = {}
    for binding in contracts.bindings:
        path, verb = operations.path(binding)
        paths.setdefault(path, {})[verb] = operations.operation(binding)
    used = {binding.service for binding in contracts.bindings}
    tags = [
        {"name": service.removesuffix("Service"), "description": comment}
        for service, comment in contracts.service_comments.items()
        if service in used
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Acervo", "version": VERSION, "description": DESCRIPTION},
        "tags": tags,
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.components.items()))},
    }
