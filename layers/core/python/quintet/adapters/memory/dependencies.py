"""The edges between jobs in memory."""

from collections.abc import Sequence
from threading import RLock

from quintet.adapters.dependency_records import (
    dependency_from_text,
    dependency_to_text,
    end_from_text,
    end_to_text,
    firing_from_text,
    firing_to_text,
)
from quintet.domain.dependency import JobDependency, UpstreamEnd
from quintet.services.ports.dependencies import Firing, Join


class MemoryDependencies:
    """Port DependencyStore in dictionaries of JSON texts."""

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}
        self._edges: dict[tuple[str, str], str] = {}
        self._last: dict[str, str] = {}
        self._ends: dict[str, dict[str, str]] = {}
        self._firings: dict[str, dict[str, str]] = {}
        self._alone: dict[str, dict[str, bool]] = {}
        self._waits: dict[str, set[str]] = {}
        self._lock = RLock()

    # --- edges -----------------------------------------------------------------------------------------------------------------

    def revision(self, project: str) -> int:
        """Counts the edges ever added in a project."""
        with self._lock:
            return self._revisions.get(project, 0)

    def add(self, project: str, dependency: JobDependency, revision: int, stale: Sequence[str] = ()) -> bool:
        """Writes an edge and forgets the `stale` upstreams' ends; False when the project is past that revision."""
        with self._lock:
            if self._revisions.get(project, 0) != revision:
                return False
            self._revisions[project] = revision + 1
            self._edges[dependency.job_id, dependency.depends_on_job_id] = dependency_to_text(dependency)
            for upstream in stale:
                self._ends.get(dependency.job_id, {}).pop(upstream, None)
            return True

    def remove(self, dependency: JobDependency) -> None:
        """Removes an edge and its upstream's end from the join; nothing when it is gone."""
        ends = dependency.job_id, dependency.depends_on_job_id
        with self._lock:
            stored = self._edges.get(ends)
            if stored is not None and dependency_from_text(stored).id == dependency.id:
                del self._edges[ends]
                self._ends.get(dependency.job_id, {}).pop(dependency.depends_on_job_id, None)

    def of(self, job_id: str) -> list[JobDependency]:
        """What a job depends on, oldest edge first."""
        return self._found(job_id, 0)

    def dependants(self, job_id: str) -> list[JobDependency]:
        """What depends on a job, oldest edge first."""
        return self._found(job_id, 1)

    def _found(self, job_id: str, end: int) -> list[JobDependency]:
        with self._lock:
            found = [dependency_from_text(text) for ends, text in self._edges.items() if ends[end] == job_id]
        return sorted(found, key=lambda one: one.id)

    # --- what was heard --------------------------------------------------------------------------------------------------------

    def keep_last(self, end: UpstreamEnd) -> None:
        """Keeps how a job's run ended (not its result), unless a later end is kept."""
        kept = UpstreamEnd(end.job_id, end.run_id, end.status, end.ended_at)
        with self._lock:
            stored = self._last.get(end.job_id)
            if stored is None or end_from_text(stored).order <= end.order:
                self._last[end.job_id] = end_to_text(kept)

    def last(self, job_ids: Sequence[str]) -> dict[str, UpstreamEnd]:
        """The last end of each of these jobs that has one."""
        with self._lock:
            return {job_id: end_from_text(self._last[job_id]) for job_id in job_ids if job_id in self._last}

    def stand_alone(self, job_id: str, end: UpstreamEnd) -> bool:
        """Marks that an upstream's end starts a run of the job by itself; False when it was noted in its join."""
        with self._lock:
            return self._alone.setdefault(job_id, {}).setdefault(end.run_id, True)

    def note(self, job_id: str, end: UpstreamEnd) -> None:
        """Notes an upstream's end in a job's join: once for each run, and not in place of a later one's."""
        with self._lock:
            alone = self._alone.setdefault(job_id, {})
            if end.run_id in alone:
                return
            alone[end.run_id] = False
            ends = self._ends.setdefault(job_id, {})
            if end.job_id not in ends or end_from_text(ends[end.job_id]).order <= end.order:
                ends[end.job_id] = end_to_text(end)

    def join(self, job_id: str) -> Join:
        """A job's join as it stands."""
        with self._lock:
            ends = {upstream: end_from_text(text) for upstream, text in self._ends.get(job_id, {}).items()}
            firings = sorted(self._firings.get(job_id, {}).items())
        return Join(ends, [firing_from_text(text) for _, text in firings])

    def consume(self, job_id: str, ends: Sequence[UpstreamEnd], firing: Firing) -> bool:
        """Takes these ends out of the join and keeps the firing; False when they are not all there any more."""
        with self._lock:
            there = self._ends.get(job_id, {})
            stored = {upstream: end_from_text(text).run_id for upstream, text in there.items()}
            if any(stored.get(end.job_id) != end.run_id for end in ends):
                return False
            for end in ends:
                del there[end.job_id]
            self._firings.setdefault(job_id, {})[firing.run_id] = firing_to_text(firing)
            return True

    def fired(self, job_id: str, firing: Firing) -> None:
        """The firing is done."""
        with self._lock:
            self._firings.get(job_id, {}).pop(firing.run_id, None)

    # --- waiting runs ----------------------------------------------------------------------------------------------------------

    def wait(self, job_id: str, run_id: str) -> None:
        """Registers a run that waits for its job's dependencies."""
        with self._lock:
            self._waits.setdefault(job_id, set()).add(run_id)

    def waiting(self, job_id: str) -> list[str]:
        """The runs that wait, oldest first."""
        with self._lock:
            return sorted(self._waits.get(job_id, ()))

    def forget(self, job_id: str, run_id: str) -> None:
        """The run does not wait any more."""
        with self._lock:
            self._waits.get(job_id, set()).discard(run_id)

    def drop(self, job_id: str) -> None:
        """Removes all that is kept for a job except edges."""
        with self._lock:
            self._last.pop(job_id, None)
            for kept in (self._ends, self._firings, self._alone, self._waits):
                kept.pop(job_id, None)
