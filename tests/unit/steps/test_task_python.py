"""PYTHON and BACKGROUND_TASK: what the runner is asked, and what becomes of its rows."""

import json
from typing import Any

import pytest

from quintet.domain.dataset import Content
from quintet.domain.outcome import Completed, Failed
from quintet.services.ports.functions import FunctionFault

CODE = b"def main(input):\n    return input.rows"
GOOD = {
    "ok": True,
    "result": {"rows": 2, "bytes": 30},
    "counts": {"taken": 3, "warnings": 1, "errors": 2},
    "usage": {"wallSeconds": 1.0, "cpuSeconds": 0.5, "maxRssMb": 12.5},
    "stdout": "hello\n",
    "stderr": "",
}
LINES = b'{"n":1}\n{"n":2}\n{"n":3}\n'


@pytest.fixture
def python(tasks: Any) -> Any:
    """A desk whose runner did well, with a program."""
    tasks.program(CODE, "text/x-python")
    tasks.desk.reply = GOOD
    return tasks


@pytest.mark.parametrize("type_", ["PYTHON", "BACKGROUND_TASK"])
def test_rows_travel_by_links(python: Any, type_: str) -> None:
    """The runner, which may reach nothing, gets a link to read JSON lines and one to write them; the rows that come are made Parquet."""
    python.give(LINES, 3)
    python.define_task(api_key="k3y-of-the-task")

    outcome = python.enact(type_, params={"x": 1})

    function, payload, timeout = python.desk.called[0]
    assert function == "runner"
    assert timeout > payload["timeout"] == 540.0
    assert payload == {
        "kind": "rows", "code": CODE.decode(), "params": {"x": 1}, "apiKey": "k3y-of-the-task",
        "rows": {"link": "memory:datasets/p1/7/up/part.jsonl?seconds=600", "count": 3},
        "output": payload["output"], "memoryMb": 1536, "timeout": 540.0,
        "leash": "memory:leashes/run-1/7?seconds=600",
    }  # fmt: skip
    assert "rows/p1/run-1-7/made.jsonl" in payload["output"]
    made = python.files.made[0]
    written = Content("jsonl", ("rows/p1/run-1-7/made.jsonl",), (), 0, 0)
    assert (made["sql"], made["into"]) == ("SELECT * FROM input", "datasets/p1/9/run-1-7/rows.parquet")
    assert (made["tables"], made["leash"]) == ({"input": written}, "leashes/run-1/7")
    assert isinstance(outcome, Completed)
    assert outcome.result["dataset"]["parts"] == ["datasets/p1/9/run-1-7/rows.parquet"]
    assert python.desk.logged == [("info", "hello")]


@pytest.fixture(autouse=True)
def _runner_writes(tasks: Any) -> None:
    """What the runner would have written is there."""
    tasks.blobs.put("rows/p1/run-1-7/made.jsonl", b"")


def test_what_the_runner_measured_is_the_tasks(python: Any) -> None:
    """Rows taken, memory, processor time, what was logged; the output's rows and bytes are the content's."""
    outcome = python.enact("PYTHON")

    assert outcome.notes["execution"] == {
        "recordsProcessed": 3, "recordsOutput": 2, "outputFileSizeBytes": 4,
        "driverMemoryUsedBytes": 12.5 * 1024 * 1024, "totalCpuTimeSeconds": 0.5, "errorCount": 2, "warningCount": 1, "outputDataset": 9,
    }  # fmt: skip


def test_what_is_no_json_lines_is_made_such_once(python: Any) -> None:
    """A Parquet input is converted for the first task that reads it; the next finds it."""
    python.files.lines, python.files.rows = LINES, 3
    content = python.give(b"PAR1", 3, "parquet")

    python.enact("PYTHON")
    python.enact("PYTHON")

    inputs = [asked for asked in python.files.made if asked["format"] == "jsonl"]
    assert len(inputs) == 1
    assert (inputs[0]["tables"], inputs[0]["leash"]) == ({"input": content}, "leashes/run-1/7")
    assert inputs[0]["into"].startswith("rows/p1/")
    links = [payload["rows"]["link"] for _, payload, _ in python.desk.called]
    assert links == [f"memory:{inputs[0]['into']}?seconds=600"] * 2


def test_without_rows_there_is_no_link(python: Any) -> None:
    """No input, or one that holds no rows."""
    python.enact("PYTHON")
    python.give(b"", 0)
    python.enact("PYTHON")

    assert [payload["rows"] for _, payload, _ in python.desk.called] == [None, None]


@pytest.mark.parametrize(("rows", "dataset"), [(None, None), (0, {"format": "jsonl", "parts": [], "rowCount": 0})])
def test_no_rows_make_no_file(python: Any, rows: int | None, dataset: Any) -> None:
    """A main that returned None leaves the output dataset as it was; one that gave no rows empties it."""
    python.desk.reply = {**GOOD, "result": {"rows": rows, "bytes": 0}}

    result = python.enact("PYTHON").result

    assert python.files.made == []
    kept = result["dataset"]
    assert (kept if kept is None else {name: kept[name] for name in dataset}) == dataset
    assert result["metrics"]["recordsOutput"] == rows


def test_a_failure_carries_its_figures(python: Any) -> None:
    """The author's error, with what was measured until then; the task's own key is nowhere, wherever the code put it."""
    python.define_task(api_key="k3y-of-the-task")
    error = {"type": "ValueError", "message": "bad k3y-of-the-task", "traceback": "raise k3y-of-the-task"}
    python.desk.reply = {**GOOD, "ok": False, "result": None, "error": error, "stdout": "k3y-of-the-task\n"}

    outcome = python.enact("PYTHON")

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.message) == ("ValueError", "bad ***")
    assert outcome.notes["execution"]["recordsProcessed"] == 3
    assert "outputDataset" not in outcome.notes["execution"]
    assert "k3y-of-the-task" not in json.dumps([outcome.error.to_dict(), python.desk.logged, dict(outcome.notes)])


def test_what_was_not_measured_is_not_noted(python: Any) -> None:
    """A process that was killed said nothing of its rows; readers see null for what is not noted."""
    python.desk.reply = {"ok": False, "error": {"type": "Killed", "message": "memory"}, "usage": None, "counts": {}}

    assert python.enact("PYTHON").notes == {"execution": {}}


def test_a_runner_that_does_not_answer_is_cut_short(python: Any) -> None:
    """Its process may still be at work: it is stopped."""
    python.desk.reply = FunctionFault("Timeout", "no answer")

    outcome = python.enact("PYTHON")

    assert (outcome.error.type, outcome.cut) == ("RunnerTimeout", True)


def test_rows_that_make_no_table_fail_the_task(python: Any) -> None:
    """As the engine says it, and before the code is begun when they are the input's."""
    python.files.faults = [python.fault("BadInput", "names that differ only in case: a, A")]
    late = python.enact("PYTHON")
    python.give(b"x", 1, "csv")
    python.files.faults = [python.fault("BadInput", "no CSV")]
    early = python.enact("PYTHON")

    assert late.error.message == "the rows that main gave: names that differ only in case: a, A"
    assert late.notes["execution"]["recordsProcessed"] == 3
    assert early.error.message == "the input's rows: no CSV"
    assert len(python.desk.called) == 1
