"""Jobs: define, read, change, delete, copy, and their versions."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.authoring import Author
from quintet.dialects.jobs.definitions import DIALECT
from quintet.dialects.jobs.finding import NAME, JobId, ProjectId, job_at, own_project
from quintet.dialects.jobs.models import CloneIn, JobIn, JobPatch, JobVersionView, JobView
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.dialects.jobs.views import job_brief, job_view, version_view
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.job import Job
from quintet.domain.status import TERMINAL, RunStatus
from quintet.services.ports.runs import RunList
from quintet.web.api import Routes, no_content
from quintet.web.gate import needs

routes = Routes()
TagKey = Annotated[str | None, Query(max_length=64, description="Only jobs that carry this tag.")]
TagValue = Annotated[str | None, Query(max_length=256, description="Only jobs whose tag `tag_key` has this value.")]
VersionId = Annotated[str, Path(min_length=1, max_length=64, pattern=NAME, description="The version's id, `ver_...`.")]
_LIVE = frozenset(RunStatus) - TERMINAL
_LOOKS = 10
"""How many parts of a list one request looks through for what it wants of them."""


def author() -> Author:
    """The caller as an author of jobs."""
    return Author(routes.engine, routes.caller.project, routes.caller.name)


def shown(job: Job) -> JobView:
    """A job with its definition."""
    return job_view(job, routes.version(job.id, job.version))


@routes.get("/v1/jobs", **documented.of("List jobs", "Jobs", 403, 404, content=documented.pages(JobView)))
@needs("jobs:read")
def list_jobs(
    project_id: ProjectId = None,
    tag_key: TagKey = None,
    tag_value: TagValue = None,
    group_id: Annotated[str | None, Query(max_length=128, description="Only jobs of this group.")] = None,
    slug: Annotated[str | None, Query(max_length=128, description="Only the job of this slug.")] = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists the project's jobs, newest first. A page may be short while there are more."""
    project = own_project(routes, project_id)
    label = tag_label(tag_key, tag_value)
    if slug is not None:
        return listing(
            routes.event, [job_brief(job) for job in _of_slug(project, slug, label, group_id)], None, envelope=envelope
        )
    grouped = None if group_id is None else f"group:{group_id}"
    found, cursor = _browse(project, label or grouped, grouped, limit, cursor)
    return listing(routes.event, [job_brief(job) for job in found], cursor, envelope=envelope)


def tag_label(tag_key: str | None, tag_value: str | None) -> str | None:
    """The label that carries a tag. Raises Invalid for a value without its key."""
    if tag_key is None:
        if tag_value is not None:
            raise Invalid([Problem(("query", "tag_key"), "field required beside tag_value")])
        return None
    return f"tag:{tag_key}" if tag_value is None else f"tag:{tag_key}={tag_value}"


def _of_slug(project: str, slug: str, *labels: str | None) -> list[Job]:
    try:
        job = routes.engine.jobs.by_slug(project, DIALECT, slug)
    except NotFound:
        return []
    return [job] if {label for label in labels if label is not None} <= job.labels else []


def _browse(
    project: str, label: str | None, also: str | None, limit: int, cursor: str | None
) -> tuple[list[Job], str | None]:
    """A page of jobs of two labels: one leads through the list, the other picks from it."""
    found: list[Job] = []
    for _ in range(_LOOKS):
        page = routes.engine.jobs.browse(project, DIALECT, label, limit - len(found), cursor)
        found += [job for job in page.jobs if also is None or also in job.labels]
        cursor = page.cursor
        if cursor is None or len(found) == limit:
            break
    return found, cursor


@routes.post("/v1/jobs", **documented.of("Create a job", "Jobs", 403, 404, 409, 413, success=201, said="Created"))
@needs("jobs:write")
def create_job(body: Annotated[JobIn, Body()]) -> JobView:
    """Defines a job: an endpoint that is called with each run's payload, or a DAG of `tasks`."""
    own_project(routes, body.project_id)
    return shown(author().create(body))


@routes.get("/v1/jobs/<job_id>", **documented.of("Get a job", "Jobs", 403, 404))
@needs("jobs:read")
def get_job(job_id: JobId, project_id: ProjectId = None) -> JobView:
    """Reads a job."""
    return shown(job_at(routes, job_id, project_id))


@routes.patch("/v1/jobs/<job_id>", **documented.of("Update a job", "Jobs", 403, 404, 409, 413))
@needs("jobs:write")
def update_job(job_id: JobId, body: Annotated[JobPatch, Body()], project_id: ProjectId = None) -> JobView:
    """Changes what the body names; null clears. Whatever changes but `enabled` and `group_id` makes a new version."""
    was = job_at(routes, job_id, project_id)
    job = author().change(was, body)
    if _caps(job) != _caps(was):
        routes.engine.hold.readmit(job)
    return shown(job)


def _caps(job: Job) -> tuple[int | None, int | None]:
    return job.terms.max_concurrency, job.terms.max_concurrency_per_key


@routes.delete("/v1/jobs/<job_id>", **documented.of("Delete a job", "Jobs", 403, 404, 409, success=204, said="Deleted"))
@needs("jobs:write")
def delete_job(job_id: JobId, project_id: ProjectId = None) -> Response[str]:
    """Deletes a job that has no active runs; the ended ones stay readable."""
    job = job_at(routes, job_id, project_id)
    wanted = RunList(job.project, job_id=job.id, statuses=_LIVE)
    cursor: str | None = None
    while True:
        page = routes.engine.runs.browse(wanted, 1, cursor)
        if page.runs:
            raise Conflict("this job has active runs")
        if (cursor := page.cursor) is None:
            break
    routes.engine.delete_job(job.project, job.id)
    return no_content()


@routes.post(
    "/v1/jobs/<job_id>/clone",
    **documented.of("Clone a job", "Jobs", 403, 404, 409, success=201, said="Created"),
)
@needs("jobs:write")
def clone_job(job_id: JobId, body: Annotated[CloneIn | None, Body()] = None, project_id: ProjectId = None) -> JobView:
    """Copies a job as it is now, its secret included; the copy begins with version 1."""
    return shown(author().clone(job_at(routes, job_id, project_id), body or CloneIn()))


@routes.get(
    "/v1/jobs/<job_id>/versions",
    **documented.of("List job versions", "Jobs", 403, 404, content=documented.pages(JobVersionView)),
)
@needs("jobs:read")
def list_job_versions(
    job_id: JobId, project_id: ProjectId = None, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists a job's versions, newest first, the current one included."""
    job = job_at(routes, job_id, project_id)
    page = routes.engine.jobs.versions_page(job.id, limit, cursor)
    return listing(
        routes.event, [version_view(job, version) for version in page.versions], page.cursor, envelope=envelope
    )


@routes.get(
    "/v1/jobs/<job_id>/versions/<version_id>", **documented.of("Get job version by version ID", "Jobs", 403, 404)
)
@needs("jobs:read")
def get_job_version(job_id: JobId, version_id: VersionId, project_id: ProjectId = None) -> JobVersionView:
    """Reads one version."""
    job = job_at(routes, job_id, project_id)
    return version_view(job, routes.engine.jobs.version_by_id(job.id, version_id))
