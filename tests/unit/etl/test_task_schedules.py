"""What starts by itself: scheduled tasks, and projects by cron."""

import pytest
from tasks_desk import JOB, PROJECT, TASK, TASKS, TasksDesk, works_on


def pass_minutes(tasks: TasksDesk, minutes: int) -> None:
    """Time passes, with a tick a minute."""
    for _ in range(minutes):
        tasks.tick()
        tasks.pass_time(60)


def test_a_scheduled_task_starts_once_at_its_second(tasks: TasksDesk) -> None:
    """And shows its run then; the time stays to be read."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:10:07Z")
    pass_minutes(tasks, 10)
    assert tasks.read()["executionStatus"] == "PENDING"
    pass_minutes(tasks, 60)
    assert len(tasks.scripted.calls) == 1
    assert tasks.read()["executionStatus"] == "COMPLETED"
    assert tasks.log()["startedAt"] == "2026-01-01T00:10:07.000Z"
    assert tasks.read()["scheduledTime"] == "2026-01-01T00:10:07.000Z"


def test_a_moment_that_comes_before_the_next_tick_comes_in_time(tasks: TasksDesk) -> None:
    """At creation, at a change, and for a job; once each."""
    tasks.tick()
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:00:20Z")
    tasks.put(JOB, {"scheduledTime": "2026-01-01T00:00:40Z"})
    tasks.pass_time(30)
    assert tasks.log()["startedAt"] == "2026-01-01T00:00:20.000Z"
    tasks.pass_time(15)
    assert tasks.log()["startedAt"] == "2026-01-01T00:00:40.000Z"
    tasks.put(TASK, {"scheduledTime": "2026-01-01T00:00:55Z"})
    tasks.pass_time(15)
    assert tasks.log()["startedAt"] == "2026-01-01T00:00:55.000Z"
    pass_minutes(tasks, 5)
    assert len(tasks.scripted.calls) == 3


@pytest.mark.parametrize("mode", ["MANUAL", "EVENT_DRIVEN"])
def test_only_scheduled_tasks_start_by_themselves(tasks: TasksDesk, mode: str) -> None:
    """The others may have a time, which starts nothing."""
    tasks.task("t", executionMode=mode, scheduledTime="2026-01-01T00:05:00Z")
    pass_minutes(tasks, 20)
    assert tasks.read()["executionStatus"] == "PENDING"


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"executionMode": "MANUAL"},
        {"scheduledTime": None, "executionMode": "MANUAL"},
        {"scheduledTime": "2026-03-01T00:00:00Z"},
    ],
)
@pytest.mark.parametrize("minutes", [0, 4, 5])
def test_a_time_that_is_taken_back_starts_nothing(tasks: TasksDesk, change: dict[str, object], minutes: int) -> None:
    """Also in the last minute, when its run has been prepared already."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:05:30Z")
    pass_minutes(tasks, minutes)
    tasks.tick()
    assert tasks.put(TASK, change).status == 200
    pass_minutes(tasks, 30)
    assert tasks.scripted.calls == []


def test_a_time_that_was_moved_starts_the_task_then(tasks: TasksDesk) -> None:
    """Later or earlier, and once."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:05:30Z")
    pass_minutes(tasks, 5)
    tasks.tick()
    tasks.put(TASK, {"scheduledTime": "2026-01-01T01:00:00Z"})
    tasks.put(TASK, {"scheduledTime": "2026-01-01T00:20:00Z"})
    pass_minutes(tasks, 90)
    assert [call.now.isoformat() for call in tasks.scripted.calls] == ["2026-01-01T00:20:00+00:00"]


def test_other_changes_leave_the_time_alone(tasks: TasksDesk) -> None:
    """Before it, and after it, when writing the task as it was read must not start it again."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:05:00Z")
    tasks.put(TASK, {"name": "u"})
    pass_minutes(tasks, 10)
    assert len(tasks.scripted.calls) == 1
    assert tasks.put(TASK, tasks.read()).status == 200
    assert tasks.put(TASK, {"enabled": False}).status == tasks.put(TASK, {"enabled": True}).status == 200
    pass_minutes(tasks, 10)
    assert len(tasks.scripted.calls) == 1
    answer = tasks.put(TASK, {"scheduledTime": "2026-01-01T00:06:00Z"})
    assert (answer.status, answer.error) == (
        400,
        "scheduledTime: must be in the future when executionMode is SCHEDULED",
    )


def test_a_task_that_was_disabled_over_its_time_waits_for_another(tasks: TasksDesk) -> None:
    """One that is enabled again before its time starts at it."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:05:00Z")
    tasks.put(TASK, {"enabled": False})
    pass_minutes(tasks, 2)
    tasks.put(TASK, {"enabled": True})
    pass_minutes(tasks, 10)
    assert len(tasks.scripted.calls) == 1


def test_a_task_that_is_running_at_its_time_is_not_started_again(tasks: TasksDesk) -> None:
    """The moment passes it over."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:05:30Z")
    tasks.scripted.does[1] = works_on
    pass_minutes(tasks, 3)
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    pass_minutes(tasks, 10)
    assert len(tasks.scripted.calls) == 1
    assert tasks.run_of() == run


# --- projects ------------------------------------------------------------------------------------------------------------------


def test_a_projects_cron_executes_its_jobs_and_their_tasks_in_order(tasks: TasksDesk) -> None:
    """In its time zone; jobs that are disabled are left out."""
    tasks.task("a", dependsOn=[])
    tasks.task("b", dependsOn=["1"])
    for name in ("second", "third"):
        tasks.post(f"{PROJECT}/jobs", {"name": name})
    tasks.task("c", job=f"{PROJECT}/jobs/2")
    tasks.task("d", job=f"{PROJECT}/jobs/3")
    tasks.put(f"{PROJECT}/jobs/3", {"enabled": False})
    tasks.scripted.does[1] = works_on
    tasks.put(f"{PROJECT}/schedule", {"cronSchedule": "30 2 * * *", "timezone": "Europe/Rome"})
    pass_minutes(tasks, 89)
    assert tasks.scripted.calls == []
    pass_minutes(tasks, 2)
    assert sorted(tasks.scripted.order) == [1, 3]
    assert [call.now.isoformat() for call in tasks.scripted.calls] == ["2026-01-01T01:30:00+00:00"] * 2
    assert [job["executionStatus"] for job in tasks.get(f"{PROJECT}/jobs").json] == ["RUNNING", "COMPLETED", "PENDING"]
    tasks.finish()
    assert tasks.scripted.order[2:] == [2]
    assert tasks.read(JOB)["executionStatus"] == "COMPLETED"
    pass_minutes(tasks, 24 * 60)
    assert sorted(tasks.scripted.order[3:]) == [1, 3]


def test_a_schedule_of_one_job_executes_that_one(tasks: TasksDesk) -> None:
    """And a disabled one nothing."""
    tasks.task("a")
    tasks.post(f"{PROJECT}/jobs", {"name": "second"})
    tasks.task("b", job=f"{PROJECT}/jobs/2")
    tasks.put(f"{PROJECT}/schedule", {"cronSchedule": "*/10 * * * *", "jobId": "2"})
    pass_minutes(tasks, 11)
    assert tasks.scripted.order == [2]
    tasks.put(f"{PROJECT}/schedule", {"enabled": False})
    pass_minutes(tasks, 30)
    assert tasks.scripted.order == [2]


def test_a_moment_is_passed_over_while_the_project_still_runs(tasks: TasksDesk) -> None:
    """The next one comes when it is done."""
    tasks.task("a")
    tasks.scripted.does[1] = works_on
    tasks.put(f"{PROJECT}/schedule", {"cronSchedule": "*/10 * * * *"})
    pass_minutes(tasks, 25)
    assert tasks.scripted.order == [1]
    tasks.finish()
    pass_minutes(tasks, 10)
    assert tasks.scripted.order == [1, 1]


def test_a_change_of_tasks_counts_for_the_next_moment(tasks: TasksDesk) -> None:
    """What is new is called, what is gone is not."""
    tasks.task("a")
    tasks.put(f"{PROJECT}/schedule", {"cronSchedule": "*/10 * * * *"})
    pass_minutes(tasks, 11)
    tasks.task("b")
    tasks.delete(TASK)
    pass_minutes(tasks, 10)
    assert tasks.scripted.order == [1, 2]
    tasks.put(f"{TASKS}/2", {"enabled": False})
    pass_minutes(tasks, 10)
    assert tasks.scripted.order == [1, 2]
