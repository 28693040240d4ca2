"""Things of the ETL API in the owner's project: one of every kind, and what its routes' paths may name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.contract.route_table import MARK
from tests.unit.jobs.jobs_desk import Desk

from quintet.domain.dataset import Column, Content
from quintet.services.ports.queries import Answer, Made, Query, QueryFault

API = "/webrobot/api"
ROWS_URL, AGENT_URL = "https://example.com/rows", "https://example.com/agent"
Make = Callable[..., Any]
"""Sends a request of the owner's: method, path, body, more; the answer's JSON."""

Paths = dict[tuple[str, tuple[str, ...]], list[dict[str, str]]]
PROJECT, SPARE_PROJECT = "1", "2"
JOB, SPARE_JOB, EXECUTING_JOB, IDLE_JOB = "1", "2", "3", "4"
DONE, IDLE, WAITING, EXECUTING = "1", "2", "3", "4"
UPLOADED, LEFT = "1", "2"


class Rows:
    """Ports Files and Queries: every file has one row, whose one column says whose it is."""

    columns = (Column(MARK, "BIGINT"),)

    def describe(self, format_: str, parts: Sequence[str], timeout: float = 60.0) -> Content:
        """As if it had been looked into."""
        return Content(format_, tuple(parts), self.columns, 1, 10)

    def make(
        self, sql: str, tables: Mapping[str, Content], into: str, format_: str = "parquet", *_: Any, **__: Any
    ) -> Made:
        """As if it had been written."""
        return Made(self.describe(format_, [into]))

    def query(self, query: Query) -> Answer:
        """As if it had been asked; without a table of the caller's there is nothing to ask."""
        if not query.tables:
            raise QueryFault("BadSql", "there is no such table")
        return Answer(self.columns, [{MARK: 1}])


def stand_in(desk: Desk) -> None:
    """Puts in what reads and writes files, so that no engine is needed for that."""
    desk.services.files = desk.services.duckdb = Rows()


def fill(desk: Desk, make: Make) -> Paths:
    """Makes the things, and tells the paths that name them. Their ids are decimal and count from 1 in every project."""
    desk.endpoints.replies |= {ROWS_URL: [(200, [{MARK: 1}])], AGENT_URL: [(202, None)]}
    programs = {MARK: ROWS_URL, "agent": AGENT_URL, f"{MARK}-spare": ROWS_URL}
    for name, url in programs.items():
        make("PUT", f"{API}/bots/{name}", {"url": url})
    make("POST", f"{API}/datasets", {"name": MARK, "rows": [{MARK: 1}]})
    for name in (MARK, f"{MARK} spare"):
        make("POST", f"{API}/projects", {"name": name, "description": MARK})
    jobs = f"{API}/projects/id/{PROJECT}/jobs"
    for name in ("", " spare", " executing", " idle"):
        make("POST", jobs, {"name": f"{MARK}{name}"})
    rows, agent = {"taskType": "HTTP", "botId": MARK}, {"taskType": "AUTONOMOUS_AGENT", "botId": "agent"}
    for job, program in ((JOB, rows), (JOB, rows), (JOB, agent), (EXECUTING_JOB, agent), (IDLE_JOB, rows)):
        make("POST", f"{jobs}/{job}/tasks", {"name": MARK, **program})
    for task in (DONE, WAITING):
        make("POST", f"{jobs}/{JOB}/tasks/{task}/start")
        desk.drive()
    execution = make("POST", f"{jobs}/{EXECUTING_JOB}/execute")["executionId"]
    desk.drive()
    for _ in range(2):
        make("POST", f"/api/strapi-tables/{MARK}", {MARK: 1})
    return _paths(execution)


def reaching(desk: Desk, make: Make, theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Requests of somebody else (method, path, body) whose bodies name the owner's things; `theirs` is the owner's dataset."""
    jobs = f"{API}/projects/id/{make('POST', f'{API}/projects', {'name': 'own'})['id']}/jobs"
    tasks = f"{jobs}/{make('POST', jobs, {'name': 'own'})['id']}/tasks"
    make("PUT", f"{API}/bots/own", {"url": AGENT_URL})
    agent = {"name": "own", "taskType": "AUTONOMOUS_AGENT", "botId": "own"}
    task = make("POST", tasks, agent)["id"]
    make("POST", f"{tasks}/{task}/start")
    desk.drive()
    for field in ("inputDatasetId", "outputDatasetId"):
        yield "POST", tasks, {**agent, field: theirs["id"]}
        yield "PUT", f"{tasks}/{task}", {field: theirs["id"]}
    yield "POST", jobs, {"name": "j", "inputDatasetId": theirs["id"]}
    yield "PUT", f"{jobs.removesuffix('/jobs')}/schedule", {"jobId": IDLE_JOB}
    yield "POST", tasks, {**agent, "dependsOn": [WAITING]}
    yield "POST", f"{API}/datasets/query", {"sql": f"SELECT * FROM {theirs['table']}"}
    report = {"status": "COMPLETED", "taskId": task}
    for path in (theirs["storagePath"], theirs["storagePath"].partition(":")[2]):
        yield "POST", f"{tasks.removesuffix('/tasks')}/completion", {**report, "outputDatasetPath": path}
    yield "POST", f"{jobs}/{EXECUTING_JOB}/completion", {**report, "taskId": EXECUTING}


def _paths(execution: str) -> Paths:
    def of(name: str, *values: str, **more: str) -> list[dict[str, str]]:
        return [{**more, name: value} for value in values]

    projects = f"{API}/projects/id"
    jobs = of("job_id", JOB, SPARE_JOB, EXECUTING_JOB, IDLE_JOB, project_id=PROJECT)
    tasks = of("task_id", DONE, IDLE, WAITING, project_id=PROJECT, job_id=JOB)
    return {
        (f"{API}/projects", ("name",)): of("name", f"{MARK} spare", MARK),
        (projects, ("project_id",)): of("project_id", PROJECT, SPARE_PROJECT),
        (projects, ("project_id", "job_id")): jobs,
        (projects, ("project_id", "job_id", "task_id")): tasks,
        (projects, ("project_id", "job_id", "execution_id")): of(
            "execution_id", execution, project_id=PROJECT, job_id=EXECUTING_JOB
        ),
        (f"{projects}/<project_id>/jobs/<job_id>/tasks/<task_id>/metrics", ("project_id", "job_id", "task_id")): [
            tasks[0],
            tasks[2],
        ],
        (f"{projects}/<project_id>/jobs/<job_id>/execute", ("project_id", "job_id")): [jobs[0], *jobs[2:]],
        (projects, ("project", "job")): of("job", JOB, project=PROJECT),
        (f"{API}/datasets", ("dataset_id",)): of("dataset_id", UPLOADED, LEFT),
        (f"{API}/datasets/query/task", ("task_id",)): of("task_id", DONE),
        (f"{API}/bots", ("name",)): of("name", MARK, f"{MARK}-spare"),
        (f"{API}/html", ("url", "protocol")): [{"url": "example.com", "protocol": "https"}],
        ("/api/strapi-tables", ("table",)): of("table", MARK),
        ("/api/strapi-tables", ("table", "row_id")): of("row_id", "1", "2", table=MARK),
    }


_PROJECT, _JOB = f"{API}/projects/id/<project_id>", f"{API}/projects/id/<project_id>/jobs/<job_id>"
BODIES: Mapping[str, Any] = {
    f"POST {API}/projects": {"name": "new"},
    f"PUT {_PROJECT}": {"description": "changed"},
    f"PUT {API}/projects/<name>": {"description": "changed"},
    f"PUT {_PROJECT}/schedule": {"cronSchedule": "0 3 1 1 *"},
    f"POST {_PROJECT}/jobs": {"name": "new"},
    f"PUT {_JOB}": {"description": "changed"},
    f"POST {_JOB}/tasks": {"name": "new", "taskType": "HTTP", "botId": MARK},
    f"PUT {_JOB}/tasks/<task_id>": {"description": "changed"},
    f"POST {API}/projects/id/<project>/jobs/<job>/completion": {"status": "COMPLETED", "taskId": WAITING},
    f"POST {API}/datasets": {"name": "new", "rows": [{"a": 1}]},
    f"PUT {API}/datasets/<dataset_id>": {"description": "changed"},
    f"PUT {API}/datasets/<dataset_id>/content": {"a": 1},
    f"POST {API}/datasets/<dataset_id>/upload-url": {"format": "csv"},
    f"POST {API}/datasets/query": {"sql": f"SELECT * FROM dataset_{UPLOADED}"},
    f"POST {API}/datasets/query/task/<task_id>": {"sql": "SELECT * FROM dataset"},
    f"PUT {API}/bots/<name>": {"url": ROWS_URL},
    "POST /api/strapi-tables/<table>": {"a": 1},
    "PUT /api/strapi-tables/<table>/<row_id>": {"a": 2},
}
"""A body that each route takes, where it needs one."""

TYPES = {f"PUT {API}/datasets/<dataset_id>/content": "application/x-ndjson"}
"""The type of bodies that are no JSON."""

OWN = {
    f"GET {API}/html/<url>/<protocol>",
    "GET /api/strapi-tables/<table>",
    "POST /api/strapi-tables/<table>",
    f"PUT {API}/bots/<name>",
}
"""Routes whose paths name what a caller makes with them, or nothing of any project's: they answer a stranger, with nothing of others."""
