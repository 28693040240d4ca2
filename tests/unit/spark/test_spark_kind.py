"""The spark kind: what it asks of the park machine, and what it makes of a job's end."""

import json
from datetime import timedelta
from typing import Any

import pytest
from spark_desk import EVENTS, JOB, LOGS, NOW, Desk, failed, succeeded

from quintet.domain.outcome import Completed, Failed, Waits
from quintet.domain.program import PYTHON, SQL
from quintet.services.ports.queries import QueryFault

DATASET = "0b6f0a0e-3a53-5d2e-9a43-000000000001"


def refused(outcome: Any) -> str:
    """Why a config was refused for good."""
    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == ("InvalidConfig", False)
    return outcome.error.message


# --- the definition -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({}, {("program",)}),
        ({"program": "print(1"}, {("program",)}),
        ({"program": "job", "args": "x"}, {("args",)}),
        ({"program": "job", "args": [None]}, {("args",)}),
        ({"program": "job", "args": [{"rows": 1}]}, {("args",)}),
        ({"program": "job", "conf": ["a"]}, {("conf",)}),
        ({"program": "job", "conf": {"spark.master": "local"}}, {("conf", "spark.master")}),
        ({"program": "job", "conf": {"spark.eventLog.dir": "s3://x"}}, {("conf", "spark.eventLog.dir")}),
        ({"program": "job", "conf": {"--class": "x"}}, {("conf", "--class")}),
        ({"program": "job", "conf": {"spark.a\n--jars": "x"}}, {("conf", "spark.a\n--jars")}),
        ({"program": "job", "conf": {"spark.executor.memory": {}}}, {("conf",)}),
        ({"program": "job", "jars": []}, {("jars",)}),
    ],
)
def test_faults_are_found_when_it_is_defined(desk: Desk, config: dict[str, Any], places: set[Any]) -> None:
    """Each with its place, before anything runs."""
    assert {problem.place for problem in desk.problems(**config)} == places


def test_templates_are_left_to_the_run(desk: Desk) -> None:
    """What an expression gives is looked at when it is there."""
    assert desk.problems(program="job.v2", args=["{% input.day %}"], conf="{% input.conf %}") == []
    assert desk.problems(program="import pyspark\nprint('{% no template %}')") == []


# --- the start ----------------------------------------------------------------------------------------------------------------


def test_source_is_put_where_spark_finds_it(desk: Desk) -> None:
    """As a .py file named by its content; args come first, the output address last, and the step waits without holding anything."""
    outcome = desk.start(
        program="print(1)", args=["--day", 7, True, 1.50, "two words"], conf={"spark.executor.memory": "2g"}
    )

    assert isinstance(outcome, Waits)
    assert (outcome.for_, outcome.deadline) == ("parked", NOW + timedelta(hours=24))
    [work] = desk.parked
    entry = work.pop("entry")
    assert desk.blobs.get(entry.removeprefix("s3://memory/")) == b"print(1)"
    assert entry.startswith("s3://memory/programs/p1/") and entry.endswith(".py")
    output = work["args"].pop()
    assert work == {
        "kind": "spark",
        "name": "run-1 s",
        "args": ["--day", "7", "true", "1.5", "two words", "--output"],
        "conf": {
            "spark.log.level": "WARN",
            "spark.executor.memory": "2g",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.logStageExecutorMetrics": "true",
        },
        "logs": "s3://memory/spark-logs/run-1-7/",
        "minutes": 24 * 60 + 5,
    }
    assert output.startswith("s3://memory/datasets/p1/")


def test_the_step_s_timeout_is_the_job_s(desk: Desk) -> None:
    """The engine ends it at its time; the service's own bound comes a little later, in whole minutes."""
    outcome = desk.start(timeout=90.0, program="print(1)")

    assert isinstance(outcome, Waits)
    assert outcome.deadline == NOW + timedelta(seconds=90)
    assert desk.parked[0]["minutes"] == 7


def test_a_word_is_the_name_of_a_stored_program(desk: Desk) -> None:
    """As it is now: the job keeps what it began with."""
    desk.programs.put("p1", "count-rows", PYTHON, b"print('stored')")
    desk.start(program="count-rows")

    assert desk.blobs.get(desk.parked[0]["entry"].removeprefix("s3://memory/")) == b"print('stored')"


def test_a_program_that_is_not_there_or_no_program_of_spark_s_is_refused(desk: Desk) -> None:
    """By name, and without a job."""
    desk.programs.put("p1", "a-query", SQL, b"SELECT 1")
    desk.programs.put("p2", "theirs", PYTHON, b"print(1)")

    assert "no stored program 'nobody'" in refused(desk.start(program="nobody"))
    assert "no stored program 'theirs'" in refused(desk.start(program="theirs"))
    assert "application/sql" in refused(desk.start(program="a-query"))
    assert desk.parked == []


@pytest.mark.parametrize(
    ("record", "address"),
    [
        ({"format": "parquet"}, f"s3://memory/datasets/p1/{DATASET}.parquet"),
        ({"format": "csv", "parts": ["datasets/p1/x/a.csv"]}, "s3://memory/datasets/p1/x/a.csv"),
        ({"format": "csv", "parts": ["datasets/p1/x/a.csv", "datasets/p1/x/b.csv"]}, "s3://memory/datasets/p1/x/"),
    ],
    ids=["of a sql step", "one file", "several files"],
)
def test_a_dataset_among_the_args_is_the_address_of_its_rows(desk: Desk, record: Any, address: str) -> None:
    """Named by its id, or by the result of the step that made it; several files stand in one folder."""
    desk.blobs.put(f"datasets/p1/{DATASET}.json", json.dumps(record).encode())
    desk.start(program="print(1)", args=[DATASET, {"datasetId": DATASET, "rowCount": 3}])

    assert desk.parked[0]["args"][:2] == [address, address]


def test_an_id_of_no_dataset_is_a_text_like_any_other(desk: Desk) -> None:
    """A run's id may be an argument; a step's result that names no dataset of this project is a mistake."""
    desk.blobs.put(f"datasets/p2/{DATASET}.json", b'{"format": "csv"}')
    desk.start(program="print(1)", args=[DATASET])

    assert desk.parked[0]["args"][0] == DATASET
    assert f"no dataset {DATASET}" in refused(desk.start(program="print(1)", args=[{"datasetId": DATASET}]))


def test_a_rendered_conf_is_looked_at_again(desk: Desk) -> None:
    """An expression can't set what an author can't."""
    assert "spark.master" in refused(desk.start(program="print(1)", conf={"spark.master": "local"}))
    assert desk.parked == []


def test_more_than_an_execution_holds_is_refused(desk: Desk) -> None:
    """Clearly, instead of by the service."""
    assert "at most" in refused(desk.start(program="print(1)", args=["x" * 1000] * 250))
    assert desk.parked == []


# --- the end ------------------------------------------------------------------------------------------------------------------


def test_what_a_program_leaves_is_a_dataset(desk: Desk) -> None:
    """Its parts without Spark's own marks; rows and bytes are the dataset's, the rest is measured."""
    desk.start(program="print(1)")
    desk.ran("done\n", "26/03/01 12:00:00 WARN A: b\n26/03/01 12:00:00 INFO A: quiet\n")
    desk.wrote(
        desk.output, "part-0.parquet", "part-1.parquet", "_SUCCESS", ".part-0.parquet.crc", "_temporary/0/x.parquet"
    )
    desk.wrote(desk.output, "part-2.parquet", body=b"")
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Completed)
    id_ = outcome.result["datasetId"]
    assert outcome.result["metrics"] == {
        "recordsProcessed": 3000,
        "recordsOutput": 10,
        "outputFileSizeBytes": 100,
        "driverMemoryUsedBytes": 68368400,
        "executorMemoryUsedBytes": 85309976,
        "executorCount": 2,
        "totalCpuTimeSeconds": 1.836,
        "errorCount": 0,
        "warningCount": 1,
    }
    parts = [f"datasets/p1/{id_}/part-{number}.parquet" for number in range(2)]
    assert desk.described == [("parquet", tuple(parts))]
    record = json.loads(desk.blobs.get(f"datasets/p1/{id_}.json"))
    assert (record["parts"], record["format"], record["rowCount"], record["runId"]) == (parts, "parquet", 10, "run-1")
    assert desk.logged[:2] == [("info", "done"), ("warning", "26/03/01 12:00:00 WARN A: b")]


def test_a_program_that_writes_nothing_has_no_dataset(desk: Desk) -> None:
    """Which is no fault: it may have had an effect elsewhere. Files without a byte are nothing."""
    desk.start(program="print(1)")
    desk.ran()
    desk.wrote(desk.output, "_SUCCESS", "part-0.json", body=b"")
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Completed)
    assert outcome.result["datasetId"] is None
    assert outcome.result["metrics"]["recordsOutput"] == 1000
    assert desk.described == []


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.csv", "b.parquet"], "several formats (csv, parquet)"),
        (["part-0.orc"], "'part-0.orc' is none of the formats"),
        (["part-0.csv.gz"], "'part-0.csv.gz' is none of the formats"),
        (["one/a.csv", "two/b.csv"], "several folders ('one', 'two')"),
        (["day=1/a.csv", "day=2/a.csv"], "partitioned by 'day'"),
        (["day=1/a.csv"], "partitioned by 'day'"),
        ([f"part-{number:05}.csv" for number in range(1001)], "1001 files, and a dataset has at most 1000"),
        ([f"part-{number:05}.csv" for number in range(5000)], "more than 5000 objects"),
    ],
)
def test_an_output_that_is_no_dataset_is_told(desk: Desk, names: list[str], told: str) -> None:
    """What is wrong with it and what would be right; the job would write the same again, so it is not tried again."""
    desk.start(program="print(1)")
    desk.ran()
    desk.wrote(desk.output, *names)
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == ("BadOutput", False)
    assert told in outcome.error.message


@pytest.mark.parametrize("names", [["result/a.csv", "result/b.csv"], ["A.CSV"], ["x.jsonl", "y.json", "z.ndjson"]])
def test_one_folder_and_one_format_are_a_dataset(desk: Desk, names: list[str]) -> None:
    """However it is called and however deep it lies."""
    desk.start(program="print(1)")
    desk.ran()
    desk.wrote(desk.output, *names)

    assert isinstance(desk.end(succeeded()), Completed)


@pytest.mark.parametrize(("type_", "retryable"), [("BadInput", False), ("Unavailable", True)])
def test_files_that_cannot_be_looked_into_fail_the_step(desk: Desk, type_: str, retryable: bool) -> None:
    """With the engine's message; its own absence may pass."""
    desk.start(program="print(1)")
    desk.ran()
    desk.wrote(desk.output, "part-0.parquet")
    desk.refusal = QueryFault(type_, "not what it says")
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Failed)
    assert outcome.error.retryable is retryable
    assert "not what it says" in outcome.error.message


def test_a_program_that_fails_says_why_and_what_it_used(desk: Desk) -> None:
    """Its last exception, the service's own words, and the figures until then."""
    desk.ran(
        "rows 1000\nTraceback (most recent call last):\n  File\nValueError: no such day\n",
        "26/03/01 12:00:00 ERROR A: b\n",
    )
    outcome = desk.end(failed())

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.message, outcome.error.retryable) == (
        "SparkFailed",
        "ValueError: no such day",
        True,
    )
    details = outcome.error.details
    assert (details["state"], details["stateDetails"], details["failedTasks"]) == (
        "FAILED",
        "Job failed. ExitCode: 1.",
        1,
    )
    assert (details["metrics"]["recordsProcessed"], details["metrics"]["errorCount"]) == (3000, 1)


def test_a_job_that_says_nothing_fails_with_the_service_s_words(desk: Desk) -> None:
    """And one that was canceled there is told apart."""
    desk.ran(events=None)
    outcome = desk.end(failed("CANCELLED", "Canceled by ada"))

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.message) == ("SparkCanceled", "Canceled by ada")


@pytest.mark.parametrize(
    ("error", "type_", "retryable"),
    [
        ("SparkUnavailable", "SparkUnavailable", False),
        ("SparkDisabled", "SparkDisabled", False),
        ("EMRServerless.ValidationException", "SparkRefused", False),
        ("EMRServerless.ThrottlingException", "SparkNotStarted", True),
        ("States.Runtime", "SparkNotStarted", True),
    ],
)
def test_a_job_that_never_was_says_why(desk: Desk, error: str, type_: str, retryable: bool) -> None:
    """Without a look for logs that can't be there."""
    outcome = desk.end({"ok": False, "error": error, "cause": "because"})

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == (type_, retryable)
    assert "because" in outcome.error.message
    assert desk.clock.now() == NOW


@pytest.mark.parametrize("cause", ["", "[" * 100_000, "[1]", '{"JobRunId": 7}', "null", None])
def test_a_cause_that_nobody_understands_is_told_as_it_is(desk: Desk, cause: Any) -> None:
    """Never a fault of ours."""
    outcome = desk.end({"ok": False, "error": "States.TaskFailed", "cause": cause})

    assert isinstance(outcome, Failed)
    assert outcome.error.type == "SparkNotStarted"


def test_a_cause_that_was_cut_still_names_its_job(desk: Desk) -> None:
    """Arguments of a job are part of it, and may fill it up."""
    desk.ran("Traceback (most recent call last):\nKeyError: 'day'\n")
    cut = json.dumps(
        {**JOB, "State": "FAILED", "StateDetails": "ExitCode: 1.", "Args": "x" * 100}, separators=(",", ":")
    )[:-20]
    outcome = desk.end({"ok": False, "error": "States.TaskFailed", "cause": cut})

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.message) == ("SparkFailed", "KeyError: 'day'")


def test_logs_are_waited_for_a_little(desk: Desk) -> None:
    """The service writes them after the job's end; a job without any is not waited for beyond 20 s, and has no figures."""
    desk.start(program="print(1)")
    outcome = desk.end(succeeded())

    assert desk.clock.now() == NOW + timedelta(seconds=20)
    assert isinstance(outcome, Completed)
    assert set(outcome.result["metrics"].values()) == {None}


def test_logs_in_pieces_are_read_in_their_order(desk: Desk) -> None:
    """events_2 comes before events_10, a line may begin in one and end in the other, and packed ones are unpacked."""
    desk.ran(events=None)
    half = len(EVENTS) // 2 + 7
    desk.wrote(f"{LOGS}sparklogs/eventlog_v2_job/", "events_2_job", body=EVENTS[:half])
    desk.wrote(f"{LOGS}sparklogs/eventlog_v2_job/", "events_10_job", body=EVENTS[half:])
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Completed)
    assert outcome.result["metrics"]["totalCpuTimeSeconds"] == 1.836


def test_a_log_packed_in_a_way_nobody_here_knows_has_no_figures(desk: Desk) -> None:
    """Rather than wrong ones, and no fault."""
    desk.ran(events=None)
    desk.wrote(f"{LOGS}sparklogs/", "events_1_job.gz", body=b"\x1f\x8bnot really")
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Completed)
    assert outcome.result["metrics"]["totalCpuTimeSeconds"] is None


def test_output_beyond_its_bound_is_cut(desk: Desk) -> None:
    """4 MB of a stream are looked at and 1,000 lines of it told; what is not whole is not counted."""
    desk.ran("line\n" * 2_000, "26/03/01 12:00:00 WARN A: b\n" * 200_000)
    outcome = desk.end(succeeded())

    assert isinstance(outcome, Completed)
    assert outcome.result["metrics"]["warningCount"] is None
    assert sum(message.count("line") for level, message in desk.logged if level == "info") == 1000
    assert ("warning", "1000 further lines are left out") in desk.logged


def test_the_job_s_own_name_is_in_its_end(desk: Desk) -> None:
    """Two jobs of one attempt can't be, but what lies beside is not read: the logs are those of this application and job."""
    desk.ran("mine\n")
    desk.blobs.put(LOGS.replace("/job/", "/other/") + "SPARK_DRIVER/stdout.gz", b"theirs")
    desk.end({"ok": True, "job": JOB})

    assert ("info", "mine") in desk.logged
    assert not any("theirs" in message for _, message in desk.logged)
