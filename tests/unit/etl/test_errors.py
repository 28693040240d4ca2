"""How this API refuses: one body, the right status, the right headers, for every route."""

import json
import re
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from etl_desk import ADMIN, Desk

from quintet.dialects.etl.app import GROUPS
from quintet.dialects.etl.errors import MAX_FAULTS, EtlErrors, field_path
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
from quintet.services.pages import PageFault
from quintet.services.ports.queries import QueryFault
from quintet.web.bodies import BadBody, BodyTooLarge
from quintet.web.gate import PUBLIC, scope_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUTES = sorted(
    (method, rule, scope_of(function))
    for group in GROUPS
    for (rule, methods, *_), function in group._routes.items()
    for method in methods
)
SCOPES = [f"{noun}:{verb}" for noun in ("jobs", "runs", "projects") for verb in ("read", "write")] + [
    "jobs:trigger",
    "api-keys:manage",
]


def told(error: Exception) -> tuple[int, str, dict[str, Any]]:
    """An error's status, sentence and headers."""
    answer = EtlErrors(lambda: NOW)(error)
    assert answer is not None
    assert answer.headers.pop("Content-Type") == "application/json"
    body = json.loads(str(answer.body))
    assert body == {"error": body["error"], "code": answer.status_code, "timestamp": "2026-01-01T00:00:00.000Z"}
    return answer.status_code, body["error"], dict(answer.headers)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Invalid([Problem(("a", 0, "b"), "bad")]), 400, "a[0].b: bad"),
        (Invalid([Problem((), "nothing said")]), 400, "Nothing said"),
        (Unprocessable([Problem(("payload", "n"), "bad")]), 400, "payload.n: bad"),
        (Disabled("the task is disabled"), 400, "The task is disabled"),
        (BadBody("not valid UTF-8"), 400, "Not valid UTF-8"),
        (QueryFault("SqlError", "Parser Error: syntax"), 400, "Parser Error: syntax"),
        (QueryFault("OutOfMemory", "out of memory"), 400, "Out of memory"),
        (QueryFault("Timeout", "took too long"), 400, "Took too long"),
        (Unauthenticated("no"), 401, "No"),
        (Forbidden("lacks the scope 'admin'"), 401, "Lacks the scope 'admin'"),
        (PageFault("private", refused=True), 403, "Private"),
        (NotFound("no such task"), 404, "No such task"),
        (Conflict("it is running"), 409, "It is running"),
        (TooLarge("above 1 MiB"), 413, "Above 1 MiB"),
        (BodyTooLarge(7), 413, "The body is larger than 7 bytes"),
        (Throttled("slower", 1), 429, "Slower"),
        (PageFault("it answered 500"), 502, "It answered 500"),
        (AppendConflict(), 503, "Too many changes at once, try again"),
        (QueryFault("Unavailable", "a secret of ours"), 503, "The query engine does not answer, try again"),
    ],
)
def test_every_error_has_its_status_and_sentence(error: Exception, status: int, said: str) -> None:
    """And one body for all."""
    assert told(error)[:2] == (status, said)


def test_faults_name_their_places() -> None:
    """By dotted path, all in one sentence, at most MAX_FAULTS."""
    faults = [Problem(("a", 0, "b"), "one"), Problem(("body", "c"), "two"), Problem(("query", "pageSize"), "three")]
    assert told(Invalid(faults))[1] == "a[0].b: one; c: two; pageSize: three"
    assert told(Invalid([Problem((n,), "bad") for n in range(1000)]))[1].count("bad") == MAX_FAULTS
    assert field_path(("body",)) == "body"


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (Unauthenticated("no"), {"WWW-Authenticate": "Bearer"}),
        (Forbidden("no"), {"WWW-Authenticate": "Bearer"}),
        (Throttled("slower", 12.1), {"Retry-After": "13"}),
        (Throttled("slower", 0.2), {"Retry-After": "1"}),
        (AppendConflict(), {"Retry-After": "1"}),
        (QueryFault("Unavailable", "no"), {"Retry-After": "1"}),
        (QueryFault("SqlError", "no"), {}),
        (NotFound("no"), {}),
    ],
)
def test_errors_say_in_headers_what_clients_act_upon(error: Exception, headers: dict[str, str]) -> None:
    """How to authenticate, and when to come again."""
    assert told(error)[2] == headers


def test_a_fault_of_ours_says_nothing_of_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, and the request's id to find it by."""
    monkeypatch.setattr(desk.services, "pages", None)
    answer = desk.get("/html/example.com/https")
    assert (answer.status, answer.error) == (500, "Internal error")
    assert answer.headers["x-request-id"] == "request-1"


@pytest.mark.parametrize("path", ["/webrobot/api", "/webrobot/api/nothing", "/webrobot", "/api/strapi-tables", "/api/webrobot/api/x/y",
                                  "/api/api/strapi-tables", "/webrobot/api/html/https", "/webrobot/api/projects/id/1/x"])  # fmt: skip
def test_unknown_paths_are_not_found(desk: Desk, path: str) -> None:
    """With this API's body, for everybody, below both bases."""
    for method in ("GET", "POST", "PATCH"):
        answer = desk.send(method, path, key=None)
        assert (answer.status, answer.error) == (404, "Not found")


@pytest.mark.parametrize("base", ["", "/api"])
def test_other_methods_hear_which_are_allowed(desk: Desk, base: str) -> None:
    """405 with Allow, for everybody, below both bases."""
    answer = desk.send("PATCH", f"{base}/webrobot/api/html/example.com/https", key=None)
    assert (answer.status, answer.error, answer.headers["allow"]) == (405, "Method Not Allowed", "GET")


def path_of(rule: str) -> str:
    """A path that the rule matches."""
    return re.sub(r"<\w+>", "1", rule)


@pytest.mark.parametrize(("method", "rule", "scope"), ROUTES, ids=str)
def test_every_route_asks_for_a_key_and_its_scope(desk: Desk, method: str, rule: str, scope: str) -> None:
    """401 without a key, with a bad one and with one that lacks the scope, which it names; before anything else is looked at; below
    both bases alike."""
    assert scope != PUBLIC
    desk.add_key("weak", *(one for one in SCOPES if one != scope))
    for path in (path_of(rule), f"/api{path_of(rule)}"):
        for key in (None, "", "unknown", "org:unknown", f"{ADMIN}:"):
            answer = desk.send(method, path, raw="{", key=key)
            assert answer.status == 401
            assert answer.error in ("Not authenticated", "Invalid API key")
            assert answer.headers["www-authenticate"] == "Bearer"
        answer = desk.send(method, path, raw="{", key="weak")
        assert (answer.status, answer.error) == (401, f"This key lacks the scope '{scope}'")


def test_a_key_may_come_with_its_organisation(desk: Desk) -> None:
    """`<key>`, `org:<key>`, or as a bearer token."""
    desk.web.page("https://example.com", b"x")
    for key in (ADMIN, f"acme:{ADMIN}", f"a:b: {ADMIN}"):
        assert desk.get("/html/example.com/https", key=key).status == 200
    assert desk.get("/html/example.com/https", key=None, headers={"Authorization": f"Bearer {ADMIN}"}).status == 200


def with_bodies(desk: Desk) -> list[tuple[str, str]]:
    """The routes that take JSON."""
    return [(route.method, path_of(route.path)) for route in desk.api.every_route if route.dependant.body_params]


def test_bad_bodies_are_refused_before_anything_is_done(desk: Desk) -> None:
    """What is no JSON, no object, no UTF-8 or too large, by every route that takes JSON, with the body named."""
    for method, path in with_bodies(desk):
        for raw, said in (
            ("{", "body: JSON decode error"),
            ('{"a": NaN}', "body: JSON decode error"),
            ('{"a": 1, "a": 2}', "body: JSON decode error: duplicate key 'a'"),
            ("[1]", "body: Input should be a valid dictionary or object"),
            ('"text"', "body: Input should be a valid dictionary or object"),
            (b'{"a": "\xff"}', "body: JSON decode error: the body is not valid UTF-8"),
            ("[" * 100 + "]" * 100, "body: JSON decode error: nested deeper than 64 levels"),
        ):
            answer = desk.send(method, path, raw=raw)
            assert (answer.status, answer.error.startswith(said)) == (400, True), (method, path, raw, answer.text)
        answer = desk.send(method, path, raw="{}", headers={"Content-Type": "text/csv"})
        assert (answer.status, answer.error) == (400, "body: Content-Type should be application/json, not text/csv"), (
            path
        )
        answer = desk.send(method, path, raw='"' + "x" * 8 * 1024 * 1024 + '"')
        assert answer.status == 413, (method, path, answer.text[:200])
        assert re.fullmatch(r"The body is larger than \d+ bytes", answer.error)


def lists(desk: Desk) -> list[str]:
    """The lists by page."""
    return [path_of(route.path) for route in desk.api.every_route
            if any(field.alias == "pageSize" for field in route.dependant.query_params)]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"page": "-1"}, "page: Input should be greater than or equal to 0"),
        ({"page": "x"}, "page: Input should be a valid integer, unable to parse string as an integer"),
        ({"page": "1.5"}, "page: Input should be a valid integer, unable to parse string as an integer"),
        ({"page": "9" * 5000}, "page: Unable to parse input string as an integer, exceeded maximum size"),
        ({"pageSize": "0"}, "pageSize: Input should be greater than or equal to 1"),
        ({"pageSize": "1001"}, "pageSize: Input should be less than or equal to 1000"),
        (
            {"pageSize": "-1", "page": "-1"},
            "page: Input should be greater than or equal to 0; pageSize: Input should be",
        ),
    ],
)
def test_bad_pages_are_refused(desk: Desk, query: dict[str, str], said: str) -> None:
    """By every list, with the parameter named."""
    assert lists(desk)
    for path in lists(desk):
        answer = desk.get(path, query=query)
        assert (answer.status, answer.error[: len(said)]) == (400, said), path


@pytest.mark.parametrize("text", ["0", "01", "-1", "+1", "1.0", "1e3", "x", "1 ", "٣", "9" * 16, "9" * 400, "null"])
def test_what_is_no_id_is_not_found(desk: Desk, text: str) -> None:
    """By every route whose path names things by number, whatever its body: nothing has such an id."""
    asked = 0
    for route in desk.api.every_route:
        numbers = [field.alias for field in route.dependant.path_params if int in get_args(field.type_)]
        for name in numbers:
            path = re.sub(r"<\w+>", "1", route.path.replace(f"<{name}>", text))
            answer = desk.send(route.method, path, raw="{")
            assert (answer.status, answer.error) == (404, "Not found"), path
            asked += 1
    assert asked
