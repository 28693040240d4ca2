"""What reading costs: the same number of requests whatever a list holds."""

from collections import Counter

import pytest
from tasks_desk import JOB, PROJECT, TASK, TASKS, TasksDesk, works_on

from quintet.dialects.etl.members import MAX_MEMBERS


def ran(tasks: TasksDesk, count: int) -> None:
    """Tasks, of which every other has run."""
    have = len(tasks.get(TASKS).json)
    for number in range(have + 1, count + 1):
        tasks.task(f"t{number}")
        if number % 2:
            tasks.start(f"{TASKS}/{number}")
    tasks.drive()


def test_a_page_of_tasks_takes_three_requests_whatever_its_size(tasks: TasksDesk) -> None:
    """Its records, its jobs, its last runs; beside them the job that it is of, and the total where the page doesn't tell it."""
    page = Counter({"collections.page": 1, "jobs.get_many": 1, "runs.last_holders": 1})
    known = Counter({"jobs.by_slug": 1})
    for count in (1, 4, 12):
        ran(tasks, count)
        answer, costs = tasks.costs(TASKS)
        assert len(answer.json) == count
        assert costs == page + known
    answer, costs = tasks.costs(f"{TASKS}?page=1&pageSize=5")
    assert [task["id"] for task in answer.json] == ["6", "7", "8", "9", "10"]
    assert answer.headers["x-total-count"] == "12"
    assert costs == page + known + Counter({"collections.count": 1})
    answer, costs = tasks.costs(f"{TASKS}?page=3&pageSize=4")
    assert (answer.json, answer.headers["x-total-count"]) == ([], "12")


def test_a_list_of_tasks_is_whole_unless_a_page_is_asked_for(tasks: TasksDesk) -> None:
    """The published list has no pages; a job holds no more than a page."""
    for number in range(60):
        tasks.task(f"t{number}")
    answer = tasks.get(TASKS)
    assert len(answer.json) == 60 <= MAX_MEMBERS
    assert answer.headers["x-total-count"] == "60"


def test_jobs_and_projects_are_listed_at_the_same_cost(tasks: TasksDesk) -> None:
    """Projects show no runs, so they need none."""
    for count in (1, 5):
        while len(tasks.get("/projects").json) < count:
            tasks.post("/projects", {"name": f"p{len(tasks.get('/projects').json)}"})
            tasks.post(f"{PROJECT}/jobs", {"name": "j"})
        _, costs = tasks.costs("/projects")
        assert costs == Counter({"collections.page": 1, "jobs.get_many": 1})
        _, costs = tasks.costs(f"{PROJECT}/jobs")
        assert costs == Counter({"jobs.by_slug": 1, "collections.page": 1, "jobs.get_many": 1, "runs.last_holders": 1})


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (TASK, Counter({"jobs.by_slug": 1, "runs.last_holders": 1})),
        (f"{TASK}/metrics", Counter({"jobs.by_slug": 1, "runs.last_holders": 1})),
        (f"{TASK}/status", Counter({"jobs.by_slug": 1, "runs.last_holders": 1, "runs.load": 1})),
        (JOB, Counter({"jobs.by_slug": 1, "runs.last_holders": 1})),
        (PROJECT, Counter({"jobs.by_slug": 1})),
    ],
)
def test_one_thing_is_read_without_its_neighbours(tasks: TasksDesk, path: str, most: Counter[str]) -> None:
    """Whatever its job holds, and however often it ran."""
    ran(tasks, 8)
    for _ in range(3):
        tasks.start()
        tasks.drive()
    _, costs = tasks.costs(path)
    assert costs <= most


def test_the_status_of_an_execution_costs_the_same_whatever_it_calls(tasks: TasksDesk) -> None:
    """Its journal, and one list of the runs that it has started."""
    costs = []
    for count in (1, 9):
        ran(tasks, count)
        execution = tasks.post(f"{JOB}/execute").json["executionId"]
        tasks.drive()
        costs.append(tasks.costs(f"{JOB}/executions/{execution}/status")[1])
    assert costs[0] == costs[1]
    assert costs[0].total() <= 6


def test_a_refused_deletion_reads_what_runs_and_not_all_that_is_there(tasks: TasksDesk) -> None:
    """Of a project with many tasks as of one with few."""
    costs = []
    for count in (2, 10):
        ran(tasks, count)
        tasks.scripted.does[2] = works_on
        tasks.start(f"{TASKS}/2")
        tasks.drive()
        tasks.calls.clear()
        assert tasks.delete(PROJECT).status == 409
        costs.append(Counter(tasks.calls))
        tasks.post(f"{TASKS}/2/stop")
    assert costs[0] == costs[1]
