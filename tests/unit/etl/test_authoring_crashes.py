"""Processes that die, stores that fail and others who write in the middle of a change: nothing half-done is ever seen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tasks_desk import JOB, PROJECT, TASK, TASKS, ProcessDied, TasksDesk

Change = Callable[[TasksDesk], Any]
SCHEDULED = {"executionMode": "SCHEDULED", "scheduledTime": "2026-01-01T01:00:00Z"}


def furnished() -> TasksDesk:
    """A desk with two tasks."""
    desk = TasksDesk(quick=True)
    desk.task("a")
    desk.task("b", dependsOn=["1"])
    return desk


def create_task(desk: TasksDesk) -> Any:
    """A third one, which starts by itself."""
    body = {"name": "c", "taskType": "PYTHON", "botId": "etl", "dependsOn": ["2"], "apiKey": "hush", **SCHEDULED}
    return desk.post(TASKS, body)


CHANGES: dict[str, Change] = {
    "create a task": create_task,
    "change a task": lambda desk: desk.put(
        f"{TASKS}/2", {"name": "z", "dependsOn": [], "botId": "query", "taskType": "SQL"}
    ),
    "disable a task": lambda desk: desk.put(f"{TASKS}/1", {"enabled": False}),
    "give a task another dataset": lambda desk: desk.put(TASK, {"outputDatasetId": None, "description": "d"}),
    "delete a task": lambda desk: desk.delete(f"{TASKS}/2"),
    "create a job": lambda desk: desk.post(f"{PROJECT}/jobs", {"name": "second"}),
    "change a job": lambda desk: desk.put(JOB, {"name": "z", "enabled": False}),
    "delete a job": lambda desk: desk.delete(JOB),
    "create a project": lambda desk: desk.post("/projects", {"name": "second", "cronSchedule": "0 3 * * *"}),
    "rename a project": lambda desk: desk.put(PROJECT, {"name": "second", "cronSchedule": "0 3 * * *"}),
    "schedule a project": lambda desk: desk.put(f"{PROJECT}/schedule", {"cronSchedule": "*/20 * * * *", "jobId": "1"}),
    "delete a project": lambda desk: desk.delete(PROJECT),
}


def all_of(desk: TasksDesk) -> Any:
    """All that can be seen, without the times of writing."""
    found: dict[str, Any] = {"projects": _plain(desk, "/projects"), "jobs": {}, "tasks": {}}
    for project in found["projects"]:
        jobs = f"/projects/id/{project['id']}/jobs"
        found["jobs"][project["id"]] = _plain(desk, jobs)
        for job in found["jobs"][project["id"]]:
            found["tasks"][job["id"]] = _plain(desk, f"{jobs}/{job['id']}/tasks")
    return found


def _plain(desk: TasksDesk, path: str) -> Any:
    answer = desk.get(path)
    assert answer.status == 200, answer.text
    return [{name: value for name, value in one.items() if not name.endswith("At")} for one in answer.json]


def check_whole(desk: TasksDesk) -> None:
    """Whatever is listed is there, alone too, with all that belongs to it; and what isn't listed is not."""
    found = all_of(desk)
    for project in found["projects"]:
        path = f"/projects/id/{project['id']}"
        assert desk.read(path)["name"] == desk.read(f"/projects/{project['name']}")["name"]
        assert set(project["jobIds"]) <= {job["id"] for job in found["jobs"][project["id"]]}
        for job in found["jobs"][project["id"]]:
            assert desk.read(f"{path}/jobs/{job['id']}")["projectId"] == project["id"]
            tasks = found["tasks"][job["id"]]
            assert set(job["taskIds"]) <= {task["id"] for task in tasks}
            for task in tasks:
                assert desk.read(f"{path}/jobs/{job['id']}/tasks/{task['id']}")["name"] == task["name"]
                assert desk.services.datasets.get("default", int(task["outputDatasetId"]))
    for number in range(1, 5):
        listed = str(number) in {task["id"] for tasks in found["tasks"].values() for task in tasks}
        assert (desk.get(f"{TASKS}/{number}").status == 200) is listed or desk.get(JOB).status == 404


WRITES = ("create", "update", "delete", "next", "add", "change", "remove", "put", "append", "reschedule")


def writes(name: str) -> bool:
    """True for a port's call that may change something."""
    return name.partition(".")[2].startswith(WRITES)


def calls_of(change: Change, counts: Callable[[str], bool] = writes) -> int:
    """How many (of such) calls of ports a change makes."""
    desk = furnished()
    desk.calls.clear()
    assert change(desk).status < 300
    return sum(count for name, count in desk.calls.items() if counts(name))


def every(name: str) -> bool:
    """True for any call."""
    return True


def at_call(place: int, counts: Callable[[str], bool] = writes) -> Callable[[str, bool], bool]:
    """True before the call of that place (of such calls)."""
    seen = [0]

    def now(name: str, before: bool) -> bool:
        seen[0] += before and counts(name)
        return seen[0] == place and before and counts(name)

    return now


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_dies_anywhere_leaves_nothing_half_done_and_can_be_repeated(name: str) -> None:
    """Between any two of its writes: what is seen is what was before or what should be, and the same request makes it so."""
    change = CHANGES[name]
    was, wanted = all_of(furnished()), furnished()
    change(wanted)
    for place in range(1, calls_of(change) + 1):
        desk = furnished()
        desk.dies = at_call(place)
        with pytest.raises(ProcessDied):
            change(desk)
        check_whole(desk)
        seen = all_of(desk)
        assert _settled(seen) in (_settled(was), _settled(all_of(wanted))), place
        desk.clock.advance(61)  # what a creation had claimed has lapsed
        answer = change(desk)
        assert answer.status < 300 or (name.startswith("delete") and answer.status == 404), (place, answer.text)
        if "create" not in name or _settled(seen) == _settled(was):
            assert _numbered(all_of(desk)) == _numbered(all_of(wanted)), place
        if "delete" in name:
            assert desk.services.datasets.count("default") == wanted.services.datasets.count("default"), place
        check_whole(desk)


def _settled(found: Any) -> Any:
    """What is seen, without the lists of numbers that a job or project shows of what it holds, which the next change brings up to date,
    and without the numbers of datasets."""
    return _without(found, {"taskIds", "jobIds", "outputDatasetId"})


def _numbered(found: Any) -> Any:
    """What is seen, with everything called by its name: a number that was given to what never came to be is not given again."""
    return _without(found, {"id", "taskIds", "jobIds", "outputDatasetId", "jobId", "projectId"}, keys=False)


def _without(found: Any, names: set[str], *, keys: bool = True) -> Any:
    if isinstance(found, dict):
        kept = {name: _without(value, names, keys=keys) for name, value in found.items() if name not in names}
        return kept if keys or not all(name.isdigit() for name in kept) else list(kept.values())
    return [_without(one, names, keys=keys) for one in found] if isinstance(found, list) else found


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_fails_anywhere_leaves_nothing_half_done(name: str) -> None:
    """The same when a store refuses: the answer is a 500, and what was written is taken back or can be gone on from."""
    change = CHANGES[name]
    was, wanted = all_of(furnished()), furnished()
    change(wanted)
    counts = every if "create" in name else writes  # what is made is taken back, whatever fails
    for place in range(1, calls_of(change, counts) + 1):
        desk = furnished()
        desk.fails = at_call(place, counts)
        assert change(desk).status in (200, 201, 404, 409, 500)
        check_whole(desk)
        assert _settled(all_of(desk)) in (_settled(was), _settled(all_of(wanted))), place


@pytest.mark.parametrize("name", ["create a task", "delete a task", "disable a task"])
def test_an_execution_after_a_crash_runs_all_that_is_listed(name: str) -> None:
    """A plan that a crash left behind its list is made anew before it runs."""
    change = CHANGES[name]
    for place in range(1, calls_of(change) + 1):
        desk = furnished()
        desk.dies = at_call(place)
        with pytest.raises(ProcessDied):
            change(desk)
        listed = [int(task["id"]) for task in desk.get(TASKS).json if task["enabled"]]
        assert desk.post(f"{JOB}/execute").status == 200
        desk.drive()
        assert desk.scripted.order == listed, place


def test_what_a_crash_left_of_a_creation_never_starts_by_itself() -> None:
    """A scheduled task that nobody sees has no moment."""
    for place in range(1, calls_of(create_task) + 1):
        desk = furnished()
        desk.dies = at_call(place)
        with pytest.raises(ProcessDied):
            create_task(desk)
        pass_an_hour(desk)
        seen = [int(task["id"]) for task in desk.get(TASKS).json]
        assert desk.scripted.order == ([3] if 3 in seen else []), place


# --- others in between ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["create", "change", "delete"])
def test_concurrent_changes_of_tasks_never_lose_one_from_the_plan(first: str) -> None:
    """Wherever another task is created in the middle of a change, the job runs exactly what it lists."""
    changes: dict[str, Change] = {
        "create": lambda desk: desk.post(TASKS, {"name": "c", "taskType": "PYTHON", "botId": "etl"}),
        "change": lambda desk: desk.put(f"{TASKS}/2", {"name": "z", "dependsOn": []}),
        "delete": lambda desk: desk.delete(f"{TASKS}/2"),
    }
    for place in range(1, calls_of(changes[first], every) + 1):
        desk = furnished()
        desk.interrupt(place, lambda desk=desk: desk.task("x"))  # type: ignore[misc]  # binds it
        assert changes[first](desk).status < 300
        assert desk.interrupted()
        listed = sorted(int(task["id"]) for task in desk.get(TASKS).json)
        assert desk.read(JOB)["taskIds"] == [str(number) for number in listed]
        job = desk.services.jobs.by_slug("default", "etl", "job-1")
        plan = desk.services.jobs.version(job.id, job.version).plan
        assert sorted(int(step.key.removeprefix("task_")) for step in plan.steps) == listed, place


def raced(mine: Change, others: Change, prepare: Change) -> Iterator[tuple[TasksDesk, int, int]]:
    """Two requests, of which the second comes before each call of a port of the first: the desk, and the statuses of both."""
    for place in range(1, 200):
        desk = TasksDesk(quick=True)
        prepare(desk)
        theirs: list[int] = []
        desk.interrupt(place, lambda desk=desk, theirs=theirs: theirs.append(others(desk).status))  # type: ignore[misc]  # binds them
        status = mine(desk).status
        if not desk.interrupted():
            return
        yield desk, status, theirs[0]


def test_two_changes_at_a_time_make_no_circle() -> None:
    """Whoever comes second is refused, or else both are."""
    statuses = set()
    for desk, mine, theirs in raced(
        lambda desk: desk.put(TASK, {"dependsOn": ["2"]}),
        lambda desk: desk.put(f"{TASKS}/2", {"dependsOn": ["1"]}),
        lambda desk: (desk.task("a"), desk.task("b")),
    ):
        needed = [task.get("dependsOn", []) for task in desk.get(TASKS).json]
        assert needed in ([["2"], []], [[], ["1"]], [[], []])
        statuses.add((mine, theirs))
    assert statuses == {(400, 200), (409, 200), (200, 400)}


def test_two_projects_never_bear_one_name() -> None:
    """The name is the one's who took it first; both can be found by theirs."""
    for desk, mine, theirs in raced(
        lambda desk: desk.put(PROJECT, {"name": "wanted"}),
        lambda desk: desk.put("/projects/id/2", {"name": "wanted"}),
        lambda desk: desk.post("/projects", {"name": "other"}),
    ):
        assert sorted([mine, theirs]) == [200, 409]
        names = [project["name"] for project in desk.get("/projects").json]
        assert names.count("wanted") == 1
        assert [desk.read(f"/projects/{name}")["name"] for name in names] == names


def two(desk: TasksDesk) -> None:
    """Two tasks."""
    desk.task("a")
    desk.task("b", dependsOn=["1"])


def pass_an_hour(desk: TasksDesk) -> None:
    """With its ticks."""
    for _ in range(62):
        desk.tick()
        desk.pass_time(60)


def test_a_task_made_while_its_job_is_deleted_goes_with_it() -> None:
    """Whoever makes it hears that the job is gone, or it is deleted with the others; nothing of it ever starts."""
    for desk, mine, theirs in raced(lambda desk: desk.delete(JOB), create_task, two):
        assert mine == 200
        assert theirs in (201, 400, 404)  # 400: the task that it would depend on is gone already
        assert desk.get(f"{TASKS}/3").status == 404
        pass_an_hour(desk)
        assert desk.scripted.order == []


def test_a_job_deleted_while_a_task_is_made_takes_it_along() -> None:
    """The same the other way round."""
    for desk, mine, theirs in raced(create_task, lambda desk: desk.delete(JOB), two):
        assert mine in (201, 400, 404)
        assert theirs == 200
        assert desk.get(f"{TASKS}/3").status == 404
        pass_an_hour(desk)
        assert desk.scripted.order == []
