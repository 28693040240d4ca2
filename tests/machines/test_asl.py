"""What holds for every state machine, read as files."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonata
import pytest
from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]  # cfn-lint ships no types

from . import asl

JSONPATH_FIELDS = {
    "InputPath", "OutputPath", "ResultPath", "ResultSelector", "Parameters", "ItemsPath", "SecondsPath",
    "TimestampPath", "TimeoutSecondsPath", "HeartbeatSecondsPath", "MaxConcurrencyPath", "ToleratedFailureCountPath",
    "Variable", "Result",
}  # fmt: skip
NUMBERS = ("MaxConcurrency", "ToleratedFailureCount")
"""Fields that take an expression (Step Functions Developer Guide, Map state), where cfn-lint 1.53 knows numbers only."""
SETTLES = {("fanout.asl.json", "Settle"): "WakeFunction"}
"""States whose name says more than their function's would."""
INVOKE = "arn:aws:states:::lambda:invoke"
SERVICES = {"SparkJob": "arn:aws:states:::emr-serverless:startJobRun.sync"}
"""States that have a service of its own do their work, to its end."""
SPARK = {"SparkApplicationId": ["SparkApplication", "ApplicationId"], "SparkJobRoleArn": ["SparkJobRole", "Arn"]}
"""What only a deployment with Spark has; the machine takes `none` for its absence."""


def placeholders(machine: dict[str, Any]) -> set[str]:
    """The names between `${` and `}`."""
    return set(re.findall(r"\$\{(\w+)\}", json.dumps(machine)))


def test_a_machine_is_well_formed_by_the_service_s_own_schema(machine: dict[str, Any]) -> None:
    """cfn-lint's schema of Step Functions definitions, which it does not apply to files by itself, has no complaint."""
    known = {name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in placeholders(machine)}
    machine = copy.deepcopy(machine)
    for _, state in asl.states(machine):
        state.update({field: 1 for field in NUMBERS if field in state})
    properties = {
        "RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": machine, "DefinitionSubstitutions": known
    }  # fmt: skip
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    body = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": resource}}

    assert lint(json.dumps(body), config=ManualArgs(regions=["us-east-1"])) == []


def test_a_machine_speaks_jsonata_only(machine: dict[str, Any]) -> None:
    """No field and no key of the older JSONPath language is left."""
    used = set(asl.keys(machine))

    assert machine["QueryLanguage"] == "JSONata"
    assert not used & JSONPATH_FIELDS
    assert not [key for key in used if key.endswith(".$")]


def test_every_expression_is_jsonata(machine: dict[str, Any]) -> None:
    """What stands between `{%` and `%}` parses, and nothing stands around it (the service would take it for text)."""
    found = [text for text in asl.texts(machine) if "{%" in text]

    assert found
    for text in found:
        inner = re.fullmatch(r"\{%(.*)%\}", text, re.DOTALL)
        assert inner, text
        jsonata.Jsonata(inner[1])


def test_every_state_and_choice_says_what_it_is_for(machine: dict[str, Any]) -> None:
    """Machine, states and choices each have a Comment."""
    assert machine["Comment"]
    for name, state in asl.states(machine):
        assert state.get("Comment"), name
        assert all(rule.get("Comment") for rule in state.get("Choices", [])), name


def test_every_state_is_reached_and_every_target_exists(machine: dict[str, Any]) -> None:
    """From StartAt every state can be reached, and no arrow leads nowhere; names are unique in the whole machine."""
    names = [name for name, _ in asl.states(machine)]
    assert len(names) == len(set(names))
    for scope in asl.scopes(machine):
        seen, todo = set(), [scope["StartAt"]]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += asl.successors(scope["States"][name])
        assert seen == set(scope["States"])


def test_a_state_that_calls_is_named_as_the_function(machine_file: Path, machine: dict[str, Any]) -> None:
    """So that the diagram reads as the code: state Work calls WorkFunction. All other work is a service's own, waited for to its end."""
    tasks = {name: state for name, state in asl.states(machine) if state["Type"] == "Task"}
    called = {name: state["Arguments"]["FunctionName"] for name, state in tasks.items() if state["Resource"] == INVOKE}
    others = {name: state["Resource"] for name, state in tasks.items() if state["Resource"] != INVOKE}

    assert called == {name: f"${{{SETTLES.get((machine_file.name, name), name + 'Function')}}}" for name in called}
    assert others.items() <= SERVICES.items()


def test_every_call_is_retried_with_bounds(machine: dict[str, Any]) -> None:
    """A call that a fault of the service ended is made again, at most so often and so late, and not all at once."""
    for name, state in asl.states(machine):
        if state["Type"] == "Task":
            assert state["Retry"], name
            for rule in state["Retry"]:
                assert {"MaxAttempts", "MaxDelaySeconds", "IntervalSeconds", "BackoffRate"} <= set(rule), name
                assert rule["JitterStrategy"] == "FULL", name


def test_every_substitution_is_used_and_defined(
    machine_file: Path, machine: dict[str, Any], resources: dict[str, dict[str, Any]]
) -> None:
    """The template defines the names that the file uses, each as the function's ARN or as what only some deployments have, and no other."""
    [properties] = [
        item["Properties"]
        for item in resources.values()
        if item["Type"] == "AWS::Serverless::StateMachine"
        and item["Properties"]["DefinitionUri"] == f"statemachines/{machine_file.name}"
    ]

    assert properties["DefinitionSubstitutions"] == {
        name: {"Fn::If": ["HasSpark", {"Fn::GetAtt": SPARK[name]}, "none"]}
        if name in SPARK
        else {"Fn::GetAtt": [name, "Arn"]}
        for name in placeholders(machine)
    }


def test_work_of_every_kind_ends_in_settling_the_step(root: Path) -> None:
    """Whatever becomes of it: a step that nobody settles would wait for its deadline."""
    states = json.loads((root / "statemachines/park.asl.json").read_text())["States"]
    branches = set(asl.successors(states["Kind"])) - {"WaitUntil"}

    assert {"SparkJob", "UnknownWork"} <= branches
    for name in branches:
        assert states[name]["Next"] == "Settle", name
        if states[name]["Type"] == "Task":
            assert [(rule["ErrorEquals"], rule["Next"]) for rule in states[name]["Catch"]] == [
                (["States.ALL"], "Settle")
            ]


def test_a_job_that_failed_is_not_started_again_by_the_machine(root: Path) -> None:
    """Whether it is tried again the step's own policy says: the machine repeats only what the service had no room for."""
    [job] = [
        state
        for name, state in asl.states(json.loads((root / "statemachines/park.asl.json").read_text()))
        if name == "SparkJob"
    ]
    repeated = {error for rule in job["Retry"] for error in rule["ErrorEquals"]}

    assert all(error.startswith("EMRServerless.") for error in repeated)
    assert job["Arguments"]["ClientToken"] == "{% $states.context.Execution.Name %}"


def test_a_burst_ends_before_the_service_ends_it(root: Path) -> None:
    """Express executions end at five minutes without a word; ours end earlier, by themselves."""
    burst = json.loads((root / "statemachines/burst.asl.json").read_text())

    assert burst["TimeoutSeconds"] < 300


@pytest.mark.parametrize("broken", ["Unknown field", "Nowhere to go"])
def test_the_checks_can_fail(root: Path, broken: str) -> None:
    """A state with an unknown field, or an arrow to nowhere, is seen."""
    burst = json.loads((root / "statemachines/burst.asl.json").read_text())
    if broken == "Unknown field":
        burst["States"]["Backoff"]["Minutes"] = 1
        with pytest.raises(AssertionError):
            test_a_machine_is_well_formed_by_the_service_s_own_schema(burst)
    else:
        burst["States"]["Backoff"]["Next"] = "Nowhere"
        with pytest.raises(KeyError):
            test_every_state_is_reached_and_every_target_exists(burst)
