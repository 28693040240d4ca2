"""What the steps of a workflow come to in the engine's words, and their faults in this API's."""

from typing import Any

import pytest
from jobs_desk import Desk

from quintet.dialects.jobs.workflow_steps import read, to_plan, wire_problems
from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Invalid, Problem

PLACE = ("steps",)


def step(**written: Any) -> StepDef:
    """One step as the engine enacts it."""
    (found,) = to_plan(read([{"step_ref": "a", **written}], PLACE), PLACE)
    return found


@pytest.mark.parametrize(
    ("written", "kind", "config"),
    [
        ({"job_id": "j"}, "subrun", {"job_id": "j", "input": "{% input %}"}),
        ({"job_id": "j", "payload": {"n": 1}}, "subrun", {"job_id": "j", "input": {"n": 1}}),
        ({"step_type": "sub_workflow", "workflow_id": "w"}, "subrun", {"job_id": "w", "input": "{% input %}"}),
        ({"endpoint": "https://x.example"}, "endpoint", {"url": "https://x.example"}),
        ({"endpoint": "https://x.example", "payload": [1]}, "endpoint", {"url": "https://x.example", "payload": [1]}),
        ({"step_type": "wait_for_event", "event_key": "k"}, "event", {"event_key": "k"}),
        ({"step_type": "sleep", "duration_secs": 2.5}, "wait", {"seconds": 2.5}),
        ({"step_type": "sleep", "until": "2026-01-01T00:00:00Z"}, "wait", {"until": "2026-01-01T00:00:00Z"}),
        (
            {"step_type": "approval", "message": "m", "approvers": ["ada"], "fields": {"n": "integer"}},
            "input",
            {"message": "m", "approvers": ["ada"], "fields": {"n": "integer"}},
        ),
    ],
)
def test_each_type_has_its_kind(written: dict[str, Any], kind: str, config: dict[str, Any]) -> None:
    """With its own fields as the kind's config."""
    found = step(**written)
    assert (found.kind, found.config) == (kind, config)


def test_what_all_types_share() -> None:
    """Name, condition, timeout and what a failure means."""
    sleep = {"step_type": "sleep", "duration_secs": 1}
    words = {
        "fail_workflow": OnFailure.FAIL,
        "skip_dependents": OnFailure.SKIP_DEPENDANTS,
        "continue": OnFailure.CONTINUE,
    }
    assert {word: step(**sleep, on_failure=word).on_failure for word in words} == words
    found = step(**sleep, name="n", condition="input.x", timeout_secs=9)
    assert (found.name, found.when, found.timeout, found.on_failure) == ("n", "input.x", 9, OnFailure.FAIL)


def test_an_endpoint_is_tried_as_a_job_is_and_others_once() -> None:
    """Three attempts, doubling from a second to an hour; a job started by a step has attempts of its own."""
    endpoint = {"endpoint": "https://x.example"}
    assert step(**endpoint).retry == RetryPolicy(3, Strategy.EXPONENTIAL, 1.0, 3600.0, (), 0.2)
    assert step(job_id="j").retry == RetryPolicy()
    custom = {"max_attempts": 4, "retry_strategy": "custom", "retry_delays_secs": [1, 2.5]}
    assert step(**endpoint, **custom).retry == RetryPolicy(4, Strategy.CUSTOM, 1.0, None, (1, 2.5))
    linear = {"max_attempts": 2, "retry_strategy": "linear", "retry_initial_delay_secs": 5, "retry_max_delay_secs": 60}
    assert step(job_id="j", **linear).retry == RetryPolicy(2, Strategy.LINEAR, 5, 60)


def test_the_places_of_faults_are_the_authors() -> None:
    """Below whatever field the steps were given in."""
    steps = to_plan(read([{"step_ref": "a", "endpoint": "x"}, {"step_ref": "b", "job_id": "j"}], PLACE), PLACE)
    found = {
        ("steps", 0, "config", "url"): ("tasks", 0, "endpoint"),
        ("steps", 0, "retry", "delays", 1): ("tasks", 0, "retry_delays_secs", 1),
        ("steps", 1, "config", "input", "n"): ("tasks", 1, "payload", "n"),
        ("steps", 1, "dependsOn", 0): ("tasks", 1, "depends_on", 0),
        ("steps", 1, "key"): ("tasks", 1, "step_ref"),
        ("steps", 1, "when"): ("tasks", 1, "condition"),
        ("steps", 1, "config"): ("tasks", 1),
        ("steps",): ("tasks",),
        ("timeout",): ("timeout_secs",),
        ("elsewhere",): ("elsewhere",),
    }
    wired = wire_problems(Invalid([Problem(place, "m") for place in found]), steps, ("tasks",))
    assert [problem.place for problem in wired.problems] == list(found.values())


def test_two_authors_changes_are_both_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second merges anew into what the first one left."""
    steps = [{"step_ref": "a", "step_type": "approval"}]
    made = desk.post("/workflows", {"name": "w", "steps": steps}).json
    revise, others = desk.services.define.revise, [{"description": "of another"}]

    def later(*args: Any, **more: Any) -> Any:
        if others:
            assert desk.patch(f"/workflows/{made['id']}", others.pop()).status == 200
        return revise(*args, **more)

    monkeypatch.setattr(desk.services.define, "revise", later)
    changed = desk.patch(f"/workflows/{made['id']}", {"name": "v"}).json
    assert (changed["name"], changed["description"], changed["version"]) == ("v", "of another", 3)
