"""Prints this API's OpenAPI document: python -m quintet.dialects.etl.openapi > docs/openapi/etl.json."""

import sys
from typing import Any

from quintet.dialects.etl.app import build
from quintet.dialects.etl.documented import SCHEMAS, SECURITY_SCHEMES
from quintet.web import openapi
from quintet.web.engine import Engine

_POWERTOOLS = ("HTTPValidationError", "ValidationError")
_DESCRIPTION = (
    "Projects hold jobs, jobs hold tasks; a task is what runs, leaves an output dataset and is asked for progress and metrics. Fields are "
    "camelCase, every field of an answer is always present, null where unset; unknown fields of a body are tolerated. Ids are decimal. "
    "Lists are bare arrays by `page` and `pageSize`, with the whole number in `X-Total-Count`. Every path answers below `/api`, too "
    "(`/api/webrobot/api/...`, `/api/api/strapi-tables/...`, `/api/health`). Errors are `{error, code, timestamp}`; 401 also for a key "
    "that lacks the scope."
)


def document() -> dict[str, Any]:
    """The document as data."""
    made = openapi.document(
        build(_no_engine),
        title="Quintet WebRobot ETL API",
        version="1",
        description=_DESCRIPTION,
        schemas=SCHEMAS,
        security_schemes=SECURITY_SCHEMES,
    )
    for name in _POWERTOOLS:
        made["components"]["schemas"].pop(name, None)
    for path in made["paths"].values():
        for operation in path.values():
            _tidy(operation)
    return made


def _tidy(operation: dict[str, Any]) -> None:
    """Without Powertools' own answer to faults; parameters are given or not, but never null."""
    if _POWERTOOLS[0] in str(operation["responses"].get("422")):
        del operation["responses"]["422"]
    for parameter in operation.get("parameters", ()):
        kinds = [kind for kind in parameter["schema"].get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            rest = {name: value for name, value in parameter["schema"].items() if name not in ("anyOf", "default")}
            parameter["schema"] = {**rest, **kinds[0]}


def _no_engine() -> Engine:
    raise RuntimeError("the document needs no engine")


if __name__ == "__main__":
    sys.stdout.write(openapi.text(document()))
