"""How this API refuses: one body, the right status, the right headers, for every route."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from jobs_desk import ADMIN, URL, Desk

from quintet.dialects.jobs.app import GROUPS
from quintet.dialects.jobs.documented import CODES
from quintet.dialects.jobs.errors import REQUEST, JobErrors, field_path, rate_headers
from quintet.domain.errors import (
    AppendConflict,
    Conflict,
    Disabled,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unprocessable,
)
from quintet.domain.limits import Allowance, RateLimited
from quintet.web.gate import PUBLIC, scope_of

RESET = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
ROUTES = sorted(
    (method, rule, scope_of(function))
    for group in GROUPS
    for (rule, methods, *_), function in group._routes.items()
    for method in methods
)


def told(error: Exception) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """An error's status, body and headers."""
    token = REQUEST.set("request-7")
    answer = JobErrors()(error)
    REQUEST.reset(token)
    assert answer is not None
    assert answer.headers.pop("Content-Type") == "application/json"
    return answer.status_code, json.loads(str(answer.body)), dict(answer.headers)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid([Problem(("a", 0, "b"), "bad")]), 400, "validation_failed"),
        (Unprocessable([Problem(("payload", "n"), "bad")]), 422, "validation_failed"),
        (Disabled("off"), 400, "bad_request"),
        (Unauthenticated("no"), 401, "authentication_required"),
        (Forbidden("no"), 403, "forbidden"),
        (NotFound("no"), 404, "not_found"),
        (Conflict("no"), 409, "conflict"),
        (TooLarge("no"), 413, "payload_too_large"),
        (Throttled("no", 1), 429, "rate_limited"),
        (AppendConflict("no"), 503, "service_unavailable"),
    ],
)
def test_every_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    """And one body for all."""
    got, body, _ = told(error)
    assert (got, body["error"]["code"], body["request_id"]) == (status, code, "request-7")
    assert code in CODES
    assert body["error"]["message"]
    assert set(body) == {"error", "request_id"}
    assert set(body["error"]) <= {"code", "message", "details"}


def test_faults_name_their_fields() -> None:
    """By dotted path, at most a hundred."""
    status, body, _ = told(Invalid([Problem(("a", 0, "b"), "one"), Problem(("body", "c"), "two")]))
    assert status == 400
    assert body["error"]["details"] == [{"field": "a[0].b", "message": "One"}, {"field": "c", "message": "Two"}]
    assert body["error"]["message"] == "a[0].b: One"
    many = told(Invalid([Problem((n,), "bad") for n in range(1000)]))[1]
    assert len(many["error"]["details"]) == 100
    assert field_path(("query", "limit")) == "limit"
    assert field_path(("body",)) == "body"
    assert field_path((3, "name")) == "[3].name"


def test_what_throttles_says_when_to_come_again() -> None:
    """Whole seconds, at least one; and what is left of the limit."""
    _, _, headers = told(RateLimited("full", 12.1, Allowance(10, 0, RESET)))
    assert headers == {
        "Retry-After": "13",
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(RESET.timestamp())),
    }
    assert told(Throttled("full", 0.2))[2] == {"Retry-After": "1"}
    assert rate_headers(None) == {}


def test_a_fault_of_ours_says_nothing_of_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 internal_error, with the request's id to find it by."""
    monkeypatch.setattr(desk.services.jobs, "get", lambda *_: 1 / 0)
    answer = desk.get("/jobs/x")
    assert (answer.status, answer.error) == (500, {"code": "internal_error", "message": "Internal error"})
    assert answer.json["request_id"] == answer.headers["x-request-id"] == "request-1"


def test_unknown_paths_and_methods(desk: Desk) -> None:
    """404, and 405 that says what is allowed; for everybody."""
    for path in ("/v1/nothing", "/v1", "/sdk/v1/x", "/v2/jobs"):
        answer = desk.send("GET", path, key=None)
        assert (answer.status, answer.error["code"]) == (404, "not_found")
    answer = desk.send("PUT", "/v1/jobs", key=None)
    assert (answer.status, answer.error["code"], answer.headers["allow"]) == (405, "bad_request", "GET, POST")


def path_of(rule: str) -> str:
    """A path that the rule matches."""
    return re.sub(r"<\w+>", "x", rule)


def held_without(scope: str) -> list[str]:
    """Every scope but this one and those that include it."""
    every = [
        "jobs:read",
        "jobs:write",
        "jobs:trigger",
        "runs:read",
        "runs:write",
        "api-keys:manage",
        "projects:read",
        "projects:write",
    ]
    return [one for one in every if one != scope]


@pytest.mark.parametrize(("method", "rule", "scope"), ROUTES, ids=str)
def test_every_route_asks_for_a_key_and_its_scope(desk: Desk, method: str, rule: str, scope: str) -> None:
    """401 without a key or with a bad one, before anything else is looked at; 403 names the scope that is missing."""
    for key in (None, "unknown"):
        answer = desk.send(method, path_of(rule), raw="{", key=key)
        assert (answer.status, answer.error["code"]) == (401, "authentication_required")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json["request_id"] == answer.headers["x-request-id"]
    if scope == PUBLIC:  # by a run's own token
        assert rule.startswith("/sdk/v1/")
        return
    desk.add_key("weak", *held_without(scope))
    answer = desk.send(method, path_of(rule), raw="{", key="weak")
    assert (answer.status, answer.error["code"]) == (403, "forbidden")
    assert scope in answer.error["message"]


def test_a_scope_opens_its_routes(desk: Desk) -> None:
    """As do admin, `*` and the scope's own wildcard."""
    for scopes in (["jobs:write"], ["jobs:*"], ["admin"], ["*"]):
        desk.add_key("key-" + scopes[0], *scopes)
        assert desk.post("/jobs", {"name": "a", "endpoint_url": URL}, key="key-" + scopes[0]).status == 201


def test_every_answer_has_a_request_id(desk: Desk) -> None:
    """Good ones too."""
    assert desk.get("/jobs", key=ADMIN).headers["x-request-id"] == "request-1"
