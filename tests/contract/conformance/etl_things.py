"""What generated requests to the ETL API need: things with decimal ids, and bodies whose fields go together."""

import time
from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

Body = dict[str, Any]
API = "/webrobot/api"
PROGRAM, AGENT, QUERY = "conformance", "conformance-agent", "conformance-query"


class World(Protocol):
    """What is needed of the world here."""

    work_url: str
    later_url: str

    def make(self, path: str, body: Any = None) -> Any:
        """What a POST made."""
        ...

    def read(self, path: str) -> Any:
        """What a GET answered."""
        ...

    def keep(self, path: str, body: str, type_: str) -> Any:
        """What a PUT of bytes answered."""
        ...

    def thing(self, name: str) -> dict[str, str]:
        """The parameters that name a thing."""
        ...

    def later(self) -> str:
        """A time in the near future."""
        ...


# --- things ----------------------------------------------------------------------------------------------------------------------


def _programs(world: World) -> dict[str, str]:
    for name, url in ((PROGRAM, world.work_url), (AGENT, world.later_url)):
        world.keep(f"{API}/bots/{name}", f'{{"url": "{url}"}}', "application/json")
    world.keep(f"{API}/bots/{QUERY}", "SELECT 1 AS a", "application/sql")
    return {"name": PROGRAM}


def _job(world: World, bot: str, type_: str) -> dict[str, str]:
    """A project with a job with a task."""
    world.thing("etl_programs")
    name = f"etl {uuid4()}"
    project = world.make(f"{API}/projects", {"name": name})["id"]
    job = world.make(f"{API}/projects/id/{project}/jobs", {"name": "j"})["id"]
    place = f"{API}/projects/id/{project}/jobs/{job}"
    task = world.make(f"{place}/tasks", {"name": "t", "taskType": type_, "botId": bot})["id"]
    found = {"project_id": project, "job_id": job, "task_id": task, "project": project, "job": job, "name": name}
    return {**found, "place": place}


def _done(world: World) -> dict[str, str]:
    found = _job(world, QUERY, "SQL")
    execution = world.make(f"{found['place']}/execute")["executionId"]
    _until(world, f"{found['place']}/executions/{execution}/status", "COMPLETED")
    dataset = world.read(f"{found['place']}/tasks/{found['task_id']}")["outputDatasetId"]
    return {**found, "execution_id": execution, "dataset_id": dataset}


def _running(world: World) -> dict[str, str]:
    found = _job(world, AGENT, "AUTONOMOUS_AGENT")
    world.make(f"{found['place']}/execute")
    end = time.monotonic() + 60
    while world.read(f"{found['place']}/tasks/{found['task_id']}")["executionStatus"] != "RUNNING":
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def _until(world: World, path: str, status: str) -> None:
    end = time.monotonic() + 60
    while (found := world.read(path))["status"] != status:
        assert time.monotonic() < end and found["status"] != "FAILED", found
        time.sleep(0.02)


def _dataset(world: World) -> dict[str, str]:
    made = world.make(f"{API}/datasets", {"name": "d", "format": "csv", "rows": [{"a": 1}]})
    return {"dataset_id": made["id"]}


def _row(world: World) -> dict[str, str]:
    return {"table": "conformance", "row_id": world.make("/api/strapi-tables/conformance", {"a": 1})["id"]}


def _page(world: World) -> dict[str, str]:
    return {"url": world.work_url.removeprefix("http://"), "protocol": "http"}


def _spare_program(world: World) -> dict[str, str]:
    world.keep(f"{API}/bots/spare", "SELECT 1", "application/sql")
    return {"name": "spare"}


MAKERS: dict[str, Callable[[Any], dict[str, str]]] = {
    "etl_programs": _programs,
    "etl_spare_program": _spare_program,
    "etl_done": _done,
    "etl_changed": lambda world: _job(world, PROGRAM, "HTTP"),
    "etl_running": _running,
    "etl_dataset": _dataset,
    "etl_row": _row,
    "etl_page": _page,
}
USED_UP = ("etl_spare_program", "etl_changed", "etl_running", "etl_dataset", "etl_row")
_PROJECTS = rf"{API}/projects"
PATHS: tuple[tuple[str, str], ...] = (
    (rf"GET {API}/bots", "etl_programs"),
    (rf"\w+ {API}/bots", "etl_spare_program"),
    (rf"(GET {API}/datasets|POST {API}/datasets/query)", "etl_done"),
    (rf"\w+ {API}/datasets", "etl_dataset"),
    (rf"GET {API}/html", "etl_page"),
    (rf"GET {_PROJECTS}", "etl_done"),
    (rf"POST {_PROJECTS}/id/.*/(stop|completion)$", "etl_running"),
    (rf"\w+ {_PROJECTS}", "etl_changed"),
    (r"\w+ /api/strapi-tables", "etl_row"),
)


# --- bodies ----------------------------------------------------------------------------------------------------------------------


def _project(_world: World, body: Body) -> Body:
    if "name" in body:
        body["name"] = f"etl {uuid4()}"
    return _cron(body)


def _cron(body: Body) -> Body:
    if body.get("cronSchedule"):
        body["cronSchedule"] = "0 3 1 1 *"
    return body


def _schedule(world: World, body: Body) -> Body:
    if body.get("jobId"):
        body["jobId"] = world.thing("etl_changed")["job_id"]
    return _cron(body)


def _reading(world: World, body: Body) -> Body:
    for field in ("inputDatasetId", "outputDatasetId"):
        if body.get(field):
            body[field] = world.thing("etl_dataset")["dataset_id"]
    if body.get("scheduledTime"):
        body["scheduledTime"] = world.later()
    return body


def _task(world: World, body: Body) -> Body:
    world.thing("etl_programs")
    body.pop("dependsOn", None)
    if body.get("taskType"):
        body["taskType"] = "HTTP"
    if body.get("botId"):
        body["botId"] = PROGRAM
    if body.get("executionMode") == "SCHEDULED":
        body["scheduledTime"] = world.later()
    return _reading(world, body)


def _completion(world: World, body: Body) -> Body:
    for field in ("outputDatasetPath", "executionId"):
        body.pop(field, None)
    if body.get("taskId"):
        body["taskId"] = world.thing("etl_running")["task_id"]
    return body


def _new_dataset(_world: World, body: Body) -> Body:
    if body.get("rows"):
        body["rows"] = [{"a": n} for n in range(len(body["rows"]))]
    return {**body, "engine": None}


def _query(world: World, body: Body) -> Body:
    body = {name: value for name, value in body.items() if name not in ("catalog", "schema")}
    if body.get("sql"):
        body["sql"] = f"SELECT * FROM dataset_{world.thing('etl_done')['dataset_id']}"
    return body


_ONE = f"{API}/projects/id/{{project_id}}"
MENDING: dict[str, Callable[[Any, Body], Body]] = {
    f"{API}/projects": _project,
    _ONE: _project,
    f"{API}/projects/{{name}}": _project,
    f"{_ONE}/schedule": _schedule,
    f"{_ONE}/jobs": _reading,
    f"{_ONE}/jobs/{{job_id}}": _reading,
    f"{_ONE}/jobs/{{job_id}}/tasks": _task,
    f"{_ONE}/jobs/{{job_id}}/tasks/{{task_id}}": _task,
    f"{API}/projects/id/{{project}}/jobs/{{job}}/completion": _completion,
    f"{API}/datasets": _new_dataset,
    f"{API}/datasets/{{dataset_id}}": _new_dataset,
    f"{API}/datasets/query": _query,
    f"{API}/datasets/query/task/{{task_id}}": _query,
}

BYTES = {
    "application/sql": b"SELECT 1",
    "text/x-python": b"def main(input):\n    return []\n",
    "text/csv": b"a\n1\n",
    "application/x-ndjson": b'{"a": 1}\n',
    "application/vnd.apache.parquet": b"no Parquet",
}
"""A body of each type that is no JSON."""
RAW = (f"PUT {API}/bots/{{name}}", f"PUT {API}/datasets/{{dataset_id}}/content")
"""Operations that take bytes of several types: whatever text is sent may be a program, or a table."""


def raw(world: World, type_: str, generated: Any) -> Any:
    """Bytes of a type that are taken."""
    return {"url": world.work_url} if type_ == "application/json" else BYTES.get(type_, generated)
