"""Zombies: tasks that are running for too long are given up."""

import json

import pytest
from tasks_desk import JOB, TASK, TASKS, TasksDesk, works_on

from quintet.services.stops import leash

MARK = "/projects/admin/tasks/mark-zombies"


def zombies(tasks: TasksDesk, count: int) -> list[str]:
    """Tasks that are running from now on; their runs."""
    runs = []
    for number in range(1, count + 1):
        tasks.task(f"t{number}")
        tasks.scripted.does[number] = works_on
        runs.append(tasks.start(f"{TASKS}/{number}")["executionReferenceId"])
    tasks.drive()
    return runs


def test_zombies_are_marked_stopped_and_may_be_started_again(tasks: TasksDesk) -> None:
    """The published answer; the log gets its end; a result that comes later is refused."""
    first, _ = zombies(tasks, 2)
    tasks.clock.advance(23 * 3600)
    tasks.task("young")
    tasks.scripted.does[3] = works_on
    tasks.start(f"{TASKS}/3")
    tasks.drive()
    tasks.clock.advance(3600)
    answer = tasks.post(MARK)
    assert answer.status == 200
    assert answer.json == {
        "markedCount": 2,
        "markedTaskIds": [1, 2],
        "timeoutHours": 24,
        "message": "Marked 2 zombie task(s) as FAILED",
    }
    assert [task["executionStatus"] for task in tasks.get(TASKS).json] == ["FAILED", "FAILED", "RUNNING"]
    log = tasks.log()
    assert (log["status"], log["durationSeconds"], log["completedAt"]) == (
        "FAILED",
        86400.0,
        "2026-01-02T00:00:00.000Z",
    )
    assert log["error"] == "Zombie: given up: it was running for more than 24 hours"
    token = tasks.scripted.calls[0].token
    assert tasks.blobs.get(leash(first, token)) == b"{}"
    tasks.services.endings.wake(first)
    tasks.drive()
    assert tasks.run_of() == first
    assert tasks.read()["executionStatus"] == "FAILED"
    assert tasks.post(MARK).json["markedCount"] == 0
    tasks.scripted.does.clear()
    tasks.start()
    tasks.drive()
    assert tasks.read()["executionStatus"] == "COMPLETED"


@pytest.mark.parametrize(
    ("hours", "marked", "shown"), [("0.5", 1, 0.5), ("1", 0, 1), ("0.999", 1, 0.999), ("1e300", 0, 1e300)]
)
def test_hours_may_be_fractions(tasks: TasksDesk, hours: str, marked: int, shown: float) -> None:
    """And any number above 0."""
    zombies(tasks, 1)
    tasks.clock.advance(3599)
    answer = tasks.post(f"{MARK}?timeoutHours={hours}").json
    assert (answer["markedCount"], answer["timeoutHours"]) == (marked, shown)


@pytest.mark.parametrize("hours", ["0", "-1", "-0.5", "nan", "inf", "-inf", "many", "1,5", "1h", "1e999"])
def test_what_is_no_time_is_refused(tasks: TasksDesk, hours: str) -> None:
    """400 with the parameter's name."""
    zombies(tasks, 1)
    tasks.clock.advance(1e6)
    answer = tasks.post(f"{MARK}?timeoutHours={hours}")
    assert answer.status == 400
    assert answer.error.startswith("timeoutHours:")
    assert tasks.read()["executionStatus"] == "RUNNING"


def test_only_administrators_mark_zombies_and_only_their_own(tasks: TasksDesk) -> None:
    """A key without the scope is turned away; another project's is not reached."""
    zombies(tasks, 1)
    tasks.clock.advance(1e6)
    tasks.add_key("reader", "jobs:read", "jobs:write", "jobs:trigger", "runs:read")
    assert tasks.post(MARK, key="reader").status == 401
    tasks.add_key("theirs", "admin", project="other")
    assert tasks.post(MARK, key="theirs").json["markedTaskIds"] == []
    assert tasks.read()["executionStatus"] == "RUNNING"
    assert tasks.post(MARK).json["markedTaskIds"] == [1]


def test_a_zombie_in_an_execution_fails_it(tasks: TasksDesk) -> None:
    """The execution itself is no task and is not counted; it ends by its tasks."""
    tasks.task("a")
    tasks.task("b", dependsOn=["1"])
    tasks.scripted.does[1] = works_on
    execution = tasks.post(f"{JOB}/execute").json["executionId"]
    tasks.drive()
    tasks.clock.advance(25 * 3600)
    assert tasks.post(MARK).json["markedTaskIds"] == [1]
    tasks.drive()
    status = tasks.read(f"{JOB}/executions/{execution}/status")
    assert status["status"] == "FAILED"
    assert [one["status"] for one in status["tasks"]] == ["FAILED", "SKIPPED"]


def test_the_sweep_gives_zombies_up_by_itself(tasks: TasksDesk) -> None:
    """By the deployment's own time, 24 hours."""
    zombies(tasks, 1)
    for hours, status in ((23, "RUNNING"), (2, "FAILED")):
        for _ in range(hours * 4):
            tasks.pass_time(900)
            tasks.services.sweep()
            tasks.drive()
        assert tasks.read()["executionStatus"] == status
    assert json.loads(tasks.read()["executionLog"])["error"].startswith("Zombie: given up")
    assert tasks.post(f"{TASK}/start").status == 200
