"""Faults of a step's definition: each is found when the job is defined, with its place."""

from typing import Any

import pytest

from quintet.adapters.jsonata import JsonataExpressions
from quintet.domain.definition import Plan, StepDef
from quintet.services.checks import Checks

BODY = (StepDef("inner", "set", config={"values": {}}),)


@pytest.mark.parametrize(
    ("kind", "config", "place"),
    [
        ("http", {}, ("url",)),
        ("http", {"url": 5}, ("url",)),
        ("http", {"url": "ftp://x.example/"}, ("url",)),
        ("http", {"url": "file:///etc/hosts"}, ("url",)),
        ("http", {"url": "ftp://{% input.host %}/"}, ("url",)),
        ("http", {"url": "https://user:pw@x.example/"}, ("url",)),
        ("http", {"url": "https:///path"}, ("url",)),
        ("http", {"url": "http://x.example:port/"}, ("url",)),
        ("http", {"url": "http://x.example", "method": "BREW"}, ("method",)),
        ("http", {"url": "http://x.example", "headers": {"a": {}}}, ("headers",)),
        ("http", {"url": "http://x.example", "headers": []}, ("headers",)),
        ("http", {"url": "http://x.example", "query": {"a": {}}}, ("query",)),
        ("http", {"url": "http://x.example", "expect_status": [99]}, ("expect_status",)),
        ("http", {"url": "http://x.example", "expect_status": 200}, ("expect_status",)),
        ("http", {"url": "http://x.example", "expectStatus": [200]}, ("expectStatus",)),
        ("http", {"url": "http://x.example", "body": {"a": ["{% ( %}"]}}, ("body", "a", 0)),
        ("python", {}, ("code",)),
        ("python", {"code": "def main(input:\n  pass"}, ("code",)),
        ("python", {"code": "x\0"}, ("code",)),
        ("python", {"code": "def main(i): pass", "memory_mb": 1}, ("memory_mb",)),
        ("python", {"code": "def main(i): pass", "memory_mb": "big"}, ("memory_mb",)),
        ("shell", {"script": "echo"}, ("script",)),
        ("shell", {"script": [1]}, ("script",)),
        ("shell", {"script": ["echo"], "env": {"A": []}}, ("env",)),
        ("sql", {"inputs": {}}, ("sql",)),
        ("sql", {"sql": "SELECT 1", "inputs": {"a b": []}}, ("inputs", "a b")),
        ("sql", {"sql": "SELECT 1", "inputs": {"t": "not-an-id"}}, ("inputs",)),
        ("sql", {"sql": "SELECT 1", "inputs": {"t": [1]}}, ("inputs",)),
        ("sql", {"sql": "SELECT 1", "format": "xlsx"}, ("format",)),
        ("wait", {}, ()),
        ("wait", {"seconds": 1, "until": "2026-01-01"}, ()),
        ("wait", {"seconds": -1}, ("seconds",)),
        ("wait", {"seconds": True}, ("seconds",)),
        ("wait", {"until": "tomorrow"}, ("until",)),
        ("switch", {}, ("expression",)),
        ("switch", {"expression": "a +"}, ("expression",)),
        ("input", {"approvers": "ada"}, ("approvers",)),
        ("input", {"fields": {"n": {"type": "int"}}}, ("fields",)),
        ("input", {"fields": {"n": 5}}, ("fields",)),
        ("input", {"fields": {"n": {"type": "string", "enum": ["x" * 70_000]}}}, ("fields",)),
        ("input", {"timeout_seconds": 0}, ("timeout_seconds",)),
        ("subrun", {}, ("job_id",)),
        ("subrun", {"job_id": "j", "wait": "yes"}, ("wait",)),
        ("set", {}, ("values",)),
        ("set", {"values": []}, ("values",)),
        ("set", {"values": {}, "more": 1}, ("more",)),
    ],
)
def test_faults_and_their_places(desk: Any, kind: str, config: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """Missing, mistyped, unknown or contradictory fields."""
    assert desk.places(kind, config) == {place}


@pytest.mark.parametrize(
    ("kind", "config", "place"),
    [
        ("loop", {}, ()),
        ("loop", {"while": "true", "until": "false"}, ()),
        ("loop", {"while": "("}, ("while",)),
        ("loop", {"until": 5}, ("until",)),
        ("loop", {"until": "true", "max_iterations": 0}, ("max_iterations",)),
        ("loop", {"until": "true", "max_iterations": 1.5}, ("max_iterations",)),
        ("map", {}, ("items",)),
        ("map", {"items": "abc"}, ("items",)),
        ("map", {"items": [], "max_concurrency": 0}, ("max_concurrency",)),
        ("map", {"items": [], "tolerate_failures": -1}, ("tolerate_failures",)),
    ],
)
def test_faults_of_loops_and_maps(desk: Any, kind: str, config: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """The same for kinds that hold a body."""
    assert desk.places(kind, config, body=BODY) == {place}


@pytest.mark.parametrize(
    ("kind", "config"), [("loop", {"until": "true"}), ("map", {"items": "{% input.list %}"})]
)  # fmt: skip
def test_a_body_is_needed(desk: Any, kind: str, config: dict[str, Any]) -> None:
    """A loop or map without steps is refused, as are steps inside any other kind."""
    assert desk.places(kind, config) == {("steps",)}
    assert desk.places(kind, config, body=BODY) == set()
    assert desk.places("set", {"values": {}}, body=BODY) == {("steps",)}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("http", {"url": "https://x.example/{% input.id %}", "method": "post", "headers": {"A": "{% input.h %}", "B": 1},
                  "query": {"q": ["a", 1], "r": "{% input.q %}"}, "body": {"any": ["{% input %}"]}, "expect_status": [404]}),
        ("http", {"url": "{% input.url %}", "method": "{% input.m %}", "headers": "{% input.hs %}"}),
        ("python", {"code": "# {% not a template %}\ndef main(input):\n    return {}", "memory_mb": 512}),
        ("shell", {"script": ["echo {% input.x %}", ""], "env": {"A": "{% input.a %}", "N": 5, "E": None}}),
        ("sql", {"sql": "SELECT 1", "inputs": {"t": "{% steps.a %}", "u": [{"a": 1}],
                 "v": "2c9f4a5e-0d3b-5f6e-8a52-7b1f1f7c9d20"}, "format": "csv"}),
        ("wait", {"seconds": 0.5}),
        ("wait", {"until": "2026-01-01T00:00:00+02:00"}),
        ("wait", {"until": "{% input.at %}"}),
        ("switch", {"expression": "steps.a.n > 3 ? 'big' : 'small'"}),
        ("input", {}),
        ("input", {"message": "ok?", "approvers": ["ada"], "fields": {"n": {"type": "integer", "required": True}, "s": "string"}}),
        ("input", {"fields": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}),
        ("subrun", {"job_id": "{% input.job %}", "input": {"a": 1}, "wait": False}),
        ("set", {"values": {"a": "{% steps.x %}", "b": None}}),
    ],
)  # fmt: skip
def test_good_definitions_have_no_faults(desk: Any, kind: str, config: dict[str, Any]) -> None:
    """Every documented field, as a value and as a template."""
    assert desk.problems(kind, config) == []


@pytest.mark.parametrize(
    "kind", ["http", "python", "shell", "sql", "wait", "switch", "loop", "map", "input", "subrun", "set"]
)
def test_timeouts_have_a_maximum(desk: Any, kind: str) -> None:
    """No step may ask for more time than its kind can be given, and none for nothing."""
    most = desk.kinds[kind].max_timeout

    def places(timeout: float) -> set[tuple[str | int, ...]]:
        plan = Plan((StepDef("s", kind, timeout=timeout),))
        return {problem.place for problem in Checks(desk.kinds, JsonataExpressions()).problems(plan)}

    assert ("steps", 0, "timeout") in places(most + 1)
    assert ("steps", 0, "timeout") in places(0)
    assert ("steps", 0, "timeout") not in places(most)
    assert 0 < desk.kinds[kind].default_timeout <= most


def test_the_registry_names_every_kind(desk: Any) -> None:
    """Each kind is found under its own name."""
    assert all(desk.kinds[name].name == name for name in desk.kinds)
    assert {name for name in desk.kinds if desk.kinds[name].pure} == {"set", "switch", "wait", "input", "terminate"}
