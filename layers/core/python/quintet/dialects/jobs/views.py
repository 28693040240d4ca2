"""Translates what the core says of jobs into this API's shapes. Pure."""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.jobs.definitions import complete
from quintet.dialects.jobs.models import JobVersionView, JobView
from quintet.domain.job import Job, JobVersion

_VERSION_FIELDS = frozenset(JobVersionView.model_fields)


def job_brief(job: Job) -> JobView:
    """A job as lists show it: what its face holds, so without `tasks` and `result_schema`."""
    return JobView(**_face(job, complete(_kept(job))))


def job_view(job: Job, version: JobVersion) -> JobView:
    """A job with its whole definition."""
    return JobView(**_face(job, complete({**_kept(job), **version.source["fields"]})))


def version_view(job: Job, version: JobVersion) -> JobVersionView:
    """A version of a job."""
    known = {name: value for name, value in complete(version.source["fields"]).items() if name in _VERSION_FIELDS}
    told = {"name": job.name, "slug": job.slug, **known}
    return JobVersionView(
        **{**told, "id": version.id, "job_id": job.id, "version": version.version, "created_at": version.created_at}
    )


def _kept(job: Job) -> dict[str, Any]:
    """The fields that the job's face holds."""
    fields: dict[str, Any] = dict(job.settings.get("fields") or {})
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
        "slug": job.slug,
        "enabled": job.status == "active",
        "version": job.version,
        "version_id": job.version_id,
        "created_by": job.settings.get("created_by"),
        "updated_by": job.settings.get("updated_by"),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }
    return {**fields, **told}
