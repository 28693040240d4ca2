"""The jobs of projects: create, read, change, delete."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.etl import documented
from quintet.dialects.etl.asking import desk_of, runs_of
from quintet.dialects.etl.finding import JobNumber, ProjectNumber
from quintet.dialects.etl.jobs import JobAuthor
from quintet.dialects.etl.members import MAX_MEMBERS, list_of
from quintet.dialects.etl.models_work import JobIn, JobPatch, JobView
from quintet.dialects.etl.paging import Page, PageSize, listing
from quintet.dialects.etl.places import leaving
from quintet.dialects.etl.removal import Removal
from quintet.dialects.etl.views import job_view
from quintet.dialects.etl.words import JOB
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
_JOBS = "/webrobot/api/projects/id/<project_id>/jobs"
_SHOWN = documented.model(JobView)


@routes.get(_JOBS, **documented.listed("List a project's jobs", "Jobs", JobView, 404))
@needs("jobs:read")
def list_jobs(project_id: ProjectNumber, page: Page = 0, page_size: PageSize = MAX_MEMBERS) -> Response[str]:
    """Lists a project's jobs, the oldest first."""
    desk = desk_of(routes)
    desk.places.project(project_id)
    jobs, total = desk.members.page(list_of(JOB, project_id), page_size, page * page_size)
    last = runs_of(routes, desk).of_all(jobs)
    return listing([job_view(job, last.get(job.id)) for job in jobs if not leaving(job)], total)


@routes.post(_JOBS, **documented.of("Create a job", "Jobs", 404, 409, 413, success=201, said="Created", content=_SHOWN))
@needs("jobs:write")
def create_job(project_id: ProjectNumber, body: Annotated[JobIn, Body()]) -> Response[str]:
    """Creates a job in a project."""
    desk = desk_of(routes)
    job = JobAuthor(desk).create(desk.places.project(project_id), body)
    return json_response(201, job_view(job, None).shown())


@routes.get(f"{_JOBS}/<job_id>", **documented.of("Get a job", "Jobs", 404, content=_SHOWN))
@needs("jobs:read")
def get_job(project_id: ProjectNumber, job_id: JobNumber) -> Response[str]:
    """Reads a job, and how its last execution stands."""
    desk = desk_of(routes)
    job = desk.places.job(project_id, job_id)
    return json_response(200, job_view(job, runs_of(routes, desk).of(job)).shown())


@routes.put(f"{_JOBS}/<job_id>", **documented.of("Change a job", "Jobs", 404, 413, content=_SHOWN))
@needs("jobs:write")
def change_job(project_id: ProjectNumber, job_id: JobNumber, body: Annotated[JobPatch, Body()]) -> Response[str]:
    """Changes what the body names; null clears."""
    desk = desk_of(routes)
    job = JobAuthor(desk).change(desk.places.job(project_id, job_id), body)
    return json_response(200, job_view(job, runs_of(routes, desk).of(job)).shown())


@routes.delete(f"{_JOBS}/<job_id>", **documented.of("Delete a job", "Jobs", 404, 409, 429, content=documented.NOTHING))
@needs("jobs:write")
def delete_job(project_id: ProjectNumber, job_id: JobNumber) -> Response[str]:
    """Deletes a job with its tasks, none of which may be running. Runs stay, and datasets that hold rows."""
    desk = desk_of(routes)
    Removal(desk, runs_of(routes, desk)).job(project_id, job_id)
    return json_response(200, {})
