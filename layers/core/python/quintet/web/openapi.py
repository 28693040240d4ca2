"""Writes an API's OpenAPI document; never at import, and never in a function that serves requests."""

import json
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

from pydantic.alias_generators import to_camel

from quintet.web.api import Api

_UNUSED = "ResponseValidationError"


def document(
    api: Api,
    *,
    title: str,
    version: str,
    description: str,
    schemas: Mapping[str, Any],
    security_schemes: Mapping[str, Any],
) -> dict[str, Any]:
    """The document, with the dialect's own error bodies in place of Powertools'."""
    for route in api.every_route:
        route.operation_id = to_camel(route.func.__name__)
        route.description = cleandoc(route.func.__doc__ or "")
    made = json.loads(api.get_openapi_json_schema(title=title, version=version, description=description))
    components = made.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["schemas"].pop(_UNUSED, None)
    components["schemas"] = {name: _untitled(schema) for name, schema in sorted(components["schemas"].items())}
    components["securitySchemes"] = dict(security_schemes)
    made["servers"] = [{"url": "/"}]
    made["paths"] = dict(sorted(made["paths"].items()))
    for path in made["paths"].values():
        for operation in path.values():
            _tidy(operation)
    return dict(made)


def _tidy(operation: dict[str, Any]) -> None:
    answers = {status: answer for status, answer in operation["responses"].items() if status != "500"}
    for status, answer in answers.items():
        if status == "204":
            answer.pop("content", None)
    operation["responses"] = dict(sorted(answers.items()))


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the titles that only repeat the properties' names."""
    for inner in schema.get("properties", {}).values():
        inner.pop("title", None)
    return schema


def text(made: Mapping[str, Any]) -> str:
    """The document as it is committed."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
