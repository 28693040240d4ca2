"""SPARK tasks: how their programs are called, and what becomes of their output."""

from typing import Any

import pytest
from spark_desk import PREFIX, Desk, failed, succeeded

from quintet.domain.dataset import Column, Content
from quintet.domain.outcome import Completed, Failed, Outcome, Waits

ROWS = Content("csv", ("datasets/p1/2/u/a.csv",), (Column("k", "BIGINT"),), 3, 30)


def start(desk: Desk, content: Content | None = None, **params: Any) -> Outcome:
    """What the start of a task's attempt comes to."""
    return desk.work.perform(desk.call(), desk.task(content, **params))


def end(desk: Desk, ended: dict[str, Any]) -> Outcome:
    """What the end of its job comes to."""
    return desk.work.conclude(desk.call(), desk.task(), ended)


def test_a_program_is_called_as_promised(desk: Desk) -> None:
    """--input, --output, and each parameter by its name: texts as they are, the rest as JSON, null left out."""
    outcome = start(desk, ROWS, day="2026-03-01", top=5, deep=True, ratio=0.25, tags=["a", "b"], nothing=None)

    assert isinstance(outcome, Waits)
    assert (outcome.for_, outcome.deadline) == ("parked", None)
    [work] = desk.parked
    assert work["args"] == [
        "--input", "s3://memory/datasets/p1/2/u/a.csv",
        "--output", "s3://memory/datasets/p1/5/run-1-7",
        "--day", "2026-03-01", "--top", "5", "--deep", "true", "--ratio", "0.25", "--tags", '["a","b"]',
    ]  # fmt: skip
    assert work["entry"] == "s3://memory/programs/p1/sha.py"
    assert desk.blobs.get("programs/p1/sha.py") == b"print(1)"
    assert work["minutes"] == 24 * 60 + 5


def test_several_files_are_read_as_their_folder(desk: Desk) -> None:
    """Spark reads all that is in it."""
    parts = ("datasets/p1/2/run-0-3/part-0.parquet", "datasets/p1/2/run-0-3/part-1.parquet")
    start(desk, Content("parquet", parts, ROWS.columns, 3, 30))

    assert desk.parked[0]["args"][1] == "s3://memory/datasets/p1/2/run-0-3/"


@pytest.mark.parametrize("content", [None, Content("jsonl", (), (), 0, 0)], ids=["no dataset", "no rows"])
def test_without_rows_there_is_no_input(desk: Desk, content: Content | None) -> None:
    """A program may well do without."""
    start(desk, content)

    assert desk.parked[0]["args"][0] == "--output"


def test_the_task_s_key_stays_with_the_task(desk: Desk) -> None:
    """Arguments and properties of a job are in its event log."""
    start(desk, ROWS)

    assert "its-key" not in str(desk.parked)


@pytest.mark.parametrize("name", ["input", "output", "a b", "-x", "", "a=b", "1st", "x" * 65, "tä"])
def test_parameters_that_are_no_arguments_are_refused(desk: Desk, name: str) -> None:
    """Before a job is paid for."""
    outcome = start(desk, None, **{name: 1})

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == ("InvalidConfig", False)
    assert desk.parked == []


def test_a_program_whose_bytes_are_gone_is_told(desk: Desk) -> None:
    """Somebody removed it between the task's start and this attempt."""
    work = desk.task()
    desk.blobs.drop(work.program.blob)
    outcome = desk.work.perform(desk.call(), work)

    assert isinstance(outcome, Failed)
    assert "'bot' is gone" in outcome.error.message


def test_its_output_is_the_task_s_dataset(desk: Desk) -> None:
    """With rows and bytes as they lie there, and the rest as measured; lists of runs see the same figures."""
    desk.ran()
    desk.wrote(PREFIX, "part-0.json", "_SUCCESS")
    outcome = end(desk, succeeded())

    assert isinstance(outcome, Completed)
    assert outcome.result["dataset"]["id"] == 5
    assert outcome.result["dataset"]["parts"] == [f"{PREFIX}part-0.json"]
    assert outcome.notes is not None
    figures = outcome.notes["execution"]
    assert (figures["recordsProcessed"], figures["recordsOutput"], figures["outputDataset"]) == (3000, 10, 5)
    assert (figures["outputFileSizeBytes"], figures["executorCount"], figures["totalCpuTimeSeconds"]) == (100, 2, 1.836)


def test_without_output_the_dataset_stays_as_it_was(desk: Desk) -> None:
    """A task that writes elsewhere is no failure."""
    desk.ran()
    outcome = end(desk, succeeded())

    assert isinstance(outcome, Completed)
    assert outcome.result["dataset"] is None


@pytest.mark.parametrize("output", [(), ("a.csv", "b.parquet")], ids=["failed", "bad output"])
def test_a_failure_carries_what_was_measured(desk: Desk, output: tuple[str, ...]) -> None:
    """Whether the program broke or its output did."""
    desk.ran("Traceback (most recent call last):\nKeyError: 'day'\n")
    desk.wrote(PREFIX, *output)
    outcome = end(desk, succeeded() if output else failed())

    assert isinstance(outcome, Failed)
    assert outcome.error.type == ("BadOutput" if output else "SparkFailed")
    assert outcome.notes is not None
    assert outcome.notes["execution"]["recordsProcessed"] == 3000
