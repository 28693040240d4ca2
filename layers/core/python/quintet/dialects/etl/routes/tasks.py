"""The tasks of jobs: create, read, change, delete; start, stop, and how they stand."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.etl import documented
from quintet.dialects.etl.asking import desk_of, runs_of
from quintet.dialects.etl.execution import progress, task_metrics
from quintet.dialects.etl.finding import JobNumber, ProjectNumber, TaskNumber
from quintet.dialects.etl.members import MAX_MEMBERS, list_of
from quintet.dialects.etl.models_executions import TaskMetrics, TaskStatusView
from quintet.dialects.etl.models_work import StartIn, TaskIn, TaskPatch, TaskView
from quintet.dialects.etl.paging import Page, PageSize, listing
from quintet.dialects.etl.places import leaving
from quintet.dialects.etl.removal import Removal
from quintet.dialects.etl.tasks import TaskAuthor
from quintet.dialects.etl.views import task_view
from quintet.dialects.etl.words import TASK, status_word
from quintet.domain.errors import NotFound
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
_TASKS = "/webrobot/api/projects/id/<project_id>/jobs/<job_id>/tasks"
_ONE = f"{_TASKS}/<task_id>"
_SHOWN = documented.model(TaskView)


@routes.get(_TASKS, **documented.listed("List a job's tasks", "Tasks", TaskView, 404))
@needs("jobs:read")
def list_tasks(
    project_id: ProjectNumber, job_id: JobNumber, page: Page = 0, page_size: PageSize = MAX_MEMBERS
) -> Response[str]:
    """Lists a job's tasks, the oldest first, each with what its last run came to."""
    desk = desk_of(routes)
    desk.places.job(project_id, job_id)
    tasks, total = desk.members.page(list_of(TASK, job_id), page_size, page * page_size)
    last = runs_of(routes, desk).of_all(tasks)
    return listing([task_view(task, last.get(task.id)) for task in tasks if not leaving(task)], total)


@routes.post(
    _TASKS, **documented.of("Create a task", "Tasks", 404, 409, 413, success=201, said="Created", content=_SHOWN)
)
@needs("jobs:write")
def create_task(project_id: ProjectNumber, job_id: JobNumber, body: Annotated[TaskIn, Body()]) -> Response[str]:
    """Creates a task in a job. `name` and `taskType` are needed; what only the server knows is left aside."""
    desk = desk_of(routes)
    task = TaskAuthor(desk).create(desk.places.job(project_id, job_id), body)
    return json_response(201, task_view(task, None).shown())


@routes.get(_ONE, **documented.of("Get a task", "Tasks", 404, content=_SHOWN))
@needs("jobs:read")
def get_task(project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber) -> Response[str]:
    """Reads a task, with what its last run came to."""
    desk = desk_of(routes)
    task = desk.places.task(project_id, job_id, task_id)
    return json_response(200, task_view(task, runs_of(routes, desk).of(task)).shown())


@routes.put(_ONE, **documented.of("Update a task", "Tasks", 404, 409, 413, content=_SHOWN))
@needs("jobs:write")
def change_task(
    project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber, body: Annotated[TaskPatch, Body()]
) -> Response[str]:
    """Changes what the body names; null clears. id, jobId and createdAt stay. A run under way goes on as it began."""
    desk = desk_of(routes)
    task = TaskAuthor(desk).change(desk.places.task(project_id, job_id, task_id), body)
    return json_response(200, task_view(task, runs_of(routes, desk).of(task)).shown())


@routes.delete(_ONE, **documented.of("Delete a task", "Tasks", 404, 409, 429, content=documented.NOTHING))
@needs("jobs:write")
def delete_task(project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber) -> Response[str]:
    """Deletes a task that isn't running, and that no other depends on. Its runs stay, and so does its dataset when it holds rows."""
    desk = desk_of(routes)
    Removal(desk, runs_of(routes, desk)).task(project_id, job_id, task_id)
    return json_response(200, {})


@routes.get(f"{_ONE}/status", **documented.of("Get a task's status", "Tasks", 404))
@needs("jobs:read")
def get_task_status(project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber) -> TaskStatusView:
    """Tells how far a task's last run is, in percent."""
    desk = desk_of(routes)
    last = runs_of(routes, desk).of(desk.places.task(project_id, job_id, task_id))
    if last is None:
        return TaskStatusView(status=status_word(None), progress=0)
    run, state = routes.engine.reading.state(desk.tenant, last.id)
    return TaskStatusView(status=status_word(run.status), progress=progress(state))


@routes.post(f"{_ONE}/start", **documented.of("Start a task", "Tasks", 404, 409, 413, content=_SHOWN))
@needs("jobs:trigger")
def start_task(
    project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber, body: Annotated[StartIn | None, Body()] = None
) -> Response[str]:
    """Starts a task that isn't running; the answer is the task as it starts."""
    desk = desk_of(routes)
    task = desk.places.task(project_id, job_id, task_id)
    task, run = runs_of(routes, desk).start(task, body.params if body else None)
    return json_response(200, task_view(task, run).shown())


@routes.post(f"{_ONE}/stop", **documented.of("Stop a task", "Tasks", 404, 409, content=_SHOWN))
@needs("jobs:trigger")
def stop_task(project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber) -> Response[str]:
    """Stops a task's run and the program that works on it. It may be started again."""
    desk = desk_of(routes)
    task = desk.places.task(project_id, job_id, task_id)
    return json_response(200, task_view(task, runs_of(routes, desk).stop(task)).shown())


@routes.get(f"{_ONE}/metrics", **documented.of("Get metrics of a task", "Tasks", 404))
@needs("jobs:read")
def get_task_metrics(project_id: ProjectNumber, job_id: JobNumber, task_id: TaskNumber) -> TaskMetrics:
    """Reads the figures of a task's last run, as measured; null where nothing measured them."""
    desk = desk_of(routes)
    last = runs_of(routes, desk).of(desk.places.task(project_id, job_id, task_id))
    if last is None:
        raise NotFound(f"task {task_id} has not run yet")
    return task_metrics(task_id, last)
