"""Tasks become steps in the order, under the conditions and with the templates that their workflow says."""

from typing import Any

import pytest

from quintet.adapters.jsonata import JsonataExpressions
from quintet.dialects.workflowsvc.plans import to_plan
from quintet.domain import graph
from quintet.domain.definition import StepDef, Strategy
from quintet.domain.errors import Invalid


def task(name: str, type_: str = "SET_VARIABLE", number: int = 1, /, **fields: Any) -> dict[str, Any]:
    """A task; `params` are its _inputParams."""
    params = fields.pop("params", {"x": 1})
    return {"_name": name, "_type": type_, "_sequenceno": number, "_inputParams": params, **fields}


def steps(*tasks: dict[str, Any]) -> dict[str, StepDef]:
    """The plan's steps by key; they are a DAG."""
    plan = to_plan(tasks, None)
    assert graph.problems(plan.steps) == []
    return plan.graph.by_key


def refused(*tasks: dict[str, Any]) -> dict[tuple[str | int, ...], str]:
    """What is said of a workflow, by place."""
    with pytest.raises(Invalid) as fault:
        to_plan(tasks, None)
    return {problem.place: problem.message for problem in fault.value.problems}


def test_tasks_follow_each_other_by_number() -> None:
    """Whatever order they are written in."""
    made = steps(task("c", "SET_VARIABLE", 30), task("a"), task("b", "SET_VARIABLE", 2))
    assert (made["a"].depends_on, made["b"].depends_on, made["c"].depends_on) == ((), ("a",), ("b",))


def test_the_cases_of_a_switch_stand_behind_their_conditions() -> None:
    """Only the first of a case has the condition; what follows the switch waits for all of them, and for the switch itself."""
    switch = task(
        "sw",
        "SWITCH",
        2,
        params={
            "_expression": "${a.output.x}",
            "_cases": {"1": [task("one"), task("uno", "SET_VARIABLE", 2)], "2": []},
            "_default": [task("other")],
        },
    )
    made = steps(task("a"), switch, task("after", "SET_VARIABLE", 3))
    assert made["sw"].config == {"expression": "$string((steps.a.x))"}
    assert made["one"].when == 'steps.`sw`.value = "1"' and made["one"].depends_on == ("sw",)
    assert made["uno"].when is None and made["uno"].depends_on == ("one",)
    assert made["other"].when == '$not(steps.`sw`.value in ["1", "2"])'
    assert made["after"].depends_on == ("sw", "uno", "other")
    expressions = JsonataExpressions()
    for value, one, other in (("1", True, False), ("2", False, False), ("9", False, True)):
        scope = {"steps": {"sw": {"value": value}}}
        assert expressions.evaluate(made["one"].when or "", scope) is one
        assert expressions.evaluate(made["other"].when or "", scope) is other


def test_branches_of_a_fork_run_beside_each_other_and_are_joined() -> None:
    """The fork's own step waits for all of them."""
    fork = task(
        "fork", "FORK_JOIN", 2, params={"_branches": [[task("b1"), task("b2", "SET_VARIABLE", 2)], [task("c1")]]}
    )
    made = steps(task("a"), fork, task("after", "SET_VARIABLE", 3))
    assert made["b1"].depends_on == made["c1"].depends_on == ("a",)
    assert made["fork"].depends_on == ("b2", "c1") and made["after"].depends_on == ("fork",)


def test_a_loop_holds_its_tasks_and_sees_the_last_iteration() -> None:
    """Its condition reads `iteration` and the last iteration's outputs by task name; nested loops are bodies within."""
    inner = task("in", "DO_WHILE", 2, params={"_loopOver": [task("deep")], "_loopCondition": "iteration < 2"})
    loop = task(
        "loop",
        "DO_WHILE",
        1,
        params={"_loopOver": [task("ping"), inner], "_loopCondition": "ping.output.more = true", "_maxIterations": 7},
    )
    made = steps(loop)["loop"]
    assert [step.key for step in made.body] == ["ping", "in"] and [step.key for step in made.body[1].body] == ["deep"]
    assert made.config["max_iterations"] == 7
    scope = {"iteration": 1, "last": {"ping": {"more": True}}, "input": {}, "steps": {}}
    expressions = JsonataExpressions()
    assert expressions.evaluate(made.config["while"], scope) is True
    assert expressions.evaluate(made.config["while"], {**scope, "last": {"ping": {"more": False}}}) is False


def test_tries_and_times_are_those_of_the_task() -> None:
    """Retries as told (3, after 60 s, by default) for what can be tried again; the shorter of the two times, or an alert."""
    rest = {"_url": "https://a.example/", "_auth": {"_type": "NoAuth"}}
    made = steps(
        task("a", "REST_CONNECTOR", 1, params=rest),
        task(
            "b",
            "REST_CONNECTOR",
            2,
            params=rest,
            _retryCount=1,
            _retryLogic="LINEAR_BACKOFF",
            _retryDelaySeconds=5,
            _timeoutSeconds=90,
            _responseTimeoutSeconds=30,
        ),
        task("c", "REST_CONNECTOR", 3, params=rest, _timeoutSeconds=90, _timeoutPolicy="ALERT_ONLY"),
    )
    assert (made["a"].retry.max_attempts, made["a"].retry.strategy, made["a"].retry.initial_delay) == (
        4,
        Strategy.FIXED,
        60,
    )
    assert (made["b"].retry.max_attempts, made["b"].retry.strategy, made["b"].retry.initial_delay) == (
        2,
        Strategy.LINEAR,
        5,
    )
    assert (made["b"].timeout, made["b"].alert_after) == (30, None)
    assert (made["c"].timeout, made["c"].alert_after) == (None, 90)


def test_faults_are_named_with_their_places() -> None:
    """Two tasks of one name, two of one number, templates that name nothing."""
    found = refused(task("a"), task("a", "SET_VARIABLE", 2), task("b", "SET_VARIABLE", 1, params={"v": "${no.output}"}))
    assert "another task called 'a'" in found["_taskDefs", 1, "_name"]
    assert "_sequenceno" in found["_taskDefs", 2, "_sequenceno"]
    assert "no task 'no'" in found["_taskDefs", 2, "_inputParams", "v"]
