"""Changes core jobs: what is to be written is decided on the job as it is, and decided again when another writer was first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quintet.dialects.etl.plans import Source, plan_of
from quintet.domain.errors import Throttled
from quintet.domain.job import Job
from quintet.services.jobs import DefineJob
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.world import Clock

TRIES = 30
_RESTS = (0.0, 0.01, 0.05, 0.1)
"""Seconds between them, over and over: each lost one means that another writer has written."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What a job is to become: fields of the core's job, and its plan by its source (None: the one it has)."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = None


class _Moved(Exception):
    """The job is no longer what the revision was decided on."""


class Revising:
    """Writes revisions of jobs."""

    def __init__(self, jobs: Jobs, define: DefineJob, clock: Clock) -> None:
        self._jobs = jobs
        self._define = define
        self._clock = clock

    def __call__(self, job: Job, decide: Callable[[Job], Revision]) -> Job:
        """The job as revised; `job` is how it was read last. Raises NotFound, Throttled, and what `decide` raises."""
        for tried in range(TRIES):
            self._clock.sleep(_RESTS[tried % len(_RESTS)])
            try:
                return self._revise(job, decide(job))
            except _Moved:
                job = self._jobs.get(job.project, job.id)
        raise Throttled("others change this at the same time", retry_after=1)

    def _revise(self, read: Job, revision: Revision) -> Job:
        def as_read(fresh: Job) -> Mapping[str, Any]:
            if fresh != read:
                raise _Moved
            return revision.fields

        source = revision.source
        plan = None if source is None else plan_of(source)
        return self._define.revise(read.project, read.id, as_read, plan, source)
