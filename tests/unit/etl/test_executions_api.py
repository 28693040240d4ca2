"""Executions of jobs: order, failures, stop, status, logs, figures."""

from datetime import timedelta

import pytest
from tasks_desk import JOB, PROJECT, TASK, TASKS, TasksDesk, completes, fails, statuses, works_on

from quintet.services.ports.world import LogEntry


def execute(tasks: TasksDesk, body: object = None) -> str:
    """Executes job 1; the path of its execution."""
    answer = tasks.post(f"{JOB}/execute", body)
    assert answer.status == 200, answer.text
    return f"{JOB}/executions/{answer.json['executionId']}"


def three(tasks: TasksDesk) -> None:
    """`a`, `b` behind it, and `c` beside them."""
    tasks.task("a")
    tasks.task("b", dependsOn=["1"])
    tasks.task("c")


def test_an_execution_calls_the_tasks_in_their_order(tasks: TasksDesk) -> None:
    """What depends on another waits for its end; what doesn't, does not. The answer is the published one."""
    three(tasks)
    tasks.scripted.does[1] = works_on
    answer = tasks.post(f"{JOB}/execute", {"params": {"day": 3}})
    said = answer.json
    path = f"{JOB}/executions/{said.pop('executionId')}"
    assert said == {"status": "SUBMITTED", "message": "Job execution submitted successfully", "success": True}
    assert tasks.read(JOB)["executionStatus"] == "RUNNING"
    tasks.drive()
    assert sorted(tasks.scripted.order) == [1, 3]
    status = tasks.read(f"{path}/status")
    assert (status["status"], status["progress"]) == ("RUNNING", pytest.approx(33.33))
    assert [(one["taskId"], one["status"]) for one in status["tasks"]] == [
        ("1", "RUNNING"),
        ("2", "PENDING"),
        ("3", "COMPLETED"),
    ]
    assert [one["executionReferenceId"] for one in status["tasks"]] == [
        one["executionReferenceId"] for one in tasks.get(TASKS).json
    ]
    tasks.finish()
    assert tasks.scripted.order[2:] == [2]
    assert tasks.read(f"{path}/status")["status"] == "COMPLETED"
    for call in tasks.scripted.calls:
        state = tasks.services.reading.state("default", call.run.id)[1]
        assert tasks.services.payloads.get(state.input) == {"params": {"day": 3}}


def test_the_status_of_an_execution_has_the_published_fields(tasks: TasksDesk) -> None:
    """Whole seconds, and null where there is nothing to say."""
    tasks.task()
    tasks.scripted.does[1] = lambda call: (tasks.clock.advance(7), completes(call))[1]
    path = execute(tasks)
    tasks.drive()
    status = tasks.read(f"{path}/status")
    assert status.pop("executionId") == path.rpartition("/")[2]
    assert status.pop("tasks")[0]["status"] == "COMPLETED"
    assert status == {
        "status": "COMPLETED",
        "progress": 100,
        "startedAt": "2026-01-01T00:00:00.000Z",
        "completedAt": "2026-01-01T00:00:07.000Z",
        "executionTimeSeconds": 7,
        "errorMessage": None,
        "sparkUiUrl": None,
        "executorPodCount": None,
    }


def test_a_failed_task_skips_those_behind_it_and_fails_the_execution_at_its_end(tasks: TasksDesk) -> None:
    """All others go on."""
    three(tasks)
    tasks.task("d", dependsOn=["3"])
    tasks.scripted.does |= {1: fails, 3: works_on}
    path = execute(tasks)
    tasks.drive()
    assert tasks.read(f"{path}/status")["status"] == "RUNNING"
    tasks.finish(f"{TASKS}/3")
    status = tasks.read(f"{path}/status")
    assert (status["status"], status["progress"]) == ("FAILED", 75)
    assert "no such column" in status["errorMessage"]
    assert [one["status"] for one in status["tasks"]] == ["FAILED", "SKIPPED", "COMPLETED", "COMPLETED"]
    assert sorted(tasks.scripted.order) == [1, 3, 4]
    assert statuses(tasks.get(TASKS).json) == {"a": "FAILED", "b": "PENDING", "c": "COMPLETED", "d": "COMPLETED"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tasks: tasks.put(JOB, {"enabled": False}), "Job 1 is disabled"),
        (lambda tasks: tasks.put(TASK, {"enabled": False}), "Job 1 has no enabled tasks"),
        (lambda tasks: tasks.put(TASK, {"botId": None}), "Task 1 has no botId: no program to run"),
        (lambda tasks: tasks.delete(TASK), "Job 1 has no enabled tasks"),
    ],
)
def test_what_cannot_be_executed_is_refused(tasks: TasksDesk, change: object, said: str) -> None:
    """400 with the reason."""
    tasks.task()
    change(tasks)  # type: ignore[operator]  # a function of the desk
    answer = tasks.post(f"{JOB}/execute")
    assert (answer.status, answer.error) == (400, said)


def test_a_job_is_executed_once_at_a_time(tasks: TasksDesk) -> None:
    """409 while it is, and while one of its tasks runs by itself."""
    three(tasks)
    tasks.start(f"{TASKS}/3")
    assert tasks.post(f"{JOB}/execute").error == "Task 3 is running"
    tasks.drive()
    execute(tasks)
    answer = tasks.post(f"{JOB}/execute")
    assert (answer.status, answer.error) == (409, "Job 1 is running")


def test_a_stopped_job_stops_its_tasks(tasks: TasksDesk) -> None:
    """All that it has started, and starts no more."""
    three(tasks)
    tasks.scripted.does |= {1: works_on, 3: works_on}
    path = execute(tasks)
    tasks.drive()
    assert tasks.post(f"{JOB}/stop").json["executionStatus"] == "FAILED"
    tasks.drive()
    assert statuses(tasks.get(TASKS).json) == {"a": "FAILED", "b": "PENDING", "c": "FAILED"}
    assert tasks.log()["status"] == "STOPPED"
    status = tasks.read(f"{path}/status")
    assert (status["status"], status["errorMessage"]) == ("FAILED", "stopped")
    assert tasks.post(f"{JOB}/stop").error == "Job 1 is not running"


def test_an_execution_is_the_jobs_own(tasks: TasksDesk) -> None:
    """Or the run of one of its tasks; of another job's, or of nobody's, there is neither status nor log."""
    tasks.task()
    tasks.post(f"{PROJECT}/jobs", {"name": "second"})
    tasks.task("u", job=f"{PROJECT}/jobs/2")
    path = execute(tasks)
    tasks.drive()
    other = tasks.start(f"{PROJECT}/jobs/2/tasks/2")["executionReferenceId"]
    own = tasks.run_of()
    assert tasks.read(f"{JOB}/executions/{own}/status")["status"] == "COMPLETED"
    mine = path.rpartition("/")[2]
    for job, execution in (
        (f"{PROJECT}/jobs/2", mine),
        (f"{PROJECT}/jobs/2", own),
        (JOB, other),
        (JOB, "1"),
        (JOB, "x y"),
        (JOB, "é"),
        (JOB, "x" * 3000),
    ):
        for part in ("status", "logs"):
            assert tasks.get(f"{job}/executions/{execution}/{part}").status == 404, (job, execution)
    tasks.add_key("theirs", "admin", project="other")
    assert tasks.get(f"{path}/status", key="theirs").status == 404


# --- logs ----------------------------------------------------------------------------------------------------------------------


def say(tasks: TasksDesk, run: str, *lines: str) -> None:
    """Has a run's program say lines, one a second."""
    for line in lines:
        tasks.clock.advance(1)
        tasks.services.logs.write(run, [LogEntry(tasks.services.ids.new(), tasks.clock.now(), "task", "info", line)])


def test_logs_are_those_of_all_tasks_in_the_order_in_which_they_were_said(tasks: TasksDesk) -> None:
    """The last ones are enough for who asks for a tail; a task's own run has its own alone."""
    three(tasks)
    tasks.scripted.does |= {1: works_on, 2: works_on, 3: works_on}
    path = execute(tasks)
    tasks.drive()
    first, third = tasks.run_of(), tasks.run_of(f"{TASKS}/3")
    say(tasks, first, "one")
    say(tasks, third, "two")
    say(tasks, first, "three")
    tasks.finish()
    second = tasks.run_of(f"{TASKS}/2")
    say(tasks, second, "four")
    say(tasks, third, "five")
    whole = tasks.read(f"{path}/logs")["logs"]
    assert whole == [
        "2026-01-01T00:00:01.000Z INFO [task 1] one",
        "2026-01-01T00:00:02.000Z INFO [task 3] two",
        "2026-01-01T00:00:03.000Z INFO [task 1] three",
        "2026-01-01T00:00:04.000Z INFO [task 2] four",
        "2026-01-01T00:00:05.000Z INFO [task 3] five",
    ]
    for most in (1, 2, 3, 4, 5, 6):
        assert tasks.read(f"{path}/logs?tail={most}")["logs"] == whole[-most:]
    assert tasks.read(f"{JOB}/executions/{second}/logs")["logs"] == whole[3:4]


def test_a_tail_does_not_read_the_logs_of_those_that_ended_before_it(tasks: TasksDesk) -> None:
    """So that it costs what it answers, however long the chain of tasks was."""
    for number in range(1, 9):
        tasks.task(f"t{number}", dependsOn=[] if number == 1 else [str(number - 1)])

    def talks(call: object) -> object:
        say(tasks, call.run.id, "one", "two", "three")  # type: ignore[attr-defined]  # a step's call
        return completes(call)  # type: ignore[arg-type]  # the same

    tasks.scripted.does = dict.fromkeys(range(1, 9), talks)  # type: ignore[arg-type]  # as above
    path = execute(tasks)
    tasks.drive()
    said: list[str] = []
    logs = tasks.services.logs.last

    def last(run_id: str, limit: int) -> list[LogEntry]:
        said.append(run_id)
        return logs(run_id, limit)

    tasks.services.logs.last = last  # type: ignore[method-assign]  # counts
    assert len(tasks.read(f"{path}/logs?tail=3")["logs"]) == 3
    assert len(said) <= 3  # the execution's own, the last task's, and perhaps the one before
    assert len(tasks.read(f"{path}/logs")["logs"]) == 24


@pytest.mark.parametrize("tail", ["0", "-1", "many", "10001", "1.5"])
def test_a_bad_tail_is_refused(tasks: TasksDesk, tail: str) -> None:
    """With its name."""
    tasks.task()
    path = execute(tasks)
    answer = tasks.get(f"{path}/logs?tail={tail}")
    assert answer.status == 400
    assert answer.error.startswith("tail:")


def test_a_log_too_long_for_an_answer_shows_its_newest_lines(tasks: TasksDesk) -> None:
    """The answer stays within what a gateway carries."""
    tasks.task()
    tasks.scripted.does[1] = works_on
    path = execute(tasks)
    tasks.drive()
    say(tasks, tasks.run_of(), *(f"{number} " + "x" * 60_000 for number in range(100)))
    lines = tasks.read(f"{path}/logs")["logs"]
    assert 50 < len(lines) < 100
    assert " 99 x" in lines[-1]


# --- figures -------------------------------------------------------------------------------------------------------------------


def test_a_jobs_figures_are_the_sums_over_its_tasks_runs(tasks: TasksDesk) -> None:
    """Those of the time asked for; null where nothing was measured."""
    for name in "abc":
        tasks.task(name)
    assert tasks.read(f"{JOB}/metrics")["aggregated"]["totalExecutions"] == 0
    tasks.scripted.does[3] = fails
    for count, number in enumerate((1, 1, 3, 2)):
        if count == 1:
            tasks.clock.advance_to(tasks.clock.now() + timedelta(hours=12))
        tasks.start(f"{TASKS}/{number}")
        tasks.clock.advance(10)
        tasks.drive()
    tasks.start(f"{TASKS}/2")
    figures = tasks.read(f"{JOB}/metrics")
    assert (figures["jobId"], figures["startTime"], figures["endTime"], figures["truncated"]) == (1, None, None, False)
    assert figures["aggregated"] == {
        "totalExecutions": 5,
        "totalDurationSeconds": 40,
        "averageDurationSeconds": 10,
        "totalRecordsProcessed": 30,
        "totalRecordsOutput": 21,
        "totalOutputFileSizeBytes": None,
        "totalDriverMemoryUsedBytes": None,
        "totalExecutorMemoryUsedBytes": None,
        "totalCpuTimeSeconds": 5,
        "totalErrorCount": 0,
        "totalWarningCount": None,
        "completedCount": 3,
        "failedCount": 1,
        "runningCount": 1,
    }
    earlier = tasks.read(f"{JOB}/metrics?endTime=2026-01-01T06:00:00Z")
    assert earlier["aggregated"]["totalExecutions"] == 1
    later = tasks.read(f"{JOB}/metrics?startTime=2026-01-01T06:00:00Z&endTime=2027-01-01T00:00:00Z")
    assert (later["aggregated"]["totalExecutions"], later["startTime"]) == (4, "2026-01-01T06:00:00.000Z")
    for bad in ("yesterday", "2026-01-01T00:00:00", "9999-12-31T23:59:59-10:00"):
        assert tasks.get(f"{JOB}/metrics?startTime={bad}").error.startswith("startTime:")
    assert tasks.get(f"{PROJECT}/jobs/9/metrics").status == 404


def test_figures_are_summed_over_a_bounded_number_of_runs(tasks: TasksDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest, and the answer says that there are more."""
    monkeypatch.setattr("quintet.dialects.etl.executions.MOST_RUNS", 3)
    tasks.task()
    for count in (1, 2, 3, 4):
        tasks.start()
        tasks.drive()
        figures = tasks.read(f"{JOB}/metrics")
        assert (figures["aggregated"]["totalExecutions"], figures["truncated"]) == (min(count, 3), count > 3)
