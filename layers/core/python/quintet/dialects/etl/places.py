"""Finds projects, jobs and tasks by their numbers.

All three are core jobs of this API, called by their slugs; what only this API knows of them is in their settings, under `etl`:

- of each: kind, number; `deleting` while what it holds is being deleted, from when on it is not found any more
- project: jobs (numbers of its jobs), only (the number of the one that its schedule starts)
- job: project (number), parent (core id of its project), input (number of a dataset), scheduledTime, tasks (numbers)
- task: project, job (numbers), parent (core id of its job), taskType, botId, executionMode, scheduledTime, input, output (numbers of
  datasets), own (the number of the dataset that was made for it), dependsOn (numbers of tasks), apiKey (sealed)
"""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.etl.words import DIALECT, JOB, PROJECT, TASK
from quintet.domain.errors import NotFound
from quintet.domain.job import Job
from quintet.services.ports.jobs import Jobs


def slug(kind: str, number: int) -> str:
    """What the core calls the project, job or task of that number."""
    return f"{kind}-{number}"


def facts(job: Job) -> Mapping[str, Any]:
    """What this API knows of a project, job or task of its own."""
    known: Mapping[str, Any] = job.settings.get(DIALECT) or {}
    return known


def number_of(job: Job) -> int:
    """The number of a project, job or task."""
    return int(facts(job)["number"])


def leaving(job: Job) -> bool:
    """True for what is being deleted."""
    return bool(facts(job).get("deleting"))


class Places:
    """What lies where in a key's project (`tenant`). Each look is one request of the port."""

    def __init__(self, jobs: Jobs, tenant: str) -> None:
        self._jobs = jobs
        self._tenant = tenant

    def project(self, project: int) -> Job:
        """Raises NotFound."""
        return _there(self.stored(PROJECT, project), f"no project {project}")

    def job(self, project: int, job: int) -> Job:
        """Raises NotFound, also for another project's."""
        missing = f"no job {job} in project {project}"
        found = _there(self.stored(JOB, job), missing)
        if facts(found)["project"] != project:
            raise NotFound(missing)
        return found

    def task(self, project: int, job: int, task: int) -> Job:
        """Raises NotFound, also for another job's, or one whose job is another project's."""
        missing = f"no task {task} in job {job} of project {project}"
        found = _there(self.stored(TASK, task), missing)
        if (facts(found)["project"], facts(found)["job"]) != (project, job):
            raise NotFound(missing)
        return found

    def any_task(self, task: int) -> Job:
        """The task of that number, whatever its job. Raises NotFound."""
        return _there(self.stored(TASK, task), f"no task {task}")

    def stored(self, kind: str, number: int) -> Job | None:
        """The project, job or task, also one that is being deleted; None when there is none."""
        try:
            return self._jobs.by_slug(self._tenant, DIALECT, slug(kind, number))
        except NotFound:
            return None


def _there(found: Job | None, missing: str) -> Job:
    if found is None or leaving(found):
        raise NotFound(missing)
    return found
