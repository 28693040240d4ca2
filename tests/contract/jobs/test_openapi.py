"""The committed OpenAPI document."""

import json
from pathlib import Path

from openapi_spec_validator import validate

from quintet.dialects.jobs.app import GROUPS
from quintet.dialects.jobs.openapi import document
from quintet.web import openapi
from quintet.web.gate import PUBLIC, scope_of

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi" / "jobs.json"
GOLDEN = json.loads((Path(__file__).parent / "golden" / "document.json").read_text())
_LISTS = 10


def test_the_committed_document_is_what_the_code_says() -> None:
    """After a change: python -m quintet.dialects.jobs.openapi > docs/openapi/jobs.json."""
    assert COMMITTED.read_text() == openapi.text(document())


def test_the_committed_document_is_valid() -> None:
    """By the OpenAPI specification's own schema."""
    validate(json.loads(COMMITTED.read_text()))


def test_every_route_is_in_it_with_how_it_refuses_and_who_may() -> None:
    """400, 401 and a scheme on each; nothing of the framework's own error bodies, no 500."""
    paths = document()["paths"]
    routes = [
        (rule.replace("<", "{").replace(">", "}"), method.lower(), scope_of(function))
        for group in GROUPS
        for (rule, methods, *_), function in group._routes.items()
        for method in methods
    ]
    assert len(routes) == sum(len(operations) for operations in paths.values())
    seen = set()
    for path, method, scope in routes:
        operation = paths[path][method]
        assert operation["description"], path
        assert {"400", "401"} <= set(operation["responses"]), path
        assert "500" not in operation["responses"]
        assert operation["security"] == [{"runToken" if scope == PUBLIC else "bearer": []}], path
        assert scope == PUBLIC or "403" in operation["responses"], path
        assert "{" not in path or "404" in operation["responses"], path
        seen.add(operation["operationId"])
    assert len(seen) == len(routes)
    assert "HTTPValidationError" not in COMMITTED.read_text()


def test_answers_leave_out_what_is_unset() -> None:
    """So nothing in them is null, but inside values that are a caller's own."""
    schemas = document()["components"]["schemas"]
    for name in ("JobView", "JobRunView", "JobVersionView", "DependencyView", "KeyView", "Page_JobView_"):
        for field, schema in schemas[name]["properties"].items():
            assert {"type": "null"} not in schema.get("anyOf", ()), f"{name}.{field}"
    assert schemas["JobView"]["required"] == [
        "id", "project_id", "name", "slug", "endpoint_url", "max_attempts", "timeout_secs", "enabled", "version",
        "version_id", "version_policy", "created_at", "updated_at",
    ]  # fmt: skip
    assert "webhook_secret" not in schemas["JobView"]["properties"]
    assert "webhook_secret" in schemas["JobIn"]["properties"]


def test_lists_are_arrays_or_envelopes_by_cursor() -> None:
    """All alike: limit 50 up to 100, cursor, envelope, and where to go on in the headers."""
    lists = 0
    for path, operations in document()["paths"].items():
        operation = operations.get("get", {})
        answer = operation.get("responses", {}).get("200", {})
        if "application/vnd.quintet.page+json" not in answer.get("content", {}):
            continue
        lists += 1
        given = {one["name"]: one["schema"] for one in operation["parameters"]}
        assert given["envelope"]["type"] == "boolean", path
        assert set(answer["headers"]) == {"X-Next-Cursor", "Link"}
        if "limit" in given:
            assert (given["limit"]["default"], given["limit"]["minimum"], given["limit"]["maximum"]) == (50, 1, 100), (
                path
            )
            assert "cursor" in given
        array, envelope = answer["content"]["application/json"]["schema"]["anyOf"]
        assert (array["type"], "$ref" in envelope) == ("array", True)
    assert lists > _LISTS


def test_the_documented_endpoints_take_what_was_documented() -> None:
    """Its paths, methods and query parameters."""
    paths = document()["paths"]
    shapes = {"/v1/jobs/string/versions/string": "/v1/jobs/{job_id}/versions/{version_id}",
              "/v1/jobs/string/dependencies/string": "/v1/jobs/{job_id}/dependencies/{dependency_id}"}  # fmt: skip
    for one in GOLDEN:
        path = shapes.get(one["path"], one["path"].replace("/string", "/{job_id}"))
        operation = paths[path][one["method"].lower()]
        assert (one["body"] is not None) is ("requestBody" in operation), path
    listing = {one["name"] for one in paths["/v1/jobs"]["get"]["parameters"]}
    assert {"project_id", "tag_key", "tag_value"} <= listing
    health = next(one for one in paths["/v1/jobs/{job_id}/health"]["get"]["parameters"] if one["name"] == "window")
    assert (health["schema"]["default"], health["schema"]["enum"]) == ("7d", ["1h", "1d", "7d", "30d"])
