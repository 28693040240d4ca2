"""The jobs of projects: create, read, change, delete."""

import pytest
from tasks_desk import JOB, PROJECT, TASK, TASKS, TasksDesk

JOBS = f"{PROJECT}/jobs"
FIELDS = [
    "id",
    "name",
    "description",
    "projectId",
    "inputDatasetId",
    "executionStatus",
    "scheduledTime",
    "enabled",
    "taskIds",
    "createdAt",
    "updatedAt",
]


def dataset(tasks: TasksDesk) -> str:
    """The id of a dataset that is there."""
    return str(tasks.services.datasets.for_task("default", 999, "rows").number)


def test_a_job_is_created_and_read(tasks: TasksDesk) -> None:
    """With all its fields, unset ones null; its project knows it."""
    source = dataset(tasks)
    answer = tasks.post(JOBS, {"name": "j", "inputDatasetId": source, "description": "d", "executionStatus": "FAILED"})
    assert answer.status == 201
    made = answer.json
    assert list(made) == FIELDS
    assert (made["id"], made["projectId"], made["inputDatasetId"]) == ("2", "1", source)
    assert (made["executionStatus"], made["enabled"], made["taskIds"]) == ("PENDING", True, [])
    assert tasks.read(f"{JOBS}/2") == made
    assert tasks.read(PROJECT)["jobIds"] == ["1", "2"]
    assert [job["id"] for job in tasks.get(JOBS).json] == ["1", "2"]


def test_a_job_changes_in_what_is_named_and_keeps_the_rest(tasks: TasksDesk) -> None:
    """Null clears; what was read can be written."""
    tasks.task()
    source = dataset(tasks)
    tasks.put(JOB, {"inputDatasetId": source, "description": "d", "taskIds": [], "id": "5", "projectId": "9"})
    changed = tasks.read(JOB)
    assert (changed["name"], changed["inputDatasetId"], changed["taskIds"]) == ("nightly", source, ["1"])
    assert tasks.put(JOB, changed).json == changed
    cleared = tasks.put(JOB, {"inputDatasetId": None, "description": None}).json
    assert (cleared["inputDatasetId"], cleared["description"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name: Field required"),
        ({"name": "j", "inputDatasetId": "99"}, "inputDatasetId: there is no dataset 99"),
        ({"name": "j", "inputDatasetId": "x"}, "inputDatasetId:"),
        ({"name": "j", "scheduledTime": "2026-06-01T00:00:00"}, "scheduledTime:"),
        ({"name": "j", "scheduledTime": 5}, "scheduledTime: must be an ISO 8601 time"),
        ({"name": "j", "scheduledTime": "9999-12-31T23:59:59-10:00"}, "scheduledTime:"),
        ({"name": "j", "enabled": "no"}, "enabled:"),
    ],
)
def test_a_bad_job_is_refused_with_the_place(tasks: TasksDesk, body: object, said: str) -> None:
    """And nothing of it is there afterwards."""
    answer = tasks.post(JOBS, body)
    assert answer.status == 400
    assert answer.error.startswith(said)
    assert len(tasks.get(JOBS).json) == 1


def test_a_job_of_another_project_is_not_found(tasks: TasksDesk) -> None:
    """Nor are its tasks, by whatever path."""
    tasks.task()
    tasks.post("/projects", {"name": "second"})
    for path in ("/projects/id/2/jobs/1", "/projects/id/2/jobs/1/tasks", "/projects/id/2/jobs/1/tasks/1"):
        assert tasks.get(path).status == 404
    assert tasks.get("/projects/id/9/jobs").status == 404
    assert tasks.post("/projects/id/9/jobs", {"name": "j"}).status == 404
    assert tasks.delete("/projects/id/2/jobs/1").status == 404
    assert tasks.read(TASK)["id"] == "1"


def test_a_deleted_job_takes_its_tasks_with_it(tasks: TasksDesk) -> None:
    """The project forgets it; deleting it again is a 404."""
    tasks.task()
    tasks.task("u", dependsOn=["1"])
    assert tasks.delete(JOB).json == {}
    assert tasks.get(JOB).status == tasks.get(TASK).status == tasks.get(TASKS).status == 404
    assert tasks.read(PROJECT)["jobIds"] == []
    assert tasks.delete(JOB).status == 404


def test_a_job_is_not_deleted_while_it_or_a_task_of_it_runs(tasks: TasksDesk) -> None:
    """Afterwards it is."""
    tasks.task()
    tasks.start()
    assert tasks.delete(JOB).error == "Task 1 is running"
    tasks.drive()
    tasks.post(f"{JOB}/execute")
    answer = tasks.delete(JOB)
    assert (answer.status, answer.error) == (409, "Job 1 is running")
    tasks.drive()
    assert tasks.delete(JOB).status == 200


def test_a_job_is_executed_once_at_its_time(tasks: TasksDesk) -> None:
    """Not before, not again, and not when it was disabled or the time was taken back; a time that is past starts nothing."""
    tasks.task()
    assert tasks.put(JOB, {"scheduledTime": "2019-08-24T14:15:22Z"}).json["scheduledTime"] == "2019-08-24T14:15:22.000Z"
    tasks.tick()
    assert tasks.scripted.order == []
    tasks.put(JOB, {"scheduledTime": "2026-01-01T02:00:00+01:00"})
    for _ in range(70):
        tasks.tick()
        tasks.pass_time(60)
    assert tasks.scripted.order == [1]
    assert tasks.read(JOB)["executionStatus"] == "COMPLETED"
    tasks.put(JOB, {"scheduledTime": "2026-01-01T03:00:00Z"})
    tasks.put(JOB, {"enabled": False})
    for _ in range(200):
        tasks.tick()
        tasks.pass_time(60)
    assert tasks.scripted.order == [1]


def test_a_project_holds_so_many_jobs_and_a_job_so_many_tasks(
    tasks: TasksDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is refused, and nothing of it is there."""
    monkeypatch.setattr("quintet.dialects.etl.members.MAX_MEMBERS", 2)
    assert tasks.post(JOBS, {"name": "b"}).status == 201
    answer = tasks.post(JOBS, {"name": "c"})
    assert (answer.status, answer.error) == (409, "A project holds at most 2")
    tasks.task("a")
    tasks.task("b")
    assert tasks.post(TASKS, {"name": "c", "taskType": "SQL"}).error == "A job holds at most 2"
    assert (len(tasks.get(JOBS).json), len(tasks.get(TASKS).json)) == (2, 2)
