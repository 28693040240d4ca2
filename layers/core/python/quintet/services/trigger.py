"""Starts runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from quintet.domain.events import Event, EventType, to_millis
from quintet.domain.job import Job, with_default_input
from quintet.domain.run import Parent, Run, Slot, Trigger
from quintet.domain.status import RunStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import AlreadyThere, Runs, SlotTaken
from quintet.services.ports.world import Bursts, Clock, Ids, Timers
from quintet.services.terms import DUE_GRACE, LEASE, QUEUE_CHECK

MANUAL = Trigger()


class TriggerRun:
    """Creates a run of a job's version and starts it, or queues it, or has it start later."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        payloads: Payloads,
        endings: Endings,
        bursts: Bursts,
        timers: Timers,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._payloads = payloads
        self._endings = endings
        self._bursts = bursts
        self._timers = timers
        self._clock = clock
        self._ids = ids

    def __call__(
        self,
        job: Job,
        *,
        input: Any = None,  # noqa: A002  # the run's input is called so everywhere
        trigger: Trigger = MANUAL,
        concurrency_key: str | None = None,
        guard: str | None = None,
        guard_seconds: float | None = None,
        run_id: str | None = None,
        parent: Parent | None = None,
        depth: int = 0,
        at: datetime | None = None,
        reused: Sequence[Event] = (),
    ) -> Run:
        """The new run, or the one that `run_id` or `guard` already stands for.

        The `input` is laid over the job's own (settings `input`). A `concurrency_key` lets one run of its name in the project be active
        at a time. `at` delays the start. `reused` are step events that a retry takes over from the run before.
        """
        now = self._clock.now()
        run = Run(
            id=run_id or self._ids.new(),
            project=job.project,
            job_id=job.id,
            version=job.version,
            version_id=job.version_id,
            status=RunStatus.EXECUTING,
            created_at=now,
            updated_at=now,
            trigger=trigger,
            concurrency_key=concurrency_key,
            parent=parent,
            depth=depth,
            slots=() if concurrency_key is None else (Slot(f"{job.project}#key#{concurrency_key}", 1),),
        )
        given = with_default_input(job.settings.get("input"), input)
        created = Event(EventType.RUN_CREATED, now, None, {"input": self._payloads.put(given)})
        begin = [created, *reused]
        guarded = _guard(guard, guard_seconds, now)
        try:
            if at is not None and at > now:
                return self._delay(run, begin, at, guarded)
            return self._start_or_queue(run, begin, guarded)
        except AlreadyThere as known:
            return self._runs.get(known.run_id)

    def _delay(self, run: Run, begin: list[Event], at: datetime, guarded: Mapping[str, Any]) -> Run:
        delayed = replace(run, status=RunStatus.DELAYED)
        begin = [*begin, Event(EventType.RUN_DELAYED, run.created_at, None, {"until": to_millis(at)})]
        self._runs.create(delayed, begin, lease_until=None, due_at=at + DUE_GRACE, **guarded)
        self._timers.start(run.id, at)
        return delayed

    def _start_or_queue(self, run: Run, begin: list[Event], guarded: Mapping[str, Any]) -> Run:
        now = run.created_at
        if not any(self._runs.next_queued(slot.name) for slot in run.slots):
            timeout = self._journal.plan(run.job_id, run.version).timeout
            deadline = {} if timeout is None else {"deadline": to_millis(now + timedelta(seconds=timeout))}
            started = replace(run, started_at=now)
            events = [*begin, Event(EventType.RUN_STARTED, now, None, deadline)]
            try:
                self._runs.create(started, events, lease_until=now + LEASE, due_at=now + LEASE, **guarded)
            except SlotTaken:
                pass  # queued below, behind whoever took it
            else:
                self._bursts.start(run.id, 1)
                return started
        queued = replace(run, status=RunStatus.QUEUED)
        events = [*begin, Event(EventType.RUN_QUEUED, now, None, {"slots": [slot.name for slot in run.slots]})]
        self._runs.create(queued, events, lease_until=None, due_at=now + QUEUE_CHECK, **guarded)
        # The slot may have been freed between the refusal and now, when nobody stood in the queue yet to be let in.
        for slot in run.slots:
            self._endings.admit_next(slot.name)
        return queued


def _guard(name: str | None, seconds: float | None, now: datetime) -> dict[str, Any]:
    until = None if seconds is None else now + timedelta(seconds=seconds)
    return {"guard": name, "guard_until": until}
