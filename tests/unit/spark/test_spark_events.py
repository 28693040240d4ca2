"""What is read out of Spark's event logs: two that Spark 3.5 wrote (paths are shortened), and what hostile ones hold."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.domain.spark_events import MAX_LINE, SparkEvents, SparkUsage

LOGS = Path(__file__).parent / "event_logs"
LOCAL, CLUSTER = (LOGS / "local.jsonl").read_bytes(), (LOGS / "cluster.jsonl").read_bytes()


def usage(*pieces: bytes) -> SparkUsage:
    """What a log in these pieces comes to."""
    events = SparkEvents()
    for piece in pieces:
        events.feed(piece)
    return events.usage()


def task(**metrics: Any) -> bytes:
    """A line about a task on executor 1 that succeeded."""
    event = {
        "Event": "SparkListenerTaskEnd",
        "Task End Reason": {"Reason": "Success"},
        "Task Info": {"Executor ID": "1"},
        "Task Metrics": metrics,
    }
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def test_a_job_of_one_process_is_measured() -> None:
    """Three tasks read the same 1,000 rows each, one wrote 7; in local mode the driver is the only executor, so both have its heap."""
    assert usage(LOCAL) == SparkUsage(
        tasks=5,
        failed_tasks=0,
        records_read=3000,
        records_written=7,
        bytes_read=56679,
        bytes_written=797,
        cpu_seconds=1.102,
        driver_heap_bytes=142597024,
        executor_heap_bytes=142597024,
        executors=1,
    )


def test_a_job_of_several_processes_is_measured() -> None:
    """Executors and driver have peaks of their own, and a task that failed once counts as failed and with its processor time only."""
    assert usage(CLUSTER) == SparkUsage(
        tasks=12,
        failed_tasks=1,
        records_read=3000,
        records_written=1000,
        bytes_read=56679,
        bytes_written=15893,
        cpu_seconds=1.836,
        driver_heap_bytes=68368400,
        executor_heap_bytes=85309976,
        executors=2,
    )


@given(st.lists(st.integers(0, len(CLUSTER)), max_size=12))
def test_it_does_not_matter_how_a_log_is_cut(cuts: list[int]) -> None:
    """Pieces end anywhere, as parts of an object do."""
    places = [0, *sorted(cuts), len(CLUSTER)]
    pieces = [CLUSTER[start:end] for start, end in pairwise(places)]

    assert usage(*pieces) == usage(CLUSTER)


def test_a_log_that_breaks_off_tells_what_it_has() -> None:
    """The last line of a job that was killed is not whole: it counts for nothing, and the lines before it for what they say."""
    whole = task(**{"Executor CPU Time": 5_000_000_000})

    assert usage(whole, whole[:-20]) == usage(whole)
    assert usage(whole).cpu_seconds == 5.0


@pytest.mark.parametrize(
    "log", [b"", b"\n\n", b"not a log\n" * 10, b'{"Event":"SparkListenerApplicationEnd","Timestamp":1}\n']
)
def test_what_nothing_measured_is_none(log: bytes) -> None:
    """No figure is invented for a job that never had a task."""
    assert usage(log) == SparkUsage()


def test_tasks_without_input_read_nothing() -> None:
    """Their sums are 0, since they were measured; a heap of 0 is Spark's word for one that it never looked at."""
    found = usage(task(**{"Executor CPU Time": 0}))

    assert (found.records_read, found.records_written, found.cpu_seconds) == (0, 0, 0.0)
    assert (found.driver_heap_bytes, found.executor_heap_bytes, found.executors) == (None, None, None)


@pytest.mark.parametrize("value", [-1, 2**70, 1.5, "7", True, None, [], {}, float("nan")])
def test_numbers_that_are_none_count_nothing(value: Any) -> None:
    """A program may write into its own log what it likes."""
    assert usage(task(**{"Executor CPU Time": value, "Input Metrics": {"Records Read": value}})).records_read == 0


@pytest.mark.parametrize(
    "line",
    [
        b'{"Event":"SparkListenerTaskEnd",' + b"[" * 100_000 + b"\n",
        b'{"Event":"SparkListenerTaskEnd","Task Info":' + b"9" * 5000 + b"}\n",
        b'{"Event":"SparkListenerTaskEnd","Task Info":\xff\xfe}\n',
        b'{"Event":"SparkListenerTaskEnd","Task Info":"' + b"x" * MAX_LINE + b'"}\n',
    ],
    ids=["nested", "digits", "bytes", "long"],
)
def test_a_task_that_cannot_be_read_takes_the_sums_with_it(line: bytes) -> None:
    """Sums that lack a task would be wrong; the tasks and executors that were counted are not."""
    found = usage(CLUSTER, line)

    assert (found.tasks, found.executors) == (12, 2)
    assert found.records_read is found.cpu_seconds is found.driver_heap_bytes is None


def test_long_lines_of_other_kinds_are_passed_over() -> None:
    """A plan of megabytes is no task, in one piece or in many."""
    plan = (
        b'{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart","plan":"'
        + b"x" * 3 * MAX_LINE
        + b'"}\n'
    )
    pieces = [plan[at : at + 65_536] for at in range(0, len(plan), 65_536)]

    assert usage(plan, CLUSTER) == usage(*pieces, CLUSTER) == usage(CLUSTER)


def test_a_line_at_its_bound_counts() -> None:
    """MAX_LINE bytes are read, one more is too many."""
    bare = task(filler="")
    at_bound = task(filler="x" * (MAX_LINE - len(bare) + 1))
    beyond = task(filler="x" * (MAX_LINE - len(bare) + 2))

    assert (usage(at_bound).tasks, usage(at_bound).cpu_seconds) == (1, 0.0)
    assert usage(beyond).cpu_seconds is None
