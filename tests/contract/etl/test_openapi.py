"""The committed OpenAPI document."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

from openapi_spec_validator import validate

from quintet.dialects.etl.app import GROUPS
from quintet.dialects.etl.members import MAX_MEMBERS
from quintet.dialects.etl.openapi import document
from quintet.dialects.etl.paging import SIZE
from quintet.web import openapi

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi" / "etl.json"
GOLDEN = json.loads((Path(__file__).parent / "golden" / "document.json").read_text())


def test_the_committed_document_is_what_the_code_says() -> None:
    """After a change: python -m quintet.dialects.etl.openapi > docs/openapi/etl.json."""
    assert COMMITTED.read_text() == openapi.text(document())


def test_the_committed_document_is_valid() -> None:
    """By the OpenAPI specification's own schema."""
    validate(json.loads(COMMITTED.read_text()))


def test_every_route_is_in_it_with_how_it_refuses_and_who_may() -> None:
    """400, 401 and both schemes on each, 404 where a thing is named; nothing of the framework's own error bodies, no 500."""
    paths = document()["paths"]
    routes = [
        (rule.replace("<", "{").replace(">", "}"), method.lower())
        for group in GROUPS
        for (rule, methods, *_), _function in group._routes.items()
        for method in methods
    ]
    assert len(routes) == sum(len(operations) for operations in paths.values())
    seen = set()
    for path, method in routes:
        operation = paths[path][method]
        assert operation["description"], path
        assert {"400", "401"} <= set(operation["responses"]), path
        assert "500" not in operation["responses"]
        assert operation["security"] == [{"ApiKeyAuth": []}, {"bearer": []}]
        names = set(re.findall(r"{(\w+)}", path)) - {"table", "url", "protocol"}
        assert not names or method == "put" or "404" in operation["responses"], (method, path)
        assert method not in ("post", "put") or "requestBody" not in operation or "413" in operation["responses"], path
        seen.add(operation["operationId"])
    assert len(seen) == len(routes)
    assert "HTTPValidationError" not in COMMITTED.read_text()


def test_the_documented_endpoints_take_what_was_documented() -> None:
    """Every one of the published document: its path, method, body, query parameters and their defaults."""
    paths = {re.sub(r"{\w+}", "{}", path): operations for path, operations in document()["paths"].items()}
    for one in GOLDEN:
        operation = paths[re.sub(r"{\w+}", "{}", one["path"])][one["method"].lower()]
        assert one["body"] is None or "requestBody" in operation, one
        given = {parameter["name"]: parameter["schema"] for parameter in operation.get("parameters", ())}
        for name, value in parse_qsl(one["query"]):
            assert str(given[name]["default"]) in (value, f"{value}.0"), (one, given)


def test_lists_are_arrays_by_page() -> None:
    """All alike: page from 0, pageSize up to 1000, the whole number in a header. A page has 50 items unless asked, and the members of what
    may have 200 all come at once."""
    lists = 0
    for path, operations in document()["paths"].items():
        given = {one["name"]: one["schema"] for one in operations.get("get", {}).get("parameters", ())}
        if "pageSize" not in given:
            continue
        lists += 1
        size = given["pageSize"]
        default = MAX_MEMBERS if path.startswith("/webrobot/api/projects") else SIZE
        assert (size["default"], size["minimum"], size["maximum"]) == (default, 1, 1000), path
        assert (given["page"]["default"], given["page"]["minimum"]) == (0, 0), path
        answer = operations["get"]["responses"]["200"]
        assert set(answer["headers"]) == {"X-Total-Count"}
        assert answer["content"]["application/json"]["schema"]["type"] == "array"
    assert lists >= len(("projects", "jobs", "tasks", "datasets", "bots", "rows"))
