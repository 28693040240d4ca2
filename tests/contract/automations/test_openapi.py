"""The committed OpenAPI document."""

import json
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from quintet.dialects.automations.openapi import document
from quintet.web import openapi

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi" / "automations.json"
GOLDEN = json.loads((Path(__file__).parent / "golden" / "document.json").read_text())


def parameter(operation: dict[str, Any], name: str) -> dict[str, Any]:
    """An operation's parameter by name."""
    return next(one for one in operation["parameters"] if one["name"] == name)


def test_the_committed_document_is_what_the_code_says() -> None:
    """After a change: python -m quintet.dialects.automations.openapi > docs/openapi/automations.json."""
    assert COMMITTED.read_text() == openapi.text(document())


def test_the_committed_document_is_valid() -> None:
    """By the OpenAPI specification's own schema."""
    validate(json.loads(COMMITTED.read_text()))


def test_the_documented_parameters_have_their_defaults_and_ranges() -> None:
    """limit 100 up to 1000, offset from 0, run_id a uuid, mode from_failed of three."""
    paths = document()["paths"]
    listing = paths["/api/v1/automation-runs"]["get"]
    limit, offset = parameter(listing, "limit")["schema"], parameter(listing, "offset")["schema"]
    assert (limit["default"], limit["minimum"], limit["maximum"]) == (100, 1, 1000)
    assert (offset["default"], offset["minimum"], "maximum" in offset) == (0, 0, False)
    assert not parameter(listing, "status")["required"]
    for one in GOLDEN:
        operation = paths[one["path"]][one["method"].lower()]
        assert {"200", "422"} <= set(operation["responses"])
        if "{run_id}" in one["path"]:
            assert parameter(operation, "run_id")["schema"]["format"] == "uuid"
    body = document()["components"]["schemas"]["RetryBody"]["properties"]
    assert body["mode"]["default"] == "from_failed"
    assert body["mode"]["enum"] == ["from_failed", "from_step", "full"]


def test_every_operation_says_how_it_refuses_and_who_may() -> None:
    """401 and 422 everywhere, described; security on all but the signed webhook; no 500 and no unnamed shape."""
    seen = set()
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert {"401", "422"} <= set(operation["responses"])
            assert "500" not in operation["responses"]
            assert ("security" in operation) is (path != "/api/v1/webhooks/{path}")
            seen.add(operation["operationId"])
    assert len(seen) == 19
