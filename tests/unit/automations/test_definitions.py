"""Definitions, between this API's words and the core's."""

from functools import cache
from typing import Any

import pytest
from automations_desk import Desk, step
from hypothesis import given
from hypothesis import strategies as st

from quintet.dialects.automations.definitions import to_config, to_plan, wire_place
from quintet.dialects.automations.kinds import BODY, KINDS, TIMEOUT
from quintet.dialects.automations.models import ConfigIn
from quintet.domain.definition import Plan, StepDef
from quintet.domain.errors import Invalid
from quintet.domain.job import with_default_input

VALUES = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
EVERY_RETRY: dict[str, st.SearchStrategy[Any]] = {
    "maxAttempts": st.integers(2, 9),
    "maxDelaySeconds": st.none() | st.floats(0, 9),
    "jitter": st.floats(0, 1),
}
GROWING = {"strategy": st.sampled_from(["fixed", "exponential", "linear"]), "initialDelaySeconds": st.floats(0, 9)}
CUSTOM = {"strategy": st.just("custom"), "delaysSeconds": st.lists(st.floats(0, 9), max_size=2)}
RETRIES = st.fixed_dictionaries(EVERY_RETRY | GROWING) | st.fixed_dictionaries(EVERY_RETRY | CUSTOM)


@cache
def definitions(depth: int = 1) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of steps, with every kind and field of the table."""

    def one(kind: str) -> st.SearchStrategy[dict[str, Any]]:
        plain = {f: VALUES for f, core in KINDS[kind].fields.items() if core not in (BODY, TIMEOUT)}
        config: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=plain)
        if BODY in KINDS[kind].fields.values():
            config = st.tuples(config, definitions(depth - 1)).map(lambda two: {**two[0], "steps": two[1]})
        required = {"key": st.sampled_from("abc"), "kind": st.just(kind), "config": config}
        optional: dict[str, st.SearchStrategy[Any]] = {
            "name": st.just("N"),
            "dependsOn": st.just(["z"]),
            "when": st.just("true"),
            "retry": RETRIES,
            "timeoutSeconds": st.floats(1, 9),
            "onFailure": st.sampled_from(["skip_dependants", "continue"]),
        }
        return st.fixed_dictionaries(required, optional=optional)

    kinds = [k for k, words in KINDS.items() if depth > 0 or BODY not in words.fields.values()]
    return st.lists(st.one_of([one(kind) for kind in kinds]), min_size=1, max_size=2)


@given(definitions(), st.none() | st.floats(1, 9))
def test_a_definition_comes_back_as_it_was_written(steps: list[dict[str, Any]], timeout: float | None) -> None:
    """Translating to the core and back loses and changes nothing, for every kind, field and depth."""
    written = {"steps": steps} if timeout is None else {"steps": steps, "timeoutSeconds": timeout}
    assert to_config(to_plan(ConfigIn.model_validate(written))) == written


def test_the_core_gets_its_own_names() -> None:
    """Kinds and config fields are translated; a python step's config.timeout is its timeout."""
    config = ConfigIn.model_validate(
        {
            "steps": [
                step("h", kind="http_request", config={"url": "u", "expectStatus": [200]}),
                step("p", "h", kind="python", config={"code": "c", "memoryMb": 256, "timeout": 5}),
                step("c", kind="call_automation", config={"automationId": "x", "wait": False}),
                step("l", kind="loop", config={"while": "w", "maxIterations": 3, "steps": [step("i")]}),
            ]
        }
    )
    h, p, c, loop = to_plan(config).steps
    assert (h.kind, h.config) == ("http", {"url": "u", "expect_status": [200]})
    assert (p.kind, p.config, p.timeout, p.depends_on) == ("python", {"code": "c", "memory_mb": 256}, 5.0, ("h",))
    assert (c.kind, c.config) == ("subrun", {"job_id": "x", "wait": False})
    assert (loop.kind, loop.config, loop.body[0].key) == ("loop", {"while": "w", "max_iterations": 3}, "i")


@pytest.mark.parametrize(
    ("faulty", "place", "said"),
    [
        (step("a", kind="magic"), ("kind",), "'http_request', 'python'"),
        (step("a", kind="magic"), ("kind",), "'spark'"),
        (step("a", kind="spark", config={"program": "p", "jars": []}), ("config", "jars"), "Extra"),
        (step("a", retry={"strategy": "fixed", "delaysSeconds": [1]}), ("retry", "delaysSeconds"), "custom"),
        (
            step("a", retry={"strategy": "custom", "delaysSeconds": [1], "initialDelaySeconds": 2}),
            ("retry", "initialDelaySeconds"),
            "custom",
        ),
        (step("a", kind="http"), ("kind",), "should be one of"),
        (step("a", kind="http_request", config={"url": "u", "expect_status": []}), ("config", "expect_status"), "Extra"),
        (step("a", kind="python", config={"code": "c", "timeout": True}), ("config", "timeout"), "number"),
        (step("a", kind="python", timeoutSeconds=2, config={"code": "c", "timeout": 3}), ("config", "timeout"), "both"),
        (step("a", kind="loop", config={"while": "w"}), ("config", "steps"), "required"),
        (step("a", kind="map", config={"items": [], "steps": []}), ("config", "steps"), "required"),
        (step("a", kind="map", config={"items": [], "steps": 3}), ("config", "steps"), "valid list"),
        (
            step("a", kind="map", config={"items": [], "steps": [step("i", kind="loop", config={"steps": [{"key": "x"}]})]}),
            ("config", "steps", 0, "config", "steps", 0, "kind"),
            "required",
        ),
        (
            step("a", kind="map", config={"items": [], "steps": [step("i", kind="nope")]}),
            ("config", "steps", 0, "kind"),
            "should be one of",
        ),
    ],
)  # fmt: skip
def test_what_only_this_api_knows_is_refused_with_its_place(
    faulty: dict[str, Any], place: tuple[str | int, ...], said: str
) -> None:
    """Unknown kinds, fields and bodies name exactly where they stand."""
    with pytest.raises(Invalid) as refused:
        to_plan(ConfigIn.model_validate({"steps": [step("ok"), faulty]}))
    problem = refused.value.problems[0]
    assert problem.place == ("body", "config", "steps", 1, *place)
    assert said in problem.message


PLAN = Plan(
    (
        StepDef("a", "http"),
        StepDef("b", "loop", body=(StepDef("c", "map", body=(StepDef("d", "subrun"),)),)),
    )
)


@pytest.mark.parametrize(
    ("core", "wire"),
    [
        (("timeout",), ("timeoutSeconds",)),
        (("steps",), ("steps",)),
        (("steps", 0, "key"), ("steps", 0, "key")),
        (("steps", 0, "config", "expect_status", 1), ("steps", 0, "config", "expectStatus", 1)),
        (("steps", 0, "timeout"), ("steps", 0, "timeoutSeconds")),
        (("steps", 0, "on_failure"), ("steps", 0, "onFailure")),
        (("steps", 0, "dependsOn", 2), ("steps", 0, "dependsOn", 2)),
        (("steps", 0, "retry", "delays", 1), ("steps", 0, "retry", "delaysSeconds", 1)),
        (("steps", 1, "config", "max_iterations"), ("steps", 1, "config", "maxIterations")),
        (("steps", 1, "config", "steps", 0, "config", "tolerate_failures"),
         ("steps", 1, "config", "steps", 0, "config", "tolerateFailures")),
        (("steps", 1, "body", 0, "body", 0, "config", "job_id"),
         ("steps", 1, "config", "steps", 0, "config", "steps", 0, "config", "automationId")),
        (("steps", 1, "config", "steps"), ("steps", 1, "config", "steps")),
        (("steps", 9, "key"), ("steps", 9, "key")),
    ],
)  # fmt: skip
def test_the_cores_places_are_said_in_this_apis_words(core: tuple[str | int, ...], wire: tuple[str | int, ...]) -> None:
    """A fault found by the core points into the body as its author wrote it, at any depth."""
    assert wire_place(core, PLAN) == ("body", "config", *wire)


@pytest.mark.parametrize(
    ("default", "given_", "used"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": 1}, [1], [1]),
        ([1], {"a": 1}, {"a": 1}),
        ({"a": 1}, None, {"a": 1}),
        ({"a": 1}, 0, 0),
        (None, {"a": 1}, {"a": 1}),
    ],
)
def test_a_runs_input_goes_over_the_default(default: Any, given_: Any, used: Any) -> None:
    """Objects merge by their top keys, the run's own win; null takes the default, anything else replaces it."""
    assert with_default_input(default, given_) == used


@pytest.mark.parametrize(
    ("steps", "loc", "said"),
    [
        ([step("a", "b"), step("b", "a")], ["steps", 0, "dependsOn"], "cycle"),
        ([step("a"), step("b", "zzz")], ["steps", 1, "dependsOn", 0], "unknown step 'zzz'"),
        ([step("a"), step("a")], ["steps", 1, "key"], "duplicate"),
        ([step("a", "a")], ["steps", 0, "dependsOn", 0], "itself"),
        ([step("a b")], ["steps", 0, "key"], "key is"),
        ([], ["steps"], "at least one step"),
        ([step("a", when="1 +")], ["steps", 0, "when"], ""),
        ([step("a", kind="conditional_branch", config={"expression": "(("})], ["steps", 0, "config", "expression"], ""),
        ([step("a", config={"values": {"x": "{% 1 + %}"}})], ["steps", 0, "config", "values", "x"], ""),
        ([step("a", kind="http_request")], ["steps", 0, "config", "url"], ""),
        ([step("a", kind="http_request", config={"url": "ftp://x"})], ["steps", 0, "config", "url"], ""),
        ([step("a", kind="call_automation")], ["steps", 0, "config", "automationId"], ""),
        ([step("a", retry={"maxAttempts": 0})], ["steps", 0, "retry", "maxAttempts"], ""),
        ([step("a", retry={"strategy": "custom"})], ["steps", 0, "retry", "delaysSeconds"], ""),
        ([step("a", retry={"strategy": "magic"})], ["steps", 0, "retry", "strategy"], "Input should be"),
        ([step("a", colour="red")], ["steps", 0, "colour"], "Extra inputs are not permitted"),
        (
            [step("a", kind="shell", config={"command": "ls"})],
            ["steps", 0, "config", "command"],
            "shell has: script, env",
        ),
        ([{"kind": "set"}], ["steps", 0, "key"], "Field required"),
        (
            [step("m", kind="map", config={"items": [1], "steps": [step("i", "j")]})],
            ["steps", 0, "config", "steps", 0, "dependsOn", 0],
            "unknown step 'j'",
        ),
    ],
)
def test_a_faulty_definition_is_refused_and_nothing_is_made(
    desk: Desk, steps: list[Any], loc: list[str | int], said: str
) -> None:
    """422 names the place in the body, and no automation exists afterwards."""
    answer = desk.post("/automations", {"name": "a", "config": {"steps": steps}})
    assert answer.status == 422, answer.text
    fault = answer.json["detail"][0]
    assert fault["loc"] == ["body", "config", *loc], answer.text
    assert said in fault["msg"]
    assert set(fault) == {"loc", "msg", "type"}
    assert desk.get("/automations").json["total"] == 0


def test_a_definition_with_thousands_of_faults_names_the_first_hundred(desk: Desk) -> None:
    """The answer stays small however wrong the body is."""
    answer = desk.post("/automations", {"name": "a", "config": {"steps": [{}] * 2000}})
    assert answer.status == 422
    assert len(answer.json["detail"]) == 100


def test_bodies_that_nest_too_deep_are_refused(desk: Desk) -> None:
    """A loop in a loop in a loop ... is refused with the place where it becomes too deep."""
    inner: dict[str, Any] = step("x")
    for _ in range(12):
        inner = step("l", kind="loop", config={"while": "false", "steps": [inner]})
    answer = desk.post("/automations", {"name": "a", "config": {"steps": [inner]}})
    assert answer.status == 422
    assert "deeper" in answer.json["detail"][0]["msg"]
