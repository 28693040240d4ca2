"""Finds what a request names in the caller's project."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from quintet.dialects.jobs.definitions import DIALECT
from quintet.domain.errors import NotFound
from quintet.domain.job import Job
from quintet.web.api import Routes

NAME = r"^[A-Za-z0-9._:@-]+$"
"""What ids and slugs are made of; other characters would not come through every gateway."""

JobId = Annotated[str, Path(min_length=1, max_length=128, pattern=NAME, description="The job's id or its slug.")]
ProjectId = Annotated[
    str | None, Query(max_length=128, description="The key's own project, which is meant when none is named.")
]


def own_project(routes: Routes, project_id: str | None) -> str:
    """The caller's project. Raises NotFound when another one is named."""
    project = routes.caller.project
    if project_id is not None and project_id != project:
        raise NotFound("no such project")
    return project


def job_at(routes: Routes, job_id: str, project_id: str | None) -> Job:
    """A job of the caller's project by id, else by slug. Raises NotFound, also for one that was defined through another API."""
    job = any_job_at(routes, job_id, project_id)
    if job.dialect != DIALECT:
        raise NotFound("no such job")
    return job


def any_job_at(routes: Routes, job_id: str, project_id: str | None) -> Job:
    """A job of the caller's project by id, whichever API it came through, else one of this API by slug. Raises NotFound."""
    project, jobs = own_project(routes, project_id), routes.engine.jobs
    try:
        return jobs.get(project, job_id)
    except NotFound:
        return jobs.by_slug(project, DIALECT, job_id)
