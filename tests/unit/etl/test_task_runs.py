"""The life of a task: start, stop, status, metrics, and what its log tells."""

import json

import pytest
from tasks_desk import FIGURES, JOB, TASK, TASKS, TasksDesk, completes, fails, works_on

from quintet.domain.dataset import Column, Content
from quintet.domain.execution import Metrics, broken, finished
from quintet.domain.outcome import Completed, StepError, Waits
from quintet.services.stops import leash
from quintet.services.tokens import RunToken

LOG = [
    "status",
    "startedAt",
    "completedAt",
    "durationSeconds",
    "recordsProcessed",
    "recordsOutput",
    "outputFileSizeBytes",
    "driverMemoryUsedBytes",
    "executorMemoryUsedBytes",
    "executorCount",
    "totalCpuTimeSeconds",
    "errorCount",
    "warningCount",
    "error",
    "outputDataset",
]


def test_the_whole_life_of_a_task(tasks: TasksDesk) -> None:
    """Never run, started, at work, done, and started again: a run of its own each time."""
    tasks.task()
    assert tasks.read(f"{TASK}/status") == {"status": "PENDING", "progress": 0}
    assert tasks.get(f"{TASK}/metrics").error == "Task 1 has not run yet"

    started = tasks.start(body={"params": {"country": "dk"}})
    assert started["executionStatus"] == "RUNNING"
    log = json.loads(started["executionLog"])
    assert list(log) == LOG
    assert (log["status"], log["startedAt"]) == ("RUNNING", "2026-01-01T00:00:00.000Z")
    assert {name for name, value in log.items() if value is not None} == {"status", "startedAt"}
    assert tasks.read() == started
    assert tasks.read(f"{TASK}/status") == {"status": "RUNNING", "progress": 0}

    tasks.scripted.does[1] = lambda call: (tasks.clock.advance(12.3456), completes(call))[1]
    tasks.drive()
    done = tasks.read()
    assert (done["executionStatus"], done["executionReferenceId"]) == ("COMPLETED", started["executionReferenceId"])
    assert tasks.read(f"{TASK}/status") == {"status": "COMPLETED", "progress": 100}
    log = tasks.log()
    assert (log["completedAt"], log["durationSeconds"], log["totalCpuTimeSeconds"]) == (
        "2026-01-01T00:00:12.346Z",
        12.346,
        1.6,
    )
    assert (log["recordsProcessed"], log["recordsOutput"], log["executorCount"], log["error"]) == (10, 7, None, None)
    assert tasks.services.payloads.get(tasks.services.reading.state("default", tasks.run_of())[1].input) == {
        "params": {"country": "dk"}
    }

    again = tasks.start()
    assert again["executionReferenceId"] != started["executionReferenceId"]
    assert again["executionStatus"] == "RUNNING"
    tasks.drive()
    assert tasks.read()["executionStatus"] == "COMPLETED"


def test_metrics_are_whole_numbers_as_measured_and_null_where_not(tasks: TasksDesk) -> None:
    """The published shape, field for field."""
    tasks.task()
    tasks.scripted.does[1] = lambda call: (tasks.clock.advance(2.6), completes(call))[1]
    tasks.start()
    tasks.drive()
    assert tasks.read(f"{TASK}/metrics") == {
        "taskId": 1,
        "durationSeconds": 3,
        "recordsProcessed": 10,
        "recordsOutput": 7,
        "outputFileSizeBytes": None,
        "driverMemoryUsedBytes": None,
        "executorMemoryUsedBytes": None,
        "executorCount": None,
        "totalCpuTimeSeconds": 2,
        "errorCount": 0,
        "warningCount": None,
        "status": "COMPLETED",
        "startedAt": "2026-01-01T00:00:00.000Z",
        "completedAt": "2026-01-01T00:00:02.600Z",
    }


def test_a_failed_run_says_why_and_what_was_measured_until_then(tasks: TasksDesk) -> None:
    """And the task can be started again."""
    tasks.task()
    tasks.scripted.does[1] = lambda _: broken(StepError("ValueError", "no such column", retryable=False), Metrics(3))
    tasks.start()
    tasks.drive()
    assert tasks.read()["executionStatus"] == "FAILED"
    log = tasks.log()
    assert (log["status"], log["error"], log["recordsProcessed"]) == ("FAILED", "ValueError: no such column", 3)
    assert log["completedAt"] is not None
    assert tasks.read(f"{TASK}/status") == {"status": "FAILED", "progress": 0}
    tasks.scripted.does.clear()
    tasks.start()
    assert tasks.log()["recordsProcessed"] is None  # what was measured of the last run is not the new one's
    tasks.drive()
    assert tasks.read()["executionStatus"] == "COMPLETED"


def test_a_log_names_the_dataset_that_the_run_left(tasks: TasksDesk) -> None:
    """Only when it left one."""
    tasks.task()
    output = int(tasks.read()["outputDatasetId"])
    part = f"datasets/default/{output}/x/part-0.parquet"
    tasks.blobs.put(part, b"12345")
    content = Content("parquet", (part,), (Column("a", "BIGINT"),), 2, 5)
    tasks.scripted.does[1] = lambda call: finished(call.config["output"], content, Metrics())
    tasks.start()
    tasks.drive()
    log = tasks.log()
    assert (log["outputDataset"], log["recordsOutput"], log["outputFileSizeBytes"]) == (str(output), 2, 5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"enabled": False}, "Task 1 is disabled"),
        ({"botId": None}, "Task 1 has no botId: no program to run"),
        ({"botId": "nobody"}, "Task 1: there is no program 'nobody'"),
        ({"botId": "99"}, "Task 1: there is no program '99'"),
        (
            {"botId": "query"},
            "Task 1: a task of type PYTHON runs programs of type text/x-python, and 'query' is application/sql",
        ),
        (
            {"taskType": "HTTP"},
            "Task 1: a task of type HTTP runs programs of type application/json, and 'etl' is text/x-python",
        ),
    ],
)
def test_what_cannot_run_is_not_started(tasks: TasksDesk, fields: dict[str, object], said: str) -> None:
    """400 with the reason; no run is made."""
    tasks.task()
    tasks.put(TASK, fields)
    answer = tasks.post(f"{TASK}/start")
    assert (answer.status, answer.error) == (400, said)
    assert tasks.read()["executionReferenceId"] is None


def test_a_program_is_named_by_its_id_too(tasks: TasksDesk) -> None:
    """As a string or as the number it is."""
    number = tasks.read("/bots/query")["id"]
    tasks.task("t", taskType="SQL", botId=int(number))
    assert tasks.read()["botId"] == number
    tasks.start()


@pytest.mark.parametrize("body", [None, {}, {"params": None}, {"anything": 1}])
def test_a_start_needs_no_body(tasks: TasksDesk, body: object) -> None:
    """Fields that it doesn't know are left aside."""
    tasks.task()
    assert tasks.post(f"{TASK}/start", body).status == 200


@pytest.mark.parametrize("body", [{"params": [1]}, {"params": "a"}, [1]])
def test_parameters_are_an_object(tasks: TasksDesk, body: object) -> None:
    """400 with the place."""
    tasks.task()
    answer = tasks.post(f"{TASK}/start", body)
    assert answer.status == 400
    assert answer.error.startswith("params:" if isinstance(body, dict) else "body:")


@pytest.mark.parametrize("moment", ["jobs.by_slug", "collections.named", "runs.create"])
def test_a_task_is_started_once_at_a_time(tasks: TasksDesk, moment: str) -> None:
    """Of two starts one is refused, wherever the other comes in between."""
    tasks.task()
    others: list[int] = []
    tasks.interrupt(moment, lambda: others.append(tasks.post(f"{TASK}/start").status))
    answer = tasks.post(f"{TASK}/start")
    assert (answer.status, others) == (409, [200])
    assert answer.error == "Task 1 is running"
    assert tasks.read()["executionStatus"] == "RUNNING"
    tasks.drive()
    assert len(tasks.scripted.calls) == 1


# --- stopping ------------------------------------------------------------------------------------------------------------------


def test_a_stopped_task_stops_for_real(tasks: TasksDesk) -> None:
    """Its run is canceled, its process told to end, a later result refused; it may be started again."""
    tasks.task()
    tasks.scripted.does[1] = lambda call: (tasks.clock.advance(1), works_on(call))[1]
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    tasks.clock.advance(4)
    answer = tasks.post(f"{TASK}/stop")
    assert answer.status == 200
    assert answer.json["executionStatus"] == "FAILED"
    log = json.loads(answer.json["executionLog"])
    assert (log["status"], log["error"], log["durationSeconds"]) == ("STOPPED", "stopped", 5.0)
    assert tasks.read() == answer.json
    state = tasks.services.reading.state("default", run)[1]
    assert state.canceled_by is not None
    token = tasks.scripted.calls[0].token
    assert tasks.blobs.get(leash(run, token)) == b"{}"
    assert tasks.post(f"{TASK}/stop").status == 409
    tasks.scripted.does.clear()
    assert tasks.start()["executionReferenceId"] != run
    tasks.drive()
    assert tasks.read()["executionStatus"] == "COMPLETED"


def test_only_what_runs_is_stopped(tasks: TasksDesk) -> None:
    """409 for a task that never ran, that is done, or that ends at this very moment."""
    tasks.task()
    assert tasks.post(f"{TASK}/stop").error == "Task 1 is not running"
    tasks.start()
    tasks.drive()
    assert tasks.post(f"{TASK}/stop").status == 409
    tasks.start()
    tasks.interrupt("runs.get", tasks.drive)
    answer = tasks.post(f"{TASK}/stop")
    assert (answer.status, answer.error) == (409, "Task 1 is not running any more")
    assert tasks.read()["executionStatus"] == "COMPLETED"


# --- progress ------------------------------------------------------------------------------------------------------------------


def test_progress_is_what_the_program_reports(tasks: TasksDesk) -> None:
    """Within its bounds, also after a failure; a new run begins at 0."""
    tasks.task()
    tasks.scripted.does[1] = works_on
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    token = RunToken(run, "task", tasks.scripted.calls[0].token)
    tasks.services.report.progress(token, run, 37.5, "halfway or so")
    assert tasks.read(f"{TASK}/status") == {"status": "RUNNING", "progress": 37.5}
    tasks.post(f"{TASK}/stop")
    assert tasks.read(f"{TASK}/status") == {"status": "FAILED", "progress": 37.5}
    tasks.start()
    assert tasks.read(f"{TASK}/status")["progress"] == 0


def test_a_waiting_run_is_running(tasks: TasksDesk) -> None:
    """One that waits for an agent's report, for instance."""
    tasks.task()
    tasks.scripted.does[1] = lambda _: Waits("report")
    tasks.start()
    tasks.drive()
    assert tasks.services.reading.run("default", tasks.run_of()).status == "waiting"
    assert tasks.read()["executionStatus"] == "RUNNING"


def test_a_change_does_not_touch_the_run_under_way(tasks: TasksDesk) -> None:
    """It goes on as it began; the next one is as changed."""
    tasks.task()
    tasks.start()
    tasks.put(TASK, {"taskType": "SQL", "botId": "query"})
    tasks.drive()
    tasks.start()
    tasks.drive()
    assert [call.config["type"] for call in tasks.scripted.calls] == ["PYTHON", "SQL"]


def test_a_run_whose_program_noted_nonsense_shows_null(tasks: TasksDesk) -> None:
    """What is not a number was not measured."""
    for noted in ("text", {"recordsOutput": "many", "executorCount": True, "errorCount": {}}):
        desk = TasksDesk()
        desk.task()
        desk.scripted.does[1] = lambda _, noted=noted: Completed({}, notes={"execution": noted})  # type: ignore[misc]  # binds it
        desk.start()
        desk.drive()
        log = desk.log()
        assert {log[name] for name in ("recordsOutput", "executorCount", "errorCount")} == {None}
        assert desk.get(f"{TASK}/metrics").status == 200


def test_figures_are_those_of_the_last_run_alone(tasks: TasksDesk) -> None:
    """In lists too, task by task."""
    tasks.task("a")
    tasks.task("b")
    tasks.scripted.does[2] = fails
    for number in (1, 2):
        tasks.start(f"{TASKS}/{number}")
    tasks.drive()
    first, second = tasks.get(TASKS).json
    assert json.loads(first["executionLog"])["recordsOutput"] == FIGURES.records_output
    assert json.loads(second["executionLog"])["recordsOutput"] is None
    assert (first["executionStatus"], second["executionStatus"]) == ("COMPLETED", "FAILED")
    assert tasks.read(JOB)["executionStatus"] == "PENDING"  # started one by one, the job itself has not been executed
