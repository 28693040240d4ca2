"""Prints this API's OpenAPI document: python -m quintet.dialects.jobs.openapi > docs/openapi/jobs.json."""

import sys
from typing import Any

from quintet.dialects.jobs.app import build
from quintet.dialects.jobs.documented import SCHEMAS, SECURITY_SCHEMES
from quintet.dialects.jobs.paging import PAGE_TYPE
from quintet.dialects.jobs.shapes import Shown
from quintet.web import openapi
from quintet.web.engine import Engine

_POWERTOOLS = ("HTTPValidationError", "ValidationError")
_LIST_HEADERS = {
    "X-Next-Cursor": {"description": "Where to go on; absent after the last page.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, rel="next"; absent after the last.', "schema": {"type": "string"}},
}
_DESCRIPTION = (
    "Versioned HTTP jobs: definitions, triggers, runs, the run side, dependencies, webhooks and workflows. Fields are snake_case, and what "
    "is unset is left out. Lists are bare arrays, the next cursor in `X-Next-Cursor` and `Link`; or envelopes, for those who ask for one. "
    "Errors are `{error: {code, message, details?}, request_id}`."
)


def document() -> dict[str, Any]:
    """The document as data."""
    made = openapi.document(
        build(_no_engine),
        title="Quintet Jobs API",
        version="1",
        description=_DESCRIPTION,
        schemas=SCHEMAS,
        security_schemes=SECURITY_SCHEMES,
    )
    shapes = made["components"]["schemas"]
    for name in _POWERTOOLS:
        shapes.pop(name)
    for name in _shown(Shown) & shapes.keys():
        shapes[name]["properties"] = {
            field: _never_null(schema) for field, schema in shapes[name]["properties"].items()
        }
    for path in made["paths"].values():
        for operation in path.values():
            _tidy(operation)
    return made


def _shown(shape: type[Shown]) -> set[str]:
    """The names of all shapes in answers, as the document writes them."""
    found: set[str] = set()
    for one in shape.__subclasses__():
        found |= {one.__name__.replace("[", "_").replace("]", "_"), *_shown(one)}
    return found


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what is left out rather than null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == len(schema.get("anyOf", ())):
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**rest, **kinds[0]} if len(kinds) == 1 else {**rest, "anyOf": kinds}


def _tidy(operation: dict[str, Any]) -> None:
    """Without Powertools' own answer to faults; parameters that can't be null; lists with their headers."""
    answers = operation["responses"]
    if _POWERTOOLS[0] in str(answers.get("422")):
        del answers["422"]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _never_null(parameter["schema"])
    for answer in answers.values():
        if PAGE_TYPE in answer.get("content", ()):
            answer["headers"] = _LIST_HEADERS


def _no_engine() -> Engine:
    raise RuntimeError("the document needs no engine")


if __name__ == "__main__":
    sys.stdout.write(openapi.text(document()))
