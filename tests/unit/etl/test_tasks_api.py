"""Tasks: create, read, change, delete."""

import pytest
from tasks_desk import JOB, PROJECT, TASK, TASKS, TasksDesk, works_on

from quintet.services.ports.runs import RunList

FIELDS = [
    "id",
    "name",
    "description",
    "jobId",
    "botId",
    "outputDatasetId",
    "taskType",
    "executionReferenceId",
    "executionStatus",
    "executionLog",
    "scheduledTime",
    "executionMode",
    "enabled",
    "apiKey",
    "createdAt",
    "updatedAt",
]
SEED = {
    "id": "string",
    "name": "string",
    "description": "string",
    "jobId": "string",
    "botId": "string",
    "taskType": "SPARK",
    "executionReferenceId": "string",
    "executionStatus": "PENDING",
    "executionLog": "string",
    "scheduledTime": "2019-08-24T14:15:22Z",
    "executionMode": "MANUAL",
    "enabled": True,
    "apiKey": "string",
    "createdAt": "2019-08-24T14:15:22Z",
    "updatedAt": "2019-08-24T14:15:22Z",
}
"""The body of the published document, without its outputDatasetId, which must name a dataset."""


def test_the_published_body_makes_a_task(tasks: TasksDesk) -> None:
    """What only the server knows is left aside; the fields come in the published order; the key is not shown."""
    answer = tasks.post(TASKS, SEED)
    assert answer.status == 201
    made = answer.json
    assert list(made) == FIELDS
    assert made["outputDatasetId"].isdigit()
    assert made == {
        **SEED,
        "id": "1",
        "jobId": "1",
        "outputDatasetId": made["outputDatasetId"],
        "executionReferenceId": None,
        "executionStatus": "PENDING",
        "executionLog": None,
        "scheduledTime": "2019-08-24T14:15:22.000Z",
        "apiKey": None,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    assert tasks.read() == made
    assert tasks.get(TASKS).json == [made]
    assert tasks.read(JOB)["taskIds"] == ["1"]


def test_name_and_type_are_all_that_a_task_needs(tasks: TasksDesk) -> None:
    """The rest is null or what one expects; every task has a dataset for its output from its beginning."""
    made = tasks.post(TASKS, {"name": "t", "taskType": "SQL", "description": None, "enabled": None}).json
    unset = {name: made[name] for name in ("description", "botId", "scheduledTime", "apiKey")}
    assert set(unset.values()) == {None}
    assert (made["executionMode"], made["enabled"]) == ("MANUAL", True)
    assert tasks.services.datasets.get("default", int(made["outputDatasetId"])).name == "t"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": None}, "name:"),
        ({"name": "x" * 256}, "name:"),
        ({"taskType": "RUBY"}, "taskType:"),
        ({"taskType": None}, "taskType:"),
        ({"executionMode": "SOMETIMES"}, "executionMode:"),
        ({"enabled": "true"}, "enabled:"),
        ({"botId": {"a": 1}}, "botId:"),
        ({"botId": ""}, "botId:"),
        ({"apiKey": 5}, "apiKey:"),
        ({"apiKey": "ü" * 4000}, "apiKey: must have at most 4096 bytes"),
        ({"scheduledTime": "tomorrow"}, "scheduledTime:"),
        ({"scheduledTime": "2026-06-01T00:00:00"}, "scheduledTime:"),
        ({"executionMode": "SCHEDULED"}, "scheduledTime: required when executionMode is SCHEDULED"),
        (
            {"executionMode": "SCHEDULED", "scheduledTime": "2026-01-01T00:00:00Z"},
            "scheduledTime: must be in the future",
        ),
        ({"inputDatasetId": "99"}, "inputDatasetId: there is no dataset 99"),
        ({"outputDatasetId": "99"}, "outputDatasetId: there is no dataset 99"),
        ({"outputDatasetId": "0"}, "outputDatasetId:"),
        ({"dependsOn": ["1", "9"]}, "dependsOn: there is no task 1 in this job; dependsOn: there is no task 9"),
        ({"dependsOn": "1"}, "dependsOn:"),
        ({"dependsOn": ["a"]}, "dependsOn[0]:"),
    ],
)
def test_a_bad_task_is_refused_with_the_place(tasks: TasksDesk, fields: dict[str, object], said: str) -> None:
    """And nothing of it is there afterwards, no dataset either."""
    before = tasks.services.datasets.count("default")
    answer = tasks.post(TASKS, {"name": "t", "taskType": "PYTHON", **fields})
    assert answer.status == 400
    assert answer.error.startswith(said)
    assert tasks.get(TASKS).json == []
    assert tasks.services.datasets.count("default") == before


def test_what_was_read_can_be_written(tasks: TasksDesk) -> None:
    """And changes nothing: not the key, which is read as null, nor what only the server knows, nor the version that runs."""
    tasks.task("first")
    tasks.task("t", apiKey="hush", dependsOn=["1"], description="d", scheduledTime="2026-03-01T00:00:00Z")
    tasks.start(f"{TASKS}/2")
    tasks.drive()
    was = tasks.read(f"{TASKS}/2")
    assert was["dependsOn"] == ["1"]
    version = tasks.services.jobs.by_slug("default", "etl", "task-2")
    assert tasks.put(f"{TASKS}/2", was).json == was
    assert tasks.services.jobs.by_slug("default", "etl", "task-2") == version
    assert key_of(tasks, 2) == "hush"


def key_of(tasks: TasksDesk, task: int) -> str | None:
    """A task's key, as its program gets it."""
    known = tasks.services.jobs.by_slug("default", "etl", f"task-{task}").settings["etl"]
    sealed = known.get("apiKey")
    return None if sealed is None else tasks.services.vault.open(sealed, f"etl-task:1:{task}")


def test_put_replaces_what_it_names_and_null_clears(tasks: TasksDesk) -> None:
    """All else stays, and so do id, jobId and createdAt."""
    made = tasks.task("t", description="d", scheduledTime="2026-03-01T00:00:00Z")
    tasks.clock.advance(60)
    changed = tasks.put(TASK, {"name": "u", "id": "9", "jobId": "9", "createdAt": "2000-01-01T00:00:00Z"}).json
    assert changed == {**made, "name": "u", "updatedAt": "2026-01-01T00:01:00.000Z"}
    cleared = tasks.put(TASK, {"description": None, "botId": None, "scheduledTime": None, "executionMode": None}).json
    assert (cleared["description"], cleared["botId"], cleared["scheduledTime"]) == (None, None, None)
    assert cleared["executionMode"] == "MANUAL"
    for field in ("name", "taskType"):
        answer = tasks.put(TASK, {field: None})
        assert (answer.status, answer.error) == (400, f"{field}: can't be cleared")


def test_a_key_is_kept_changed_and_taken_away_and_never_shown(tasks: TasksDesk) -> None:
    """Sealed for its task alone; the same key again changes nothing."""
    tasks.task("t", apiKey="hush")
    sealed = tasks.services.jobs.by_slug("default", "etl", "task-1").settings["etl"]["apiKey"]
    assert "hush" not in sealed
    tasks.put(TASK, {"apiKey": "hush"})
    assert tasks.services.jobs.by_slug("default", "etl", "task-1").settings["etl"]["apiKey"] == sealed
    tasks.put(TASK, {"apiKey": "other"})
    assert key_of(tasks, 1) == "other"
    tasks.put(TASK, {"apiKey": ""})
    assert key_of(tasks, 1) is None
    assert "hush" not in tasks.get(TASK).text + tasks.get(TASKS).text


def test_the_key_is_in_no_version_of_what_runs(tasks: TasksDesk) -> None:
    """Versions are shown by other APIs."""
    tasks.task("t", apiKey="hush")
    sealed = tasks.services.jobs.by_slug("default", "etl", "task-1").settings["etl"]["apiKey"]
    job = tasks.services.jobs.by_slug("default", "etl", "task-1")
    version = tasks.services.jobs.version(job.id, 1)
    assert sealed not in repr(version)
    assert version.plan.steps[0].config == {
        "type": "PYTHON",
        "task": 1,
        "program": "etl",
        "output": int(tasks.read()["outputDatasetId"]),
    }


def test_a_circle_is_refused_with_its_way(tasks: TasksDesk) -> None:
    """Of two tasks, of more, and of one with itself; an order without one is taken."""
    for name in "abc":
        tasks.task(name)
    assert tasks.put(f"{TASKS}/2", {"dependsOn": ["1", 1, "1"]}).json["dependsOn"] == ["1"]
    assert tasks.put(f"{TASKS}/3", {"dependsOn": ["2"]}).status == 200
    answer = tasks.put(f"{TASKS}/1", {"dependsOn": ["3"]})
    assert answer.status == 400
    assert answer.error in {
        f"dependsOn: a circle: {way}" for way in ("1 -> 3 -> 2 -> 1", "3 -> 2 -> 1 -> 3", "2 -> 1 -> 3 -> 2")
    }
    assert tasks.put(f"{TASKS}/1", {"dependsOn": ["1"]}).error == "dependsOn: a circle: 1 -> 1"
    assert "dependsOn" not in tasks.read()


def test_a_task_of_another_job_is_neither_found_nor_depended_on(tasks: TasksDesk) -> None:
    """Numbers count over all jobs of the key's project."""
    tasks.task()
    tasks.post(f"{PROJECT}/jobs", {"name": "second"})
    other = f"{PROJECT}/jobs/2/tasks"
    assert tasks.task("u", job=f"{PROJECT}/jobs/2")["id"] == "2"
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/status"),
        ("POST", "/start"),
        ("POST", "/stop"),
    ):
        assert tasks.send(method, f"{other}/1{path}", {} if method == "PUT" else None).status == 404
    assert tasks.get(f"{other}/1/metrics").status == 404
    assert tasks.put(f"{other}/2", {"dependsOn": ["1"]}).error == "dependsOn: there is no task 1 in this job"
    assert tasks.post(f"{PROJECT}/jobs/9/tasks", {"name": "t", "taskType": "SQL"}).status == 404


def test_a_named_dataset_takes_the_output(tasks: TasksDesk) -> None:
    """In place of one of the task's own; cleared, the task has one of its own, which it keeps however often that is said."""
    shared = str(tasks.services.datasets.for_task("default", 999, "shared").number)
    assert tasks.task("t", outputDatasetId=int(shared))["outputDatasetId"] == shared
    own = tasks.put(TASK, {"outputDatasetId": None}).json["outputDatasetId"]
    assert own != shared
    assert tasks.put(TASK, {"outputDatasetId": None}).json["outputDatasetId"] == own
    assert tasks.put(TASK, {"outputDatasetId": shared}).json["outputDatasetId"] == shared
    tasks.start()
    tasks.drive()
    assert [call.config["output"] for call in tasks.scripted.calls] == [int(shared)]


def test_an_own_dataset_with_rows_is_found_again(tasks: TasksDesk) -> None:
    """A task that wrote elsewhere for a while comes back to what it left; an empty one is not kept for it."""
    own = int(tasks.task()["outputDatasetId"])
    shared = str(tasks.services.datasets.for_task("default", 999, "shared").number)
    tasks.put(TASK, {"outputDatasetId": shared})
    assert tasks.get(f"/datasets/{own}").status == 404
    own = int(tasks.put(TASK, {"outputDatasetId": None}).json["outputDatasetId"])
    tasks.services.datasets.upload("default", own, "csv", b"a\n1\n")
    tasks.put(TASK, {"outputDatasetId": shared})
    assert tasks.put(TASK, {"outputDatasetId": None}).json["outputDatasetId"] == str(own)


def test_a_task_whose_dataset_was_deleted_gets_another_one_when_it_starts(tasks: TasksDesk) -> None:
    """Its rows have somewhere to go."""
    own = tasks.task()["outputDatasetId"]
    assert tasks.delete(f"/datasets/{own}").status < 300
    again = tasks.start()["outputDatasetId"]
    assert again != own
    tasks.drive()
    assert [call.config["output"] for call in tasks.scripted.calls] == [int(again)]


def test_a_deleted_task_is_gone_and_its_runs_stay(tasks: TasksDesk) -> None:
    """So does the rest of its job, which no longer calls it."""
    tasks.task("a")
    tasks.task("b")
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    assert tasks.delete(TASK).json == {}
    assert tasks.get(TASK).status == 404
    assert tasks.delete(TASK).status == 404
    assert [one["name"] for one in tasks.get(TASKS).json] == ["b"]
    assert tasks.read(JOB)["taskIds"] == ["2"]
    assert tasks.services.reading.run("default", run).status == "completed"
    tasks.post(f"{JOB}/execute")
    tasks.drive()
    assert tasks.scripted.order == [1, 2]
    assert tasks.task("c")["id"] == "3"


def test_a_task_is_not_deleted_while_it_runs_or_is_needed(tasks: TasksDesk) -> None:
    """Nor while an execution of its job may still come to it."""
    tasks.task("a")
    tasks.task("b", dependsOn=["1"])
    tasks.scripted.does[1] = works_on
    tasks.start()
    tasks.drive()
    assert tasks.delete(TASK).error == "Task 1 is running"
    tasks.post(f"{TASK}/stop")
    answer = tasks.delete(TASK)
    assert (answer.status, answer.error) == (409, "Tasks depend on task 1: 2")
    tasks.post(f"{JOB}/execute")
    answer = tasks.delete(f"{TASKS}/2")
    assert (answer.status, answer.error) == (409, "Job 1 is running")
    tasks.drive()
    tasks.post(f"{JOB}/stop")
    assert tasks.delete(f"{TASKS}/2").status == tasks.delete(TASK).status == 200


def test_a_run_that_begins_while_its_task_is_deleted_does_not_go_on(tasks: TasksDesk) -> None:
    """Whoever deletes it finds the run after the deletion at the latest."""
    tasks.task()
    started: list[str] = []
    tasks.interrupt("jobs.update_many", lambda: started.append(tasks.start()["executionReferenceId"]))
    assert tasks.delete(TASK).json == {}
    assert tasks.services.reading.run("default", *started).status == "canceled"


@pytest.mark.parametrize("path", [TASK, JOB, PROJECT])
def test_a_run_that_was_prepared_for_a_moment_is_called_off_with_its_task(tasks: TasksDesk, path: str) -> None:
    """The tick prepares runs up to a minute ahead."""
    tasks.task("t", executionMode="SCHEDULED", scheduledTime="2026-01-01T00:00:30Z")
    tasks.tick()
    assert tasks.delete(path).json == {}
    tasks.pass_time(120)
    assert tasks.scripted.order == []
    (run,) = tasks.services.runs.browse(RunList("default"), 10).runs
    assert run.status == "canceled"


def test_a_disabled_task_is_left_out_and_those_behind_it_follow_what_it_follows(tasks: TasksDesk) -> None:
    """When it is enabled again it takes its place."""
    tasks.task("a")
    tasks.task("b", dependsOn=["1"])
    tasks.task("c", dependsOn=["2"])
    tasks.put(f"{TASKS}/2", {"enabled": False})
    tasks.scripted.does[1] = works_on
    tasks.post(f"{JOB}/execute")
    tasks.drive()
    assert tasks.scripted.order == [1]
    tasks.finish()
    assert tasks.scripted.order == [1, 3]
    tasks.put(f"{TASKS}/2", {"enabled": True})
    tasks.post(f"{JOB}/execute")
    tasks.drive()
    tasks.finish()
    assert tasks.scripted.order[2:] == [1, 2, 3]
