"""Every documented answer, field for field: golden/document.json holds the published document's own examples."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from automations_desk import Desk, step

DOCUMENT = json.loads((Path(__file__).parent / "golden" / "document.json").read_text())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ENUMS = {
    "orchestratorType": {"local", "dag"},
    "triggerSourceType": {"user", "schedule", "webhook", "run", "job", "api"},
    "triggerType": {"manual", "schedule", "webhook", "event"},
}
RUN_WORDS = {"pending", "running", "completed", "failed", "cancelled"}
NEVER_NULL = {"id", "status", "createdAt", "updatedAt", "tenantId", "automationId", "orchestratorType", "triggerType",
              "key", "name", "dependsOn", "resultTruncated", "items", "total", "steps", "automationRunId",
              "completedCount", "failedCount", "pendingCount", "runningCount", "detail", "loc", "msg", "type"}  # fmt: skip


def same_shape(example: Any, answer: Any, name: str = "") -> None:
    """Asserts that an answer has the example's fields, all of them and no others, with its types."""
    if answer is None:
        assert name not in NEVER_NULL, name
        return
    if isinstance(example, dict) and example:
        assert isinstance(answer, dict), name
        assert set(answer) == set(example), name
        for field in example:
            same_shape(example[field], answer[field], field)
    elif isinstance(example, dict):
        assert name == "result" or isinstance(answer, dict), name
    elif isinstance(example, list):
        assert isinstance(answer, list), name
        for one in answer:
            if name == "loc":
                assert isinstance(one, str | int)
            else:
                same_shape(example[0], one, f"{name}[]")
    elif isinstance(example, str):
        assert isinstance(answer, str), name
        assert not TIME.fullmatch(example) or TIME.fullmatch(answer), name
        assert answer in ENUMS.get(name, {answer})
    else:
        assert isinstance(answer, bool if isinstance(example, bool) else int | float), name


def example(method: str, path: str) -> dict[str, Any]:
    """The document's example of an endpoint."""
    return next(one for one in DOCUMENT if (one["method"], one["path"]) == (method, path))  # type: ignore[no-any-return]


def ask(desk: Desk, method: str, path: str, run_id: str, body: Any = None) -> Any:
    """The answer of a documented endpoint for a run."""
    return desk.send(method, path.replace("{run_id}", run_id), body)


def runs_of_every_kind(desk: Desk) -> dict[str, str]:
    """Runs in every status, by what they show."""
    desk.runner.answers["no"] = lambda _: 1 / 0
    gate = step("gate", kind="approval_gate", name="Gate")
    held = desk.define(gate)
    running, pending = (
        desk.post(f"/automations/{held['id']}/run", {"concurrencyKey": "k"}).json["id"] for _ in range(2)
    )
    desk.drive()
    found = {
        "running": running,
        "pending": pending,
        "completed": desk.run(step("a"), step("b", "a", when="false"), orchestratorType="local"),
        "failed": desk.run(step("a", kind="python", config={"code": "no"})),
        "cancelled": desk.run(gate),
    }
    desk.post(f"/automation-runs/{found['cancelled']}/cancel")
    return found


def test_the_documented_endpoints_are_all_here() -> None:
    """The six operations of the document, no more were published."""
    assert [(one["method"], one["path"].removeprefix("/api/v1/automation-runs")) for one in DOCUMENT] == [
        ("GET", ""),
        ("GET", "/{run_id}"),
        ("POST", "/{run_id}/cancel"),
        ("GET", "/{run_id}/events"),
        ("POST", "/{run_id}/retry"),
        ("GET", "/{run_id}/steps"),
    ]


def test_runs_in_every_status_have_the_documented_shape(desk: Desk) -> None:
    """Alone and in the list, every field present."""
    runs = runs_of_every_kind(desk)
    alone, listed = example("GET", "/api/v1/automation-runs/{run_id}"), example("GET", "/api/v1/automation-runs")
    for word, run_id in runs.items():
        answer = ask(desk, "GET", alone["path"], run_id)
        assert answer.status == 200
        same_shape(alone["answer"], answer.json)
        assert answer.json["status"] == word
        for field in ("id", "automationId"):
            assert str(UUID(answer.json[field])) == answer.json[field]
        assert re.fullmatch(r"ver_[0-9a-z]{12}", answer.json["automationVersionId"])
        datetime.fromisoformat(answer.json["createdAt"])
    page = desk.get("/automation-runs")
    same_shape(listed["answer"], page.json)
    assert page.json["total"] == len(runs)
    assert {run["status"] for run in page.json["items"]} == RUN_WORDS


def test_steps_in_every_status_have_the_documented_shape(desk: Desk) -> None:
    """For runs of every status."""
    shape = example("GET", "/api/v1/automation-runs/{run_id}/steps")
    seen = set()
    for run_id in runs_of_every_kind(desk).values():
        answer = ask(desk, "GET", shape["path"], run_id)
        assert answer.status == 200
        same_shape(shape["answer"], answer.json)
        seen |= {one["status"] for one in answer.json["steps"]}
    assert seen == {"pending", "completed", "skipped", "failed", "cancelled"}


@pytest.mark.parametrize(("verb", "word"), [("cancel", "running"), ("retry", "completed")])
def test_cancel_and_retry_answer_with_the_documented_run(desk: Desk, verb: str, word: str) -> None:
    """200 with the whole run."""
    shape = example("POST", f"/api/v1/automation-runs/{{run_id}}/{verb}")
    answer = ask(desk, "POST", shape["path"], runs_of_every_kind(desk)[word], {})
    assert answer.status == 200
    same_shape(shape["answer"], answer.json)


@pytest.mark.parametrize("documented", DOCUMENT, ids=lambda one: f"{one['method']} {one['path']}")
def test_faults_have_the_documented_shape(desk: Desk, documented: dict[str, Any]) -> None:
    """422 with loc, msg and type, for every endpoint."""
    if "{run_id}" in documented["path"]:
        answer = ask(desk, documented["method"], documented["path"], "no-uuid")
    else:
        answer = desk.send(documented["method"], documented["path"], query="limit=0")
    assert answer.status == 422
    same_shape(documented["error"], answer.json)
    assert answer.json["detail"]


def test_the_event_stream_is_one(desk: Desk) -> None:
    """The document gives no body for it; its type is what a browser's EventSource wants."""
    answer = desk.get(f"/automation-runs/{desk.run(step('a'))}/events")
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
