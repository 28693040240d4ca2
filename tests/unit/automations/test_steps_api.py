"""Steps and approvals over HTTP."""

import json
from typing import Any

import pytest
from automations_desk import Desk, step

from quintet.dialects.automations.results import ANSWER_BYTES, RESULT_BYTES

STEP_FIELDS = {
    "actionRunId",
    "completedAt",
    "decisionId",
    "dependsOn",
    "durationSeconds",
    "error",
    "key",
    "name",
    "result",
    "resultTruncated",
    "startedAt",
    "status",
}
GATE = step(
    "gate",
    kind="approval_gate",
    config={"message": "go?", "fields": {"amount": {"type": "number", "required": True}}},
)


def steps_of(desk: Desk, run_id: str, **query: Any) -> dict[str, Any]:
    """The answer of GET steps."""
    answer = desk.get(f"/automation-runs/{run_id}/steps", query=query)
    assert answer.status == 200, answer.text
    return answer.json  # type: ignore[no-any-return]


def test_steps_in_written_order_with_exact_fields_and_counts(desk: Desk) -> None:
    """Every documented field, null where unset; the four counts are of the root steps."""
    run_id = desk.run(step("z", name="The last letter"), step("skip", "z", when="false"), GATE, step("after", "gate"))
    found = steps_of(desk, run_id)
    assert found["automationRunId"] == run_id
    assert [one["key"] for one in found["steps"]] == ["z", "skip", "gate", "after"]
    assert [one["status"] for one in found["steps"]] == ["completed", "skipped", "pending", "pending"]
    assert all(set(one) == STEP_FIELDS for one in found["steps"])
    assert {name: found[name] for name in found if name.endswith("Count")} == {
        "completedCount": 1,
        "failedCount": 0,
        "pendingCount": 2,
        "runningCount": 0,
    }
    z, _, gate, after = found["steps"]
    assert (z["name"], z["result"], z["durationSeconds"]) == ("The last letter", {"name": "z"}, 0.0)
    assert (gate["name"], gate["dependsOn"], gate["result"]) == ("gate", [], None)
    assert gate["decisionId"] is not None
    assert z["decisionId"] is None
    assert (after["actionRunId"], after["startedAt"], after["dependsOn"]) == (None, None, ["gate"])


def test_every_attempt_has_an_id_of_its_own(desk: Desk) -> None:
    """actionRunId is stable between reads and another one after a retry."""
    desk.runner.answers["no"] = lambda _: 1 / 0
    retry = {"maxAttempts": 2, "strategy": "fixed", "initialDelaySeconds": 120}
    run_id = desk.run(step("a", kind="python", config={"code": "no"}, retry=retry))
    first = steps_of(desk, run_id)["steps"][0]
    assert (first["status"], first["error"]["type"]) == ("pending", "ZeroDivisionError")
    assert steps_of(desk, run_id)["steps"][0]["actionRunId"] == first["actionRunId"]
    desk.pass_time(200)
    second = steps_of(desk, run_id)["steps"][0]
    assert second["status"] == "failed"
    assert second["actionRunId"] not in (None, first["actionRunId"])


def test_nested_steps_have_their_paths_as_keys(desk: Desk) -> None:
    """Root steps alone by default; nested=true adds each iteration's and item's steps after their loop or map."""
    body = [step("one"), step("two", "one")]
    run_id = desk.run(
        step("each", kind="map", config={"items": [1, 2], "steps": body}),
        step("again", "each", kind="loop", config={"while": "iteration < 2", "steps": [step("turn")]}),
    )
    assert [one["key"] for one in steps_of(desk, run_id)["steps"]] == ["each", "again"]
    nested = steps_of(desk, run_id, nested="true")
    keys = [one["key"] for one in nested["steps"]]
    assert keys == [
        "each", "each[0].one", "each[0].two", "each[1].one", "each[1].two", "again", "again[1].turn", "again[2].turn"
    ]  # fmt: skip
    assert nested["steps"][2]["dependsOn"] == ["each[0].one"]
    assert nested["completedCount"] == 2
    page = steps_of(desk, run_id, nested="true", offset=1, limit=2)["steps"]
    assert [one["key"] for one in page] == keys[1:3]


def test_a_large_result_is_cut_and_stays_json(desk: Desk) -> None:
    """Up to 64 KiB a result is whole; above, its place has the beginning, the size and a link to the whole."""
    desk.runner.answers |= {
        "fits": lambda _: {"v": "x" * (RESULT_BYTES - 8)},
        "large": lambda _: {"v": "é" * RESULT_BYTES},
    }
    run_id = desk.run(
        step("fits", kind="python", config={"code": "fits"}), step("large", kind="python", config={"code": "large"})
    )
    fits, large = steps_of(desk, run_id)["steps"]
    assert fits["resultTruncated"] is False
    assert len(fits["result"]["v"]) == RESULT_BYTES - 8
    assert large["resultTruncated"] is True
    assert large["result"]["preview"].startswith('{"v":"éé')
    assert len(large["result"]["preview"].encode()) in (RESULT_BYTES, RESULT_BYTES - 1)
    assert large["result"]["size"] == 2 * RESULT_BYTES + 8
    whole = json.loads(desk.blobs.get(large["result"]["url"].split(":")[1].split("?")[0]))
    assert whole == {"v": "é" * RESULT_BYTES}
    result = desk.get(f"/automation-runs/{run_id}/result").json
    assert result["truncated"] == ["large"]
    assert result["outputs"]["fits"] == fits["result"]


def test_an_answer_stays_within_what_a_gateway_carries(desk: Desk) -> None:
    """However many results there are, all together they stay bounded, and every cut is said."""
    desk.runner.answers["full"] = lambda _: {"v": "x" * (RESULT_BYTES - 100)}
    many = [step(f"s{n}", kind="python", config={"code": "full"}) for n in range(60)]
    answer = desk.get(f"/automation-runs/{desk.run(*many)}/steps")
    assert len(answer.text) < ANSWER_BYTES + 60 * 2048
    cut = [one["resultTruncated"] for one in answer.json["steps"]]
    assert cut[0] is False
    assert cut[-1] is True
    assert answer.json["steps"][-1]["result"]["preview"].startswith('{"v":"x')


def test_a_gate_is_approved_once(desk: Desk) -> None:
    """An approval answers 200 with the run, which goes on; the gate keeps its decision's id; a second answer is a conflict."""
    run_id = desk.run(GATE, step("after", "gate"))
    asked = steps_of(desk, run_id)["steps"][0]["decisionId"]
    approved = desk.post(f"/automation-runs/{run_id}/steps/gate/approve", {"comment": "fine", "fields": {"amount": 3}})
    assert approved.status == 200, approved.text
    assert approved.json["id"] == run_id
    desk.drive()
    gate, after = steps_of(desk, run_id)["steps"]
    assert gate["status"] == after["status"] == "completed"
    assert gate["decisionId"] == asked
    assert gate["result"] == {
        "approved": True,
        "by": "secret-of-admin",
        "at": "2026-01-01T00:00:00.000Z",
        "comment": "fine",
        "fields": {"amount": 3},
    }
    again = desk.post(f"/automation-runs/{run_id}/steps/gate/approve", {"fields": {"amount": 3}})
    assert again.status == 409


def test_a_rejection_fails_the_step(desk: Desk) -> None:
    """A rejected gate fails its run, without a body too."""
    run_id = desk.run(GATE)
    assert desk.post(f"/automation-runs/{run_id}/steps/gate/reject").status == 200
    desk.drive()
    run = desk.get(f"/automation-runs/{run_id}").json
    assert (run["status"], run["error"]["type"], run["error"]["step"]) == ("failed", "Rejected", "gate")


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"fields": {}}, ["body", "fields", "amount"]),
        ({"fields": {"amount": "3"}}, ["body", "fields", "amount"]),
        ({"fields": {"amount": 3, "more": 1}}, ["body", "fields", "more"]),
        ({"fields": 3}, ["body", "fields"]),
        ({"comment": 3}, ["body", "comment"]),
        ({"remark": "x"}, ["body", "remark"]),
    ],
)
def test_a_faulty_answer_is_refused_and_the_gate_goes_on_waiting(desk: Desk, body: Any, loc: list[str]) -> None:
    """422 names the field; afterwards the gate can still be answered."""
    run_id = desk.run(GATE)
    answer = desk.post(f"/automation-runs/{run_id}/steps/gate/approve", body)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == loc
    assert steps_of(desk, run_id)["steps"][0]["status"] == "pending"


def test_a_rejections_fields_are_bounded_and_an_approvals_are_not(desk: Desk) -> None:
    """422 at the fields of a rejection above 64 KiB, which would lie in the step's error; an approval keeps as much as a result may be."""
    run_id = desk.run(step("gate", kind="approval_gate", config={"fields": {"note": "string"}}))
    large = {"fields": {"note": "x" * 70_000}}
    refused = desk.post(f"/automation-runs/{run_id}/steps/gate/reject", large)
    assert (refused.status, refused.json["detail"][0]["loc"]) == (422, ["body", "fields"])
    assert desk.post(f"/automation-runs/{run_id}/steps/gate/approve", large).status == 200


def test_only_an_approver_may_answer(desk: Desk) -> None:
    """Another valid key with the scope is refused with 403."""
    desk.add_key("ann", "runs:write", owner="ann")
    run_id = desk.run(step("gate", kind="approval_gate", config={"approvers": ["ann"]}))
    assert desk.post(f"/automation-runs/{run_id}/steps/gate/approve").status == 403
    assert desk.post(f"/automation-runs/{run_id}/steps/gate/approve", key="ann").status == 200


def test_unknown_steps_and_steps_that_wait_for_nothing(desk: Desk) -> None:
    """404 for a step that isn't there, 409 for one that isn't a waiting gate."""
    run_id = desk.run(step("a"), GATE)
    assert desk.post(f"/automation-runs/{run_id}/steps/nope/approve").status == 404
    assert desk.post(f"/automation-runs/{run_id}/steps/a/approve").status == 409


@pytest.mark.parametrize("path", ["each[0].ok", "each%5B0%5D.ok"])
def test_a_gate_inside_a_map_is_answered_by_its_path(desk: Desk, path: str) -> None:
    """The path in the URL is the key that nested steps show."""
    run_id = desk.run(step("each", kind="map", config={"items": [1], "steps": [step("ok", kind="approval_gate")]}))
    assert desk.post(f"/automation-runs/{run_id}/steps/{path}/approve").status == 200
    desk.drive()
    assert desk.get(f"/automation-runs/{run_id}").json["status"] == "completed"
