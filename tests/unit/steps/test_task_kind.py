"""task: what an attempt is given, and why one can't begin."""

from typing import Any

import pytest

from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed
from quintet.services.stops import CODE, PARKED

PYTHON, SQL, JSON = "text/x-python", "application/sql", "application/json"


@pytest.mark.parametrize(
    ("type_", "leaves"),
    [
        ("SQL", CODE),
        ("PYTHON", CODE),
        ("BACKGROUND_TASK", CODE),
        ("HTTP", None),
        ("AUTONOMOUS_AGENT", None),
        ("SPARK", PARKED),
    ],
)
def test_every_type_says_what_it_leaves(tasks: Any, type_: str, leaves: str | None) -> None:
    """What must be stopped when nobody waits for the task any more."""
    assert tasks.kinds["task"].leaves(StepDef("task", "task", config=tasks.config(type_))) == leaves


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({}, set()),
        ({"input": 7, "program": None}, set()),
        ({"type": "RUBY"}, {("type",)}),
        ({"task": 0}, {("task",)}),
        ({"output": None}, {("output",)}),
        ({"input": 1.5}, {("input",)}),
        ({"api_key": "k"}, {("api_key",)}),
    ],
)
def test_the_config_is_checked(tasks: Any, config: dict[str, Any], places: set[tuple[str]]) -> None:
    """Types, numbers and nothing else."""
    step = StepDef("task", "task", config={**tasks.config("SQL"), **config})

    assert {problem.place for problem in tasks.kinds["task"].problems(step)} == places


def failed(outcome: Any) -> tuple[str, str, bool]:
    """A failure's type and message, and whether another attempt could mend it."""
    assert isinstance(outcome, Failed), outcome
    return outcome.error.type, outcome.error.message, outcome.error.retryable


def test_what_is_missing_is_told(tasks: Any) -> None:
    """The program, its type, the input, its rows, the task itself: no attempt begins, and none is tried again."""
    assert failed(tasks.enact("SQL", config={"program": None})) == (
        "NoProgram", "the task names no program (botId)", False)  # fmt: skip
    assert failed(tasks.enact("SQL")) == ("NoProgram", "there is no program prog", False)
    tasks.program(b"SELECT 1", SQL)
    assert failed(tasks.enact("PYTHON")) == (
        "WrongProgram", "program prog is application/sql; PYTHON tasks run text/x-python", False)  # fmt: skip
    assert failed(tasks.enact("SQL", config={"input": 7})) == (
        "NoInput", "there is no dataset 7, which the task reads", False)  # fmt: skip
    tasks.contents.held[7] = None
    assert failed(tasks.enact("SQL", config={"input": 7})) == (
        "NoInput", "dataset 7, which the task reads, has no rows yet", False)  # fmt: skip
    tasks.define_task(apiKey="not sealed by us")
    assert failed(tasks.enact("SQL"))[0] == "BadApiKey"
    tasks.jobs.settings.clear()
    assert failed(tasks.enact("SQL")) == ("NoTask", "the task is no longer there", False)


def test_the_program_is_the_one_of_now(tasks: Any) -> None:
    """By name or by id; a task goes by what is kept under it when the attempt begins."""
    tasks.program(b"SELECT 1", SQL)
    tasks.enact("SQL")
    tasks.program(b"SELECT 2", SQL)
    tasks.enact("SQL", config={"program": "1"})

    assert [asked["sql"] for asked in tasks.files.made] == ["SELECT 1", "SELECT 2"]


def test_the_input_is_the_tasks_own_else_its_jobs(tasks: Any) -> None:
    """The ETL job's input of now; the task's own wins; none is none."""
    tasks.program(b"SELECT 1", SQL)
    tasks.enact("SQL")
    first = tasks.give(b"{}", 1, number=7)
    tasks.enact("SQL")
    second = tasks.give(b"{}", 1, number=8)
    tasks.define_job(input=7)
    tasks.enact("SQL", config={"input": 8})
    tasks.define_task(parent="gone")
    tasks.enact("SQL")

    assert [asked["tables"] for asked in tasks.files.made] == [{}, {"input": first}, {"input": second}, {}]


def test_sql_makes_the_output(tasks: Any) -> None:
    """One query over `input`, into a blob of the attempt's own; what was measured stands in the result and in the run's notes."""
    tasks.program(b"SELECT n FROM input", SQL)
    tasks.give(b"{}", 1)

    outcome = tasks.enact("SQL")

    asked = tasks.files.made[0]
    assert asked["into"] == "datasets/p1/9/run-1-7/rows.parquet"
    assert (asked["format"], asked["timeout"], asked["leash"]) == ("parquet", 600.0, "leashes/run-1/7")
    figures = {
        "recordsProcessed": 5, "recordsOutput": 2, "outputFileSizeBytes": 4, "driverMemoryUsedBytes": 1000,
        "executorMemoryUsedBytes": None, "executorCount": None, "totalCpuTimeSeconds": 0.25, "errorCount": None,
        "warningCount": None,
    }  # fmt: skip
    assert isinstance(outcome, Completed)
    assert outcome.result == {
        "dataset": {
            "id": 9, "table": "dataset_9", "format": "parquet", "parts": [asked["into"]],
            "columns": [{"name": "n", "type": "BIGINT"}], "rowCount": 2, "sizeBytes": 4,
        },
        "metrics": figures,
        "answer": None,
    }  # fmt: skip
    measured = {name: value for name, value in figures.items() if value is not None}
    assert outcome.notes == {"execution": {**measured, "outputDataset": 9}}


@pytest.mark.parametrize(
    ("type_", "told", "cut"),
    [
        ("BadSql", "BadSql", False),
        ("Stopped", "Stopped", False),
        ("Timeout", "Timeout", True),
        ("Unavailable", "SqlUnavailable", True),
    ],
)
def test_a_query_that_fails_fails_the_task(tasks: Any, type_: str, told: str, cut: bool) -> None:
    """With the engine's own words; one that nobody heard end is stopped."""
    tasks.program(b"SELECT nothing", SQL)
    tasks.files.faults = [tasks.fault(type_, "no such column: nothing")]

    outcome = tasks.enact("SQL")

    assert failed(outcome) == (told, "no such column: nothing", False)
    assert outcome.cut is cut
