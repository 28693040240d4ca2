"""Retries a run as a new run that takes over what still holds of the old one."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from quintet.domain import limits
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.events import Event, EventType
from quintet.domain.graph import topological
from quintet.domain.job import Job
from quintet.domain.run import Run, Trigger
from quintet.domain.state import RunState, StepState
from quintet.domain.status import StepStatus
from quintet.services.asks import run_labels
from quintet.services.journal import Journal
from quintet.services.payloads import Payloads
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.runs import Claims, SlotTaken
from quintet.services.ports.world import Clock
from quintet.services.queueing import refusal
from quintet.services.trigger import Start, TriggerRun

INLINE_TOTAL = 1_000_000
"""Bytes of results that a new run takes over inside its journal."""

_OF_ONE_RUN = frozenset({"idempotency_key", "batch_id", "lineage_depth"})
"""What was said of the old run alone."""

MODES = ("from_failed", "from_step", "full")


class RetryRun:
    """Starts a run over, from its failures, from a step, or whole."""

    def __init__(self, journal: Journal, jobs: Jobs, trigger: TriggerRun, payloads: Payloads, clock: Clock) -> None:
        self._journal = journal
        self._jobs = jobs
        self._trigger = trigger
        self._payloads = payloads
        self._clock = clock

    def __call__(
        self,
        project: str,
        run_id: str,
        mode: str = "from_failed",
        step_key: str | None = None,
        by: str | None = None,
    ) -> Run:
        """The new run, on the old run's version, input and terms, `by` somebody. Raises NotFound, Conflict (not ended; its job's terms
        refuse it), Invalid (mode, step)."""
        opened = self._journal.open(run_id)
        run, state = opened.run, opened.state
        if run.project != project:
            raise NotFound("no such run")
        if mode not in MODES:
            raise Invalid([Problem(("mode",), f"must be one of {', '.join(MODES)}", "literal_error")])
        if mode == "from_step" and (step_key is None or step_key not in state.plan.graph.by_key):
            message = "Field required" if step_key is None else f"unknown step {step_key!r}"
            raise Invalid([Problem(("stepKey",), message, "missing" if step_key is None else "value_error")])
        if not run.status.terminal:
            raise Conflict("run has not ended yet; only an ended run can be retried")
        start = self._start(run, state, self._reused(run, state, mode, step_key), by)
        try:
            return self._trigger.start(job_of(run), self._payloads.get(state.input), start)
        except SlotTaken as taken:
            raise refusal(taken, start.slots, start.waits) from None

    def _start(self, run: Run, state: RunState, reused: list[Event], by: str | None) -> Start:
        asked = {name: value for name, value in run.asked.items() if name not in _OF_ONE_RUN}
        if "metadata" in asked:  # what attempts measured of themselves is no text, and of that run alone
            kept = {
                name: value for name, value in asked["metadata"].items() if isinstance(state.notes.get(name, ""), str)
            }
            asked = {**asked, "metadata": kept}
        if asked or run.follows:
            asked["lineage_depth"] = run.asked.get("lineage_depth", 0) + 1
        if by is not None and run.follows:
            asked["created_by"] = by
        job, slots, ttl = job_of(run), run.slots, None
        with suppress(NotFound):  # deleted since: its last caps hold
            job = self._jobs.get(run.tenant, run.job_id)
            if run.follows or job.terms.queues:
                slots, ttl = tuple(limits.slots(job, run.concurrency_key)), job.terms.ttl
        labels = tuple(run_labels(job, asked.get("tags", {}), asked.get("metadata", {})))
        return Start(
            trigger=Trigger("manual", "run", run.id),
            reused=reused,
            claims=Claims(labels=labels),
            slots=slots,
            waits=tuple(limits.waiting_slots(job, asked.get("queue_partition"))),
            replaces=limits.replaces(job),
            concurrency_key=run.concurrency_key,
            priority=run.priority,
            expires_at=None if ttl is None else self._clock.now() + timedelta(seconds=ttl),
            overrides=run.overrides,
            group=run.group,
            follows=run.follows,
            asked=asked,
        )

    def _reused(self, run: Run, state: RunState, mode: str, step_key: str | None) -> list[Event]:
        if mode == "full":
            return []
        again = downstream(state, {step_key} if mode == "from_step" and step_key else unfinished(state))
        taken = [
            state.steps[step.key]
            for step in topological(state.plan.steps)
            if step.key not in again and not step.rescue and state.steps[step.key].status is StepStatus.COMPLETED
        ]
        # They all go into one transaction, which holds 4 MB: many small results weigh less as references.
        apart = sum(self._payloads.size(step.result) for step in taken) > INLINE_TOTAL
        now = self._clock.now()
        return [Event(EventType.STEP_COMPLETED, now, s.path, self._taken(s, run.id, apart=apart)) for s in taken]

    def _taken(self, step: StepState, run_id: str, *, apart: bool) -> dict[str, Any]:
        if step.result is None:
            return {"reused_from": run_id}
        result = self._payloads.put(self._payloads.get(step.result), apart=True) if apart else step.result
        return {"reused_from": run_id, "result": result}


def job_of(run: Run) -> Job:
    """The job as far as a run of it tells: enough to run the same version again, also when the job has changed or gone since."""
    return Job(
        id=run.job_id,
        project=run.project,
        dialect="",
        name="",
        version=run.version,
        version_id=run.version_id,
        created_at=run.created_at,
        updated_at=run.updated_at,
    )


def unfinished(state: RunState) -> set[str]:
    """The root steps that neither completed nor were skipped."""
    done = (StepStatus.COMPLETED, StepStatus.SKIPPED)
    return {step.key for step in state.plan.steps if state.steps[step.key].status not in done}


def downstream(state: RunState, keys: set[str]) -> set[str]:
    """The steps and all that depend on them, directly or not."""
    found: set[str] = set()
    pending = list(keys)
    while pending:
        key = pending.pop()
        if key not in found:
            found.add(key)
            pending.extend(state.plan.graph.dependants[key])
    return found
