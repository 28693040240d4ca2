"""Every documented endpoint and field: golden/document.json holds the published document's own requests and answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from etl_desk import Desk

from quintet.dialects.etl.models_executions import TaskMetrics, ZombiesView
from quintet.dialects.etl.models_work import TaskView

DOCUMENT = json.loads((Path(__file__).parent / "golden" / "document.json").read_text())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
J = "/projects/id/1/jobs/1"
NULL_UNTIL_SET = {"description", "botId", "executionReferenceId", "executionLog", "scheduledTime", "apiKey"}
"""Of a task; apiKey always, since it is write-only."""
OURS = {"inputDatasetId", "dependsOn"}
"""Only shown when they are set."""


def example(method: str, path: str, what: str = "answer") -> Any:
    """The document's request or answer of an endpoint."""
    (found,) = [one[what] for one in DOCUMENT if (one["method"], one["path"].endswith(path)) == (method, True)]
    return found[0] if isinstance(found, list) else found


TASK, METRICS, ZOMBIES = (example("POST", "/tasks"), example("GET", "/metrics"), example("POST", "/mark-zombies"))


def names(view: Any) -> set[str]:
    """A shape's fields as they are written."""
    return {field.alias or name for name, field in view.model_fields.items()}


def fits(documented: dict[str, Any], answer: dict[str, Any], nulls: set[str]) -> None:
    """Asserts that an answer has the example's fields and no others, each of the example's type, null only where that may be."""
    assert set(answer) == set(documented)
    for name, value in answer.items():
        if value is None:
            assert name in nulls, name
        elif isinstance(documented[name], str):
            assert isinstance(value, str), name
            assert bool(TIME.fullmatch(documented[name])) is bool(TIME.fullmatch(value)), name
        elif isinstance(documented[name], bool | list):
            assert type(value) is type(documented[name]), name
        else:
            assert isinstance(value, int | float) and not isinstance(value, bool), name


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """A desk with a project, a job over a dataset of two rows, and a program."""
    query = b"SELECT a * 2 AS doubled FROM input ORDER BY a"
    assert desk.put("/bots/query", raw=query, headers={"content-type": "application/sql"}).status == 201
    rows = [{"a": 1}, {"a": 2}]
    assert desk.post("/datasets", {"name": "in", "format": "parquet", "rows": rows}).status == 201
    assert desk.post("/projects", {"name": "p"}).status == 201
    assert desk.post("/projects/id/1/jobs", {"name": "j", "inputDatasetId": "1"}).status == 201
    return desk


def task(desk: Desk, **fields: Any) -> dict[str, Any]:
    """A new task, as answered."""
    answer = desk.post(f"{J}/tasks", {"name": "t", "taskType": "SQL", "botId": "query", **fields})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def test_the_shapes_have_the_documented_fields() -> None:
    """All of them, and no others than those that this product adds."""
    assert names(TaskView) == set(TASK) | OURS
    assert names(TaskMetrics) == set(METRICS)
    assert names(ZombiesView) == set(ZOMBIES)


def test_the_documents_own_task_is_taken(filled: Desk) -> None:
    """With everything in it, of which what only the server knows changes nothing; and what was read can be written again."""
    asked = example("POST", "/tasks", "body") | {"botId": "query", "outputDatasetId": "1"}
    made = filled.post(f"{J}/tasks", asked)
    assert made.status == 201, made.text
    fits(TASK, made.json, NULL_UNTIL_SET)
    given = {
        name: asked[name]
        for name in ("name", "description", "botId", "outputDatasetId", "taskType", "executionMode", "enabled")
    }
    assert given.items() <= made.json.items()
    assert (made.json["id"], made.json["jobId"], made.json["executionStatus"]) == ("1", "1", "PENDING")
    assert (made.json["scheduledTime"], made.json["apiKey"]) == ("2019-08-24T14:15:22.000Z", None)
    again = filled.put(f"{J}/tasks/1", made.json)
    assert again.status == 200, again.text
    assert {**again.json, "updatedAt": None} == {**made.json, "updatedAt": None}


def test_a_task_has_every_documented_field_all_its_life(filled: Desk) -> None:
    """Read alone, in the list, started, done, stopped; its status and metrics beside it."""
    made = task(filled, description="d")
    started = filled.post(f"{J}/tasks/1/start")
    assert (started.status, started.json["executionStatus"]) == (200, "RUNNING")
    fits(example("GET", "/status"), filled.get(f"{J}/tasks/1/status").json, set())
    filled.drive()
    done = filled.get(f"{J}/tasks/1").json
    assert done["executionStatus"] == "COMPLETED", done["executionLog"]
    [listed] = filled.get(f"{J}/tasks").json
    filled.post(f"{J}/tasks/1/start")
    stopped = filled.post(f"{J}/tasks/1/stop")
    assert (stopped.status, stopped.json["executionStatus"]) == (200, "FAILED")
    for one in (made, started.json, done, listed, stopped.json):
        fits(TASK, one, NULL_UNTIL_SET)
        assert one["outputDatasetId"] == "2"
    fits(METRICS, filled.get(f"{J}/tasks/1/metrics").json, set(METRICS) - {"taskId", "status", "startedAt"})
    assert filled.delete(f"{J}/tasks/1").json == {}


def test_what_a_task_leaves_is_asked_as_documented(filled: Desk) -> None:
    """With the document's own body, whose limit is 0, and with none at all."""
    task(filled)
    info = "/datasets/query/task/1/info"
    assert filled.get(info).status == 404
    filled.post(f"{J}/tasks/1/start")
    filled.drive()
    assert set(filled.get(info).json) == {
        "id", "name", "format", "storagePath", "columns", "rowCount", "sizeBytes", "createdAt", "table",
    }  # fmt: skip
    asked = example("POST", "/datasets/query/task/{taskId}", "body") | {"sql": "SELECT * FROM dataset"}
    nothing = filled.post("/datasets/query/task/1", {**asked, "catalog": "", "schema": ""})
    assert (nothing.status, nothing.json) == (200, {"results": []})
    assert filled.post("/datasets/query/task/1").json == {"results": [{"doubled": 2}, {"doubled": 4}]}


def test_zombies_are_told_as_documented(filled: Desk) -> None:
    """Numbers as numbers."""
    answer = filled.post("/projects/admin/tasks/mark-zombies", query={"timeoutHours": 24})
    assert answer.json == {
        "markedCount": 0, "markedTaskIds": [], "timeoutHours": 24, "message": "Marked 0 zombie task(s) as FAILED",
    }  # fmt: skip
    fits(ZOMBIES, answer.json, set())


def test_tables_take_the_documents_own_rows(desk: Desk) -> None:
    """By both bases, with the documented paging."""
    row = example("POST", "/{table}", "body")
    made = desk.post("/api/api/strapi-tables/t", row)
    assert (made.status, set(made.json)) == (201, {"id", *row, "createdAt", "updatedAt"})
    assert desk.put("/api/strapi-tables/t/1", example("PUT", "/{id}", "body")).status == 200
    listed = desk.get("/api/strapi-tables/t?page=0&pageSize=50")
    assert ([one["id"] for one in listed.json], listed.headers["x-total-count"]) == (["1"], "1")
    assert desk.delete("/api/strapi-tables/t/1").json == {}
    assert desk.get("/api/strapi-tables/t/1").status == 404
