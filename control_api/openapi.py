"""`openapi.json` (OpenAPI 3.1), made from the route table and the models that check requests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from control_api.idempotency import HEADER, PATTERN
from control_api.model import Problem
from control_api.problem import CONTENT_TYPE
from control_api.route import Route

REFERENCE = "#/components/schemas/{model}"

PARAMETERS: dict[str, dict[str, Any]] = {
    "id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of the stream."},
    "comment_id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of the comment."},
    "webhook_id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of the webhook."},
    "user_id": {
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        },
        "description": "Id of the user; `me` is who asks.",
    },
    "banned_id": {
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 160,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        },
        "description": "Id of the user, or of a viewer without a token.",
    },
}

IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": r'^(\*|"r\d{1,18}")$'},
    "description": "The `ETag` of an earlier answer: refused with 412 when the stream has changed since.",
}

IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": PATTERN},
    "description": "Your name for this request: again within a day, it gets the first answer and is not done again.",
}

HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "How to prove who asks (RFC 6750)."},
    429: {"Retry-After": "Seconds."},
    503: {"Retry-After": "Seconds."},
}
"""What always comes along with a status."""


def openapi(
    tables: Mapping[str, Sequence[Route]],
    version: str,
    extra_paths: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Describe routes.

    Args:
        tables: routes of the control API, by what they are about.
        version: of the program.
        extra_paths: path items of other rooms' routes, as OpenAPI has them.
    """
    routes = [route for table in tables.values() for route in table]
    schemas, definitions = models_json_schema(_models(routes), by_alias=True, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for tag, table in tables.items():
        for route in table:
            operation = _operation(route, schemas) | {"tags": [tag]}
            paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "mediaserver", "version": version},
        "paths": {**paths, **(extra_paths or {})},
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


Schemas = Mapping[Any, dict[str, Any]]
"""Reference to the schema of each (model, mode)."""


def _models(routes: Sequence[Route]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    found: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for route in routes:
        found |= {(model, "serialization"): None for model in route.answers.values() if model}
        if route.body:
            found[route.body, "validation"] = None
    return list(found)


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__ + _suffix(route.path),
        "parameters": _path_parameters(route) + _query_parameters(route) + _headers(route),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas[route.body, "validation"]}}
        operation["requestBody"] = {"required": route.body_needed, "content": content}
    if route.needs_user:
        operation["security"] = [{"token": []}]
    elif route.takes_user:
        operation["security"] = [{}, {"token": []}]
    return operation


def _suffix(path: str) -> str:
    return "".join(f"_{word}" for word in re.findall(r"[a-z]+", path) if word not in ("api", "v"))


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, **PARAMETERS[name]} for name in names]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    parameters = []
    for name, field in schema["properties"].items():
        shape = {key: value for key, value in field.items() if key != "description"}
        shape = _inline(shape, schema.get("$defs", {}))
        described = {"description": field["description"]} if "description" in field else {}
        parameters.append({"name": name, "in": "query", "required": False, "schema": shape, **described})
    return parameters


def _headers(route: Route) -> list[dict[str, Any]]:
    found = [IF_MATCH] if HTTPStatus.PRECONDITION_FAILED in route.problems else []
    return [*found, IDEMPOTENCY_KEY] if route.is_once else found


def _inline(shape: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Leave out null, which no query can hold, and put what is referred to in its place."""
    choices = [choice for choice in shape.pop("anyOf", []) if choice != {"type": "null"}]
    if choices:
        shape = {**shape, **choices[0]}
        shape.pop("default", None)
    reference = shape.pop("$ref", None)
    return {**definitions[reference.rsplit("/", 1)[1]], **shape} if reference else shape


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in route.answers.items():
        responses[str(status)] = _response(status)
        if model is not None:
            content = {"application/json": {"schema": schemas[model, "serialization"]}}
            responses[str(status)]["content"] = content
    problem = {CONTENT_TYPE: {"schema": schemas[Problem, "serialization"]}}
    for status in _problems(route):
        responses[str(status)] = _response(status) | {"content": problem}
    return responses


def _response(status: int) -> dict[str, Any]:
    headers = {
        name: {"required": True, "schema": {"type": "string"}, "description": text}
        for name, text in HEADERS.get(status, {}).items()
    }
    return {"description": HTTPStatus(status).phrase} | ({"headers": headers} if headers else {})


def _problems(route: Route) -> list[int]:
    found = {400, 421, 500, *route.problems}
    if route.needs_user or route.takes_user:
        found |= {401, 503}  # 503: who knows the keys, or the database, cannot be reached
    if route.body is not None:
        found |= {413, 422}
    if route.query is not None:
        found.add(422)
    if route.is_once:
        found.add(409)
    return sorted(found)
