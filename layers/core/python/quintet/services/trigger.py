"""Starts runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from quintet.domain.definition import AS_DEFINED, Overrides
from quintet.domain.events import Event, EventType, from_millis, to_millis
from quintet.domain.job import Job, with_default_input
from quintet.domain.limits import key_slot
from quintet.domain.run import Parent, Run, Slot, Trigger, VersionPolicy
from quintet.domain.status import RunStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import NO_CLAIMS, AlreadyThere, Claims, Creation, Guard, Runs, SlotTaken
from quintet.services.ports.world import Bursts, Clock, Ids, Timers
from quintet.services.queueing import Queueing
from quintet.services.terms import DUE_GRACE, LEASE, QUEUE_CHECK, RESTING_CHECK

MANUAL = Trigger()


@dataclass(frozen=True, slots=True)
class Start:
    """What a new run begins with beside its job and input.

    `at` delays the start; `gathered` makes it a batch that begins with one payload; `marks` are those of the trigger that makes a run into
    which others merge (None: any other run); `awaits` names what must come before the start (dependencies). `reused` are step events that
    a retry takes over from the run before. `waits` are taken if the run does not start at once; with `replaces`, from the last run that
    holds the first of them. The rest is as in Run.
    """

    trigger: Trigger = MANUAL
    run_id: str | None = None
    parent: Parent | None = None
    depth: int = 0
    at: datetime | None = None
    awaits: str | None = None
    gathered: bool = False
    marks: Sequence[str] | None = None
    reused: Sequence[Event] = ()
    claims: Claims = NO_CLAIMS
    slots: tuple[Slot, ...] = ()
    waits: tuple[Slot, ...] = ()
    replaces: bool = False
    concurrency_key: str | None = None
    priority: int = 0
    expires_at: datetime | None = None
    policy: VersionPolicy = VersionPolicy.PIN
    overrides: Overrides = AS_DEFINED
    group: str | None = None
    follows: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)


class TriggerRun:
    """Creates runs of a job's version and starts them, or queues them, or has them start later."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        payloads: Payloads,
        endings: Endings,
        queueing: Queueing,
        bursts: Bursts,
        timers: Timers,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._payloads = payloads
        self._endings = endings
        self._queueing = queueing
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
        guard: Guard | None = None,
        run_id: str | None = None,
        parent: Parent | None = None,
        depth: int = 0,
        at: datetime | None = None,
        reused: Sequence[Event] = (),
    ) -> Run:
        """The new run, or the one that `run_id` or `guard` already stands for.

        The `input` is laid over the job's own (settings `input`). A `concurrency_key` lets one run of its name in the project be active
        at a time.
        """
        start = Start(
            trigger=trigger,
            run_id=run_id,
            parent=parent,
            depth=depth,
            at=at,
            reused=reused,
            claims=NO_CLAIMS if guard is None else Claims(guards=(guard,)),
            concurrency_key=concurrency_key,
            slots=() if concurrency_key is None else (key_slot(job.project, concurrency_key, 1),),
        )
        try:
            return self.start(job, input, start)
        except AlreadyThere as known:
            return self._runs.get(known.run_id)

    def start(self, job: Job, given: Any, start: Start) -> Run:
        """The new run. Raises AlreadyThere, RateExceeded; SlotTaken only for a slot of nobody's queue (`refuses`), or a waiting one."""
        creation = self._creation(job, given, start)
        if creation.run.status is not RunStatus.EXECUTING:
            self._queueing.wait(creation, replaces=start.replaces)
            self._see_to_start(creation.run)
            return creation.run
        return self._start_or_queue(creation, start)

    def start_many(self, job: Job, given: Sequence[tuple[Any, Start]]) -> list[Run | Exception]:
        """The same for many at once, in few transactions: each one's run, or what `start` would have raised for it."""
        creations = [self._creation(job, one, start) for one, start in given]
        # Which of many fit into the slots is for the queue to say: taken one by one, each would be a transaction to lose. Where few may
        # wait, those that can start at once must not take the others' places.
        few = {slot.name for _, start in given if start.waits for slot in start.slots}
        behind = {name for name in sorted(few) if self._runs.next_queued(name)}
        creations = [
            _queued(one, start) if _had_better_wait(one, start, behind) else one
            for one, (_, start) in zip(creations, given, strict=True)
        ]
        made = self._created(creations)
        left = [place for place, (one, fault) in enumerate(zip(creations, made, strict=True)) if _may_wait(one, fault)]
        waiting = self._created([_queued(creations[place], given[place][1]) for place in left])
        for place, outcome in zip(left, waiting, strict=True):
            made[place] = outcome
        new = [run for run in made if isinstance(run, Run)]
        self._bursts.start_many([(run.id, 1) for run in new if run.status is RunStatus.EXECUTING])
        for run in new:
            self._see_to_start(run)
        self._endings.admit_next(*{slot.name for run in new if run.status is RunStatus.QUEUED for slot in run.slots})
        return made

    def _created(self, creations: Sequence[Creation]) -> list[Run | Exception]:
        answers = self._runs.create_many(creations) if creations else []
        return [fault or one.run for one, fault in zip(creations, answers, strict=True)]

    def _creation(self, job: Job, given: Any, start: Start) -> Creation:
        now = self._clock.now()
        run = _run(job, start, start.run_id or self._ids.new(), now)
        stored = self._payloads.put(with_default_input(job.settings.get("input"), given))
        told = ({} if start.gathered else {"input": stored}) | (
            {} if start.marks is None else {"marks": [*start.marks]}
        )
        begin = [Event(EventType.RUN_CREATED, now, None, told), *start.reused]
        if start.gathered:
            begin.append(Event(EventType.RUN_GATHERED, now, None, {"item": stored}))
        due = now + LEASE
        if start.awaits is not None:
            run = replace(run, status=RunStatus.WAITING)
            begin.append(Event(EventType.RUN_WAITING, now, None, {"for": start.awaits}))
            due = now + RESTING_CHECK
            if start.at is not None:
                due = min(due, max(start.at, now) + DUE_GRACE)
        elif start.at is not None and (
            start.at > now or start.gathered
        ):  # what was gathered is its input when it is admitted
            run = replace(run, status=RunStatus.DELAYED)
            begin.append(Event(EventType.RUN_DELAYED, now, None, {"until": to_millis(start.at)}))
            due = start.at + DUE_GRACE
        else:
            timeout = self._journal.plan(run.job_id, run.version).timeout
            deadline = {} if timeout is None else {"deadline": to_millis(now + timedelta(seconds=timeout))}
            run = replace(run, started_at=now, waits=())
            begin.append(Event(EventType.RUN_STARTED, now, None, deadline))
            return Creation(run, begin, now + LEASE, due, start.claims)
        return Creation(run, begin, None, _before_expiry(due, run), start.claims)

    def _see_to_start(self, run: Run) -> None:
        if run.scheduled_at is not None and run.status in {RunStatus.DELAYED, RunStatus.WAITING}:
            self._timers.start(run.id, run.scheduled_at)

    def _start_or_queue(self, creation: Creation, start: Start) -> Run:
        run = creation.run
        # Where nobody waits nobody is passed over.
        if all(slot.refuses for slot in run.slots) or not any(self._runs.next_queued(slot.name) for slot in run.slots):
            try:
                self._runs.create(creation)
            except SlotTaken as taken:
                if not _may_wait(creation, taken):
                    raise
            else:
                self._bursts.start(run.id, 1)
                return run
        queued = _queued(creation, start)  # behind whoever took the slot
        self._queueing.wait(queued, replaces=start.replaces)
        # The slot may have been freed between the refusal and now, when nobody stood in the queue yet to be let in.
        self._endings.admit_next(*(slot.name for slot in run.slots))
        return queued.run


def _run(job: Job, start: Start, run_id: str, now: datetime) -> Run:
    return Run(
        id=run_id,
        project=job.project,
        job_id=job.id,
        version=job.version,
        version_id=job.version_id,
        status=RunStatus.EXECUTING,
        created_at=now,
        updated_at=now,
        trigger=start.trigger,
        concurrency_key=start.concurrency_key,
        parent=start.parent,
        slots=start.slots,
        waits=start.waits,
        priority=start.priority,
        scheduled_at=None if start.at is None else from_millis(to_millis(start.at)),
        expires_at=start.expires_at,
        policy=start.policy,
        overrides=start.overrides,
        group=start.group,
        follows=start.follows,
        asked=start.asked,
        depth=start.depth,
    )


def _had_better_wait(creation: Creation, start: Start, behind: Collection[str]) -> bool:
    """True for one of many that stands in its slots' queue at once, `behind` others or to be let in together."""
    run = creation.run
    if run.status is not RunStatus.EXECUTING or all(slot.refuses for slot in run.slots):
        return False
    return not start.waits or any(slot.name in behind for slot in run.slots)


def _may_wait(creation: Creation, fault: object) -> bool:
    """True for a run that was to start at once and was refused a slot for which it may wait."""
    run = creation.run
    if not isinstance(fault, SlotTaken) or run.status is not RunStatus.EXECUTING:
        return False
    return not any(slot.refuses and slot.name == str(fault) for slot in run.slots)


def _queued(creation: Creation, start: Start) -> Creation:
    """The creation of a run that would have started at once, as one that stands in its slots' queue."""
    now = creation.run.created_at
    run = replace(creation.run, status=RunStatus.QUEUED, started_at=None, waits=start.waits)
    queued = Event(EventType.RUN_QUEUED, now, None, {"slots": [slot.name for slot in run.slots]})
    due = _before_expiry(now + QUEUE_CHECK, run)
    return Creation(run, [*creation.events[:-1], queued], None, due, creation.claims)


def _before_expiry(due: datetime, run: Run) -> datetime:
    return due if run.expires_at is None else min(due, run.expires_at)
