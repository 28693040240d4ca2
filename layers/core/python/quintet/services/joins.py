"""Starts the runs of jobs that follow others: at once behind one upstream, when all have come together behind several."""

import logging
from collections.abc import Sequence
from typing import Any

from quintet.domain.dependency import JobDependency, UpstreamEnd
from quintet.domain.errors import AppendConflict, QuintetError, Throttled
from quintet.domain.job import Job
from quintet.domain.run import Trigger
from quintet.services.payloads import Payloads
from quintet.services.ports.dependencies import DependencyStore, Firing, Join, TriggerJob

log = logging.getLogger(__name__)

ACTIVE = "active"


class Joins:
    """Passes upstream ends on to one downstream job, each exactly once, however often and by however many it is told.

    Behind several upstreams, ends are noted first; whoever finds all conditions satisfied swaps the ends for a firing in one write,
    starts the run under a guard, and then removes the firing. A process that dies on the way leaves an end to be noted again (its
    run is told again), ends that the next teller consumes, or a firing that the next teller starts: the guard keeps that one run.
    """

    def __init__(self, store: DependencyStore, payloads: Payloads, trigger: TriggerJob) -> None:
        self._store = store
        self._payloads = payloads
        self._trigger = trigger

    def tell(self, job: Job, end: UpstreamEnd) -> None:
        """Tells a job how a run of one of its upstreams ended.

        Raises what may be different when it is told again; a run that can't be started at all is logged and done with.
        """
        needed = self._store.of(job.id)
        mine = next((one for one in needed if one.depends_on_job_id == end.job_id), None)
        if mine is None:
            return  # taken back meanwhile
        if len(needed) > 1:
            self._store.note(job.id, end)
        elif mine.condition.holds(end.status) and self._store.stand_alone(job.id, end):
            self._start(job, end.run_id, {"upstream": self._told(end)})
        self._come_together(job, needed)

    def _come_together(self, job: Job, needed: Sequence[JobDependency]) -> None:
        while True:
            join = self._store.join(job.id)
            for firing in join.firings:
                self._start(job, firing.run_id, self._payloads.get(firing.input))
                self._store.fired(job.id, firing)
            ends = _complete(join, needed)
            if ends is None:
                return
            last = max(ends, key=lambda end: end.order)
            told = {end.job_id: self._told(end) for end in ends}
            given = {"upstream": told[last.job_id], "upstreams": list(told.values())}
            self._store.consume(job.id, ends, Firing(last.run_id, self._payloads.put(given)))

    def _start(self, job: Job, run_id: str, given: Any) -> None:
        if job.status != ACTIVE:
            return
        trigger = Trigger("job_completion", "run", run_id)
        try:
            self._trigger(job, given, trigger, (f"dep#{job.id}#{run_id}",))
        except (Throttled, AppendConflict):
            raise
        except QuintetError:  # the job does not take this input, or not now: repeating would not change it
            log.exception("job %s was not started behind run %s", job.id, run_id)

    def _told(self, end: UpstreamEnd) -> dict[str, Any]:
        result = self._payloads.get(end.result)
        return {"job_id": end.job_id, "run_id": end.run_id, "status": str(end.status), "result": result}


def _complete(join: Join, needed: Sequence[JobDependency]) -> list[UpstreamEnd] | None:
    """The end of each upstream, when there are several and all conditions hold."""
    if len(needed) < 2:
        return None
    ends = [join.ends.get(one.depends_on_job_id) for one in needed]
    if not all(end is not None and one.condition.holds(end.status) for one, end in zip(needed, ends, strict=True)):
        return None
    return [end for end in ends if end is not None]
