"""How runs that have not started come in: in order of priority and age, when their time and their slots allow it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from quintet.domain import limits, rules
from quintet.domain.errors import AppendConflict, Conflict, NotFound
from quintet.domain.events import EventType, to_millis
from quintet.domain.fold import fold
from quintet.domain.job import Job
from quintet.domain.rules import Draft
from quintet.domain.run import Run, VersionPolicy
from quintet.domain.status import RunStatus
from quintet.services.journal import Journal, OpenRun, as_run
from quintet.services.payloads import Payloads
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.runs import Runs, SlotTaken
from quintet.services.ports.schedules import Schedules
from quintet.services.ports.world import Bursts, Clock
from quintet.services.terms import DELAY_SLACK, LEASE, QUEUE_CHECK_BEHIND

log = logging.getLogger(__name__)

ADMITTED = frozenset({RunStatus.QUEUED, RunStatus.DELAYED})
"""The states from which admission starts a run."""

WAS_ACTIVE = "a run of this job was active, and it skips triggers then"
NO_QUEUE_THEN = "it could not start at its time, and its job has no queue"


class Upstreams(Protocol):
    """What a job's runs must wait for."""

    def unmet(self, job: Job) -> Sequence[object]:
        """The job's dependencies that don't hold now."""
        ...

    def wait_for(self, job: Job, run_id: str) -> None:
        """Has the run released when they hold."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a run that asked to be let in. `done`: it needs no more asking (it started, or another saw to it); else it
    waits, for the slot called `full` or for its time. `ended`: it expired instead, which its endings must follow."""

    done: bool
    full: str | None = None
    ended: OpenRun | None = None


class Admission:
    """Lets runs in."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        jobs: Jobs,
        payloads: Payloads,
        upstreams: Callable[[], Upstreams],
        schedules: Schedules,
        bursts: Bursts,
        clock: Clock,
    ) -> None:
        """`upstreams` are asked for when they are needed: they have runs triggered themselves."""
        self._upstreams = upstreams
        self._schedules = schedules
        self._runs = runs
        self._journal = journal
        self._jobs = jobs
        self._payloads = payloads
        self._bursts = bursts
        self._clock = clock

    def next(self, *slots: str) -> Iterator[OpenRun]:
        """Lets in the first of these slots' queues while there is room; yields the runs that expired instead.

        Of several queues the run of the highest priority comes first, then the oldest. One that another slot keeps out stands in that
        slot's queue from then on, and so in nobody's way here.
        """
        passed: set[str] = set()  # the queues lag behind what was taken from them
        left = list(dict.fromkeys(slots))
        while left:
            heads = {slot: run_id for slot in left if (run_id := self._runs.next_queued(slot, passed)) is not None}
            if not heads:
                return
            left = list(heads)
            run_id = self._first(set(heads.values()))
            passed.add(run_id)
            answer = self._try(run_id)
            if answer.ended is not None:
                yield answer.ended
            elif not answer.done and answer.full is not None:
                left = [slot for slot in left if slot != answer.full]

    def _first(self, heads: set[str]) -> str:
        if len(heads) == 1:
            return next(iter(heads))
        return min(heads, key=lambda run_id: (-self._runs.get(run_id).priority, run_id))

    def _try(self, run_id: str) -> Answer:
        try:
            return self.admit(run_id)
        except Exception:  # what follows another run's end must not fail by it, nor may it stand in the others' way
            log.exception("run %s could not be admitted", run_id)
            return Answer(done=True)

    def admit(self, run_id: str) -> Answer:
        """Starts a queued or delayed run if its time has come and its slots are free; one past its time to start expires."""
        opened = self._journal.open(run_id)
        if opened.state.status not in ADMITTED:
            return Answer(done=True)
        now = self._clock.now()
        if expired(opened.run, now):
            return self.expire(run_id)
        # One that waited for its job's dependencies was not delayed, and has its time all the same.
        early = max((opened.state.until or opened.run.scheduled_at or now) - now, timedelta())
        if early > DELAY_SLACK:
            return Answer(done=False)
        if early:
            self._clock.sleep(early.total_seconds())
            return self.admit(run_id)  # it may have been moved meanwhile
        return self._admit(opened, now)

    def _admit(self, opened: OpenRun, now: datetime) -> Answer:
        if (held_back := self._held_back(opened)) is not None:
            return held_back
        if (opens := self._closed(opened.run, now)) is not None:
            # Not all who stand in a queue are looked at each minute, which may be all that a window lasts.
            self._runs.postpone(opened.run.id, min(opens, now + QUEUE_CHECK_BEHIND))
            return Answer(done=False, full=next((slot.name for slot in opened.run.slots), None))
        self._take_terms(opened)
        draft = Draft(opened.state, now)
        self._start(opened, draft)
        run = as_run(opened.run, opened.state)
        try:
            epoch = self._runs.admit(run, draft.base, draft.events, draft.now + LEASE)
        except SlotTaken as taken:
            refusing = [slot for slot in run.slots if slot.refuses and slot.name == str(taken)]
            if refusing:
                return self._skip(run.id, WAS_ACTIVE if limits.solo(refusing[0]) else NO_QUEUE_THEN)
            return Answer(done=False, full=str(taken))
        except AppendConflict:
            return Answer(done=True)  # another admitted or ended it
        self._bursts.start(run.id, epoch)
        return Answer(done=True)

    def _start(self, opened: OpenRun, draft: Draft) -> None:
        state = opened.state
        timeout = state.plan.timeout
        deadline = None if timeout is None else to_millis(draft.now) + round(timeout * 1000)
        version = opened.run.version if opened.run.policy is not VersionPolicy.PIN else None
        if state.gathered:
            batch = {"items": [self._payloads.get(item) for item in state.gathered]}
            draft.add(EventType.RUN_STARTED, deadline=deadline, version=version, input=self._payloads.put(batch))
        else:
            draft.add(EventType.RUN_STARTED, deadline=deadline, version=version)

    def _take_terms(self, opened: OpenRun) -> None:
        """Has the run start on its job's present caps, and enact the version that its policy names now; nothing of its plan has begun."""
        run = opened.run
        if not run.follows or (run.policy is VersionPolicy.PIN and not run.slots):
            return
        try:
            job = self._jobs.get(run.tenant, run.job_id)
        except NotFound:  # deleted meanwhile: what was triggered still runs
            return
        caps = {slot.name: slot.limit for slot in limits.slots(job, run.concurrency_key)}
        # A cap that is gone holds nobody back; one that came since begins with the runs triggered since, and so does who may wait for it.
        kept = tuple(replace(slot, limit=caps[slot.name]) for slot in run.slots if slot.name in caps)
        opened.run = run = replace(run, slots=kept)
        pinned = run.policy is VersionPolicy.PIN or (run.policy is VersionPolicy.MINOR and not job.terms.compatible)
        if pinned or job.version == run.version:
            return
        opened.run = replace(run, version=job.version, version_id=job.version_id)
        # Up to where it was decided on: what others have appended since must make the admission fail.
        seen = self._runs.tail(run.id, 0, opened.state.number)
        opened.state = fold(run.id, self._journal.plan_of(opened.run), seen)

    def _closed(self, run: Run, now: datetime) -> datetime | None:
        """When the execution window of the run's job opens, None when it is open: until then the run keeps its place in the queue."""
        if not run.follows:
            return None
        try:
            terms = self._jobs.get(run.tenant, run.job_id).terms
        except NotFound:
            return None
        if terms.window_cron is None:
            return None
        minute = now.replace(second=0, microsecond=0)
        opens = self._schedules.after(terms.window_cron, terms.timezone, minute - timedelta(minutes=1))
        return opens if opens is not None and opens > now else None

    def _held_back(self, opened: OpenRun) -> Answer | None:
        """Has a run whose time has come wait for what its job depends on, or end where none may wait; None when it need not."""
        run = opened.run
        asks = run.follows and run.parent is None and run.trigger.type != "job_completion"
        if not asks or opened.state.status is not RunStatus.DELAYED:
            return None
        try:
            job = self._jobs.get(run.tenant, run.job_id)
        except NotFound:
            return None
        if not self._upstreams().unmet(job):
            return None
        if job.terms.queue_limit == 0 and not run.waits:
            return self._skip(run.id, NO_QUEUE_THEN)

        def decision(current: OpenRun, draft: Draft) -> None:
            if current.state.status is RunStatus.DELAYED:
                draft.add(EventType.RUN_WAITING, **{"for": "dependencies"})

        self._journal.decide(run.id, decision)
        self._upstreams().wait_for(job, run.id)
        return Answer(done=True)

    def _skip(self, run_id: str, reason: str) -> Answer:
        """Cancels an unstarted run that can't start now and that nobody lets wait."""

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status not in ADMITTED:
                raise Conflict("the run has started, or ended")
            rules.cancel_run(draft, "engine", reason)

        return self._ended(run_id, decision)

    def _ended(self, run_id: str, decision: Callable[[OpenRun, Draft], None]) -> Answer:
        try:
            opened, _ = self._journal.decide(run_id, decision)
        except Conflict:
            return Answer(done=True)
        return Answer(done=True, ended=opened)

    def expire(self, run_id: str) -> Answer:
        """Ends an unstarted run whose time to start is over."""

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status not in ADMITTED or not expired(opened.run, draft.now):
                raise Conflict("the run does not expire now")
            rules.expire(draft)

        return self._ended(run_id, decision)


def expired(run: Run, now: datetime) -> bool:
    """True for a run that was to start before now, or not at all."""
    return run.expires_at is not None and run.expires_at <= now and run.started_at is None
