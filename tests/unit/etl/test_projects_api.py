"""Projects: create, read, change, delete; schedules."""

import pytest
from tasks_desk import JOB, PROJECT, TASK, TasksDesk

FIELDS = ["id", "name", "description", "cronSchedule", "enabled", "jobIds", "createdAt", "updatedAt"]


def test_a_project_is_created_and_read_by_id_and_by_name(tasks: TasksDesk) -> None:
    """With all its fields, unset ones null; ids count on."""
    answer = tasks.post("/projects", {"name": "Ünder scores & more", "description": "d", "id": "77", "jobIds": ["9"]})
    assert answer.status == 201
    made = answer.json
    assert list(made) == FIELDS
    assert made == {
        "id": "2",
        "name": "Ünder scores & more",
        "description": "d",
        "cronSchedule": None,
        "enabled": True,
        "jobIds": [],
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    assert tasks.read("/projects/id/2") == made
    assert tasks.read("/projects/Ünder scores & more") == made


def test_projects_are_listed_by_number_page_by_page(tasks: TasksDesk) -> None:
    """A bare array; the header has the whole list's length."""
    for name in "bcd":
        tasks.post("/projects", {"name": name})
    whole = tasks.get("/projects")
    assert [one["name"] for one in whole.json] == ["shop", "b", "c", "d"]
    assert whole.headers["x-total-count"] == "4"
    page = tasks.get("/projects?page=1&pageSize=3")
    assert [one["name"] for one in page.json] == ["d"]
    assert page.headers["x-total-count"] == "4"
    beyond = tasks.get("/projects?page=9&pageSize=3")
    assert (beyond.json, beyond.headers["x-total-count"]) == ([], "4")


def test_a_project_changes_in_what_is_named_and_keeps_the_rest(tasks: TasksDesk) -> None:
    """Null clears; the id, the jobs and the time of creation stay, whatever the body says of them."""
    tasks.clock.advance(5)
    body = {
        "description": "d",
        "cronSchedule": "0 3 * * *",
        "id": "9",
        "jobIds": [],
        "createdAt": "2020-01-01T00:00:00Z",
    }
    changed = tasks.put(PROJECT, body).json
    assert (changed["id"], changed["name"], changed["jobIds"]) == ("1", "shop", ["1"])
    assert (changed["description"], changed["cronSchedule"]) == ("d", "0 3 * * *")
    assert changed["createdAt"] == "2026-01-01T00:00:00.000Z" < changed["updatedAt"]
    assert tasks.put(PROJECT, changed).json == changed  # as it was read
    cleared = tasks.put("/projects/shop", {"description": None, "cronSchedule": None}).json
    assert (cleared["description"], cleared["cronSchedule"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name: Field required"),
        ({"name": ""}, "name:"),
        ({"name": None}, "name:"),
        ({"name": " a"}, "name:"),
        ({"name": "a\nb"}, "name:"),
        ({"name": "a" * 256}, "name:"),
        ({"name": 5}, "name:"),
        ({"name": "a", "enabled": "yes"}, "enabled:"),
        ({"name": "a", "cronSchedule": "every day"}, "cronSchedule: a cron expression has five fields"),
        ({"name": "a", "cronSchedule": "0 0 30 2 *"}, "cronSchedule: not a cron expression: Bad day-of-month"),
        ({"name": "a", "description": ["x"]}, "description:"),
        (["a"], "body:"),
    ],
)
def test_a_bad_project_is_refused_with_the_place(tasks: TasksDesk, body: object, said: str) -> None:
    """And nothing of it is there afterwards."""
    answer = tasks.post("/projects", body)
    assert answer.status == 400
    assert answer.error.startswith(said)
    assert len(tasks.get("/projects").json) == 1


def test_a_name_is_one_projects_alone(tasks: TasksDesk) -> None:
    """At creation and at a change; it is free again after a rename, or after the project is gone."""
    assert tasks.post("/projects", {"name": "shop"}).status == 409
    assert tasks.post("/projects", {"name": "other"}).status == 201
    assert tasks.put("/projects/other", {"name": "shop"}).status == 409
    assert tasks.read("/projects/other")["name"] == "other"
    assert tasks.put("/projects/other", {"name": "third"}).json["name"] == "third"
    assert tasks.get("/projects/other").status == 404
    assert tasks.put(PROJECT, {"name": "other"}).status == 200
    assert tasks.delete("/projects/third").json == {}
    assert tasks.post("/projects", {"name": "third"}).status == 201


@pytest.mark.parametrize(
    "path", ["/projects/id/2", "/projects/id/0", "/projects/id/x", "/projects/nobody", "/projects/id/1/jobs/2"]
)
def test_what_is_not_there_is_not_found(tasks: TasksDesk, path: str) -> None:
    """Whatever is asked of it."""
    for method in ("GET", "PUT", "DELETE"):
        answer = tasks.send(method, path, {} if method == "PUT" else None)
        assert (answer.status, answer.json["code"]) == (404, 404)


def test_another_tenants_projects_are_not_seen(tasks: TasksDesk) -> None:
    """Numbers count in each key's project from 1, and reach nothing of another's."""
    tasks.add_key("theirs", "admin", project="other")
    assert tasks.get("/projects", key="theirs").json == []
    assert tasks.get(PROJECT, key="theirs").status == 404
    assert tasks.post("/projects", {"name": "shop"}, key="theirs").json["id"] == "1"
    assert tasks.delete(PROJECT, key="theirs").json == {}
    assert tasks.read(PROJECT)["name"] == "shop"


# --- schedules -----------------------------------------------------------------------------------------------------------------


def test_a_schedule_is_set_read_and_cleared(tasks: TasksDesk) -> None:
    """What is not named stays as it is; the project shows the same cron."""
    path = f"{PROJECT}/schedule"
    unset = {"cronSchedule": None, "enabled": True, "timezone": None, "jobId": None}
    assert tasks.read(path) == unset
    body = {"cronSchedule": "30 2 * * *", "enabled": True, "timezone": "Europe/Rome", "jobId": "1"}
    assert tasks.put(path, body).json == body
    assert tasks.read(path) == body
    assert tasks.read(PROJECT)["cronSchedule"] == "30 2 * * *"
    assert tasks.put(path, {"enabled": False}).json == {**body, "enabled": False}
    assert tasks.read(PROJECT)["enabled"] is False
    assert tasks.put(path, {"cronSchedule": None, "enabled": True, "jobId": None}).json == unset


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"cronSchedule": "61 * * * *"}, "cronSchedule: not a cron expression"),
        ({"cronSchedule": "* * * * *", "timezone": "Mars/Olympus"}, "timezone: unknown time zone"),
        ({"cronSchedule": "* * * * *", "jobId": "9"}, "jobId: there is no job 9"),
        ({"timezone": "Europe/Rome"}, "timezone: is that of a cronSchedule, and there is none"),
        ({"jobId": "x"}, "jobId:"),
        ({"enabled": 1}, "enabled:"),
    ],
)
def test_a_bad_schedule_is_refused_with_the_place(tasks: TasksDesk, body: dict[str, object], said: str) -> None:
    """With the schedule's own message; what was set before stays."""
    answer = tasks.put(f"{PROJECT}/schedule", body)
    assert answer.status == 400
    assert answer.error.startswith(said)
    assert tasks.read(f"{PROJECT}/schedule")["cronSchedule"] is None


def test_a_schedule_of_one_job_ends_with_it(tasks: TasksDesk) -> None:
    """It does not go over to the other jobs."""
    tasks.post(f"{PROJECT}/jobs", {"name": "second"})
    tasks.put(f"{PROJECT}/schedule", {"cronSchedule": "0 * * * *", "jobId": "1"})
    tasks.delete(JOB)
    assert tasks.read(f"{PROJECT}/schedule") == {"cronSchedule": None, "enabled": True, "timezone": None, "jobId": None}


def test_a_deleted_project_takes_its_jobs_and_tasks_with_it(tasks: TasksDesk) -> None:
    """Their runs stay readable, and their numbers are not given again."""
    tasks.task()
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    assert tasks.delete(PROJECT).json == {}
    for path in (PROJECT, JOB, TASK, f"{JOB}/tasks", f"{PROJECT}/jobs", f"{PROJECT}/schedule"):
        assert tasks.get(path).status == 404
    assert tasks.services.reading.run("default", run).status == "completed"
    assert tasks.post("/projects", {"name": "shop"}).json["id"] == "2"
    assert tasks.post("/projects/id/2/jobs", {"name": "j"}).json["id"] == "2"
    assert tasks.task(job="/projects/id/2/jobs/2")["id"] == "2"


def test_much_is_deleted_in_several_requests(tasks: TasksDesk) -> None:
    """Each goes on where the one before stopped, before the gateway would give it up; nothing is seen meanwhile."""
    for name in "abcd":
        tasks.task(name)
    deleted: list[int] = []
    for _ in range(9):
        tasks.interrupt("jobs.delete", lambda: tasks.clock.advance(21))
        answer = tasks.delete(PROJECT)
        deleted.append(answer.status)
        assert tasks.get(PROJECT).status == tasks.get(JOB).status == tasks.get(TASK).status == 404
        if answer.status == 200:
            break
        assert answer.headers["retry-after"] == "1"
    assert deleted == [429] * 5 + [200]
    assert tasks.get("/projects").json == []


def test_a_project_is_not_deleted_while_something_in_it_runs(tasks: TasksDesk) -> None:
    """A task, or an execution of a job."""
    tasks.task()
    tasks.start()
    answer = tasks.delete(PROJECT)
    assert (answer.status, answer.error) == (409, "Task 1 is running")
    tasks.drive()
    tasks.post(f"{JOB}/execute")
    answer = tasks.delete(PROJECT)
    assert (answer.status, answer.error) == (409, "Job 1 is running")
    tasks.drive()
    assert tasks.delete(PROJECT).status == 200
