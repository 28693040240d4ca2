"""Prints this API's OpenAPI document: python -m quintet.dialects.automations.openapi > docs/openapi/automations.json."""

import sys
from typing import Any

from quintet.dialects.automations.app import build
from quintet.dialects.automations.documented import SCHEMAS, SECURITY_SCHEMES
from quintet.web import openapi
from quintet.web.engine import Engine

_DESCRIPTION = (
    "Automations, their runs and steps. Field names are camelCase, query parameters snake_case; every field of an answer is always "
    "present, null where unset. Faults of a request answer 422 with their places, everything else one sentence in `detail`."
)


def document() -> dict[str, Any]:
    """The document as data."""
    return openapi.document(
        build(_no_engine),
        title="Quintet Automations API",
        version="1",
        description=_DESCRIPTION,
        schemas=SCHEMAS,
        security_schemes=SECURITY_SCHEMES,
    )


def _no_engine() -> Engine:
    raise RuntimeError("the document needs no engine")


if __name__ == "__main__":
    sys.stdout.write(openapi.text(document()))
