"""Translates what the core says of jobs into this API's shapes. Pure."""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.jobs.definitions import DIALECT, complete
from quintet.dialects.jobs.models import JobVersionView, JobView
from quintet.domain.job import Job, JobVersion
from quintet.domain.slug import slug_of

_VERSION_FIELDS = frozenset(JobVersionView.model_fields)


def job_brief(job: Job) -> JobView:
    """A job as lists show it: what its face holds, so without `tasks` and `result_schema`."""
    return JobView(**_face(job, complete(_kept(job))))


def job_view(job: Job, version: JobVersion) -> JobView:
    """A job with its whole definition; one that came through another API with what this one has words for."""
    if version.source.get("dialect") != DIALECT:
        return job_brief(job)
    return JobView(**_face(job, complete({**_kept(job), **version.source["fields"]})))


def version_view(job: Job, version: JobVersion) -> JobVersionView:
    """A version of a job."""
    fields = version.source["fields"] if version.source.get("dialect") == DIALECT else _kept(job)
    known = {name: value for name, value in complete(fields).items() if name in _VERSION_FIELDS}
    told = {"name": job.name, "slug": slug(job), **known}
    return JobVersionView(
        **{**told, "id": version.id, "job_id": job.id, "version": version.version, "created_at": version.created_at}
    )


def slug(job: Job) -> str:
    """The job's slug; other APIs' jobs have none, and show one that reads like their name."""
    return job.slug or slug_of(job.name) or "job"


def _kept(job: Job) -> dict[str, Any]:
    """The fields that the job's face holds."""
    fields: dict[str, Any] = dict(job.settings.get("fields") or {}) if job.dialect == DIALECT else {}
    elsewhere = {
        "description": job.description,
        "payload_schema": job.terms.payload_schema,
        "default_run_metadata": job.settings.get("default_run_metadata"),
    }
    return {**fields, **{name: value for name, value in elsewhere.items() if value is not None}}


def _face(job: Job, fields: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "id": job.id,
        "project_id": job.project,
        "name": job.name,
        "slug": slug(job),
        "enabled": job.status == "active",
        "version": job.version,
        "version_id": job.version_id,
        "created_by": job.settings.get("created_by"),
        "updated_by": job.settings.get("updated_by"),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }
    return {**fields, **told}
