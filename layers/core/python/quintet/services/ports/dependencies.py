"""Where the edges between jobs are kept, and what has been heard along them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quintet.domain.dependency import JobDependency, UpstreamEnd
from quintet.domain.job import Job
from quintet.domain.run import Run, Trigger

TriggerJob = Callable[[Job, Any, Trigger, tuple[str, ...]], object]
"""Starts a run of a job with an input, once for each guard name however often it is asked."""

ReleaseRun = Callable[[str], object]
"""Lets a waiting run go on; harmless for one that does not wait any more. Answers something true when it waits on, for its own time."""

LatestEnd = Callable[[str, str], Run | None]
"""(project, job id) -> the job's run that ended last, as far as lists know it."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A downstream run that is to be started: decided, and kept until it was. `run_id` is the upstream run that made it complete;
    `input` is in the form that payloads are stored in."""

    run_id: str
    input: Any


@dataclass(frozen=True, slots=True)
class Join:
    """What has come together for a job with several upstreams: by upstream job the newest end that started nothing yet; and firings
    that were decided."""

    ends: Mapping[str, UpstreamEnd]
    firings: Sequence[Firing]


class DependencyStore(Protocol):
    """Edges both ways, joins, the last end of each upstream job, waiting runs. Reads are strongly consistent."""

    def revision(self, project: str) -> int:
        """Counts the edges ever added in a project."""
        ...

    def add(self, project: str, dependency: JobDependency, revision: int, stale: Sequence[str] = ()) -> bool:
        """Writes an edge and forgets the `stale` upstreams' ends in the job's join; False when the project is past that revision."""
        ...

    def remove(self, dependency: JobDependency) -> None:
        """Removes an edge and its upstream's end from the join; nothing when it is gone."""
        ...

    def of(self, job_id: str) -> list[JobDependency]:
        """What a job depends on, oldest edge first."""
        ...

    def dependants(self, job_id: str) -> list[JobDependency]:
        """What depends on a job, oldest edge first."""
        ...

    def keep_last(self, end: UpstreamEnd) -> None:
        """Keeps how a job's run ended (not its result), unless a later end is kept."""
        ...

    def last(self, job_ids: Sequence[str]) -> dict[str, UpstreamEnd]:
        """The last end of each of these jobs that has one."""
        ...

    def stand_alone(self, job_id: str, end: UpstreamEnd) -> bool:
        """Marks that an upstream's end starts a run of the job by itself; False when it was noted in its join."""
        ...

    def note(self, job_id: str, end: UpstreamEnd) -> None:
        """Notes an upstream's end in a job's join: once for each run, however often, and not in place of a later one's."""
        ...

    def join(self, job_id: str) -> Join:
        """A job's join as it stands."""
        ...

    def consume(self, job_id: str, ends: Sequence[UpstreamEnd], firing: Firing) -> bool:
        """Takes these ends out of the join and keeps the firing in their place; False when they are not all there any more."""
        ...

    def fired(self, job_id: str, firing: Firing) -> None:
        """The firing is done."""
        ...

    def wait(self, job_id: str, run_id: str) -> None:
        """Registers a run that waits for its job's dependencies."""
        ...

    def waiting(self, job_id: str) -> list[str]:
        """The runs that wait, oldest first."""
        ...

    def forget(self, job_id: str, run_id: str) -> None:
        """The run does not wait any more."""
        ...

    def drop(self, job_id: str) -> None:
        """Removes all that is kept for a job except edges."""
        ...
