"""Runs held back and let go by hand or by what they depend on: pause, resume, another time, release."""

from collections.abc import Callable
from datetime import datetime

from quintet.domain import rules
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.events import EventType, to_millis
from quintet.domain.job import Job
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.runs import RunList, Runs
from quintet.services.ports.world import Timers
from quintet.services.terms import DELAY_SLACK

READMITTED = 100
"""The queued runs whose queues are looked at when caps were raised; the sweep sees to the rest."""

PAUSABLE = frozenset({RunStatus.QUEUED, RunStatus.EXECUTING, RunStatus.WAITING})


class HoldRuns:
    """Pauses, resumes, reschedules and releases runs; of racing changes each is decided on what the one before left."""

    def __init__(self, runs: Runs, journal: Journal, endings: Endings, timers: Timers) -> None:
        self._runs = runs
        self._journal = journal
        self._endings = endings
        self._timers = timers

    def pause(self, project: str, run_id: str, by: str, pausable: frozenset[RunStatus] = PAUSABLE) -> Run:
        """Has nothing further begin in a run; what is under way may end. A started run keeps its slots: what it has under way counts.

        Raises NotFound, Conflict when it is in none of the `pausable` states.
        """

        def decision(opened: OpenRun, draft: Draft) -> None:
            waits_to_start = opened.state.status is RunStatus.WAITING and rules.unstarted(opened.state)
            if opened.state.status not in pausable or waits_to_start:
                raise Conflict(f"a run that is {opened.state.status} can't be paused")
            draft.add(EventType.RUN_PAUSED, by=by)

        return self._decide(project, run_id, decision)

    def resume(self, project: str, run_id: str, by: str) -> Run:
        """Has a paused run go on; one that had not started stands in its queue again. Raises NotFound, Conflict when it isn't paused."""

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status is not RunStatus.PAUSED:
                raise Conflict(f"a run that is {opened.state.status} can't be resumed")
            if rules.unstarted(opened.state):
                draft.add(EventType.RUN_QUEUED, slots=[slot.name for slot in opened.run.slots], by=by)
            else:
                draft.add(EventType.RUN_RESUMED, by=by)

        run = self._decide(project, run_id, decision)
        if run.started_at is None:
            self._let_in(run)
            return self._runs.get(run_id)
        self._endings.wake(run_id)
        return run

    def reschedule(self, project: str, run_id: str, at: datetime) -> Run:
        """Gives a delayed run another time.

        Raises NotFound, Conflict when it is not delayed, Invalid when it would have expired by then.
        """

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status is not RunStatus.DELAYED:
                raise Conflict(f"a run that is {opened.state.status} can't be rescheduled")
            if opened.run.expires_at is not None and at >= opened.run.expires_at:
                raise Invalid([Problem(("scheduled_at",), "the run will have expired by then")])
            draft.add(EventType.RUN_DELAYED, until=to_millis(max(at, draft.now)))

        run = self._decide(project, run_id, decision)
        if run.scheduled_at is not None:
            self._timers.start(run_id, run.scheduled_at)
        return run

    def readmit(self, job: Job) -> None:
        """Lets in the job's queued runs that its present caps have room for: after they were raised, nobody's end would."""
        queued = RunList(job.project, job.id, statuses=frozenset({RunStatus.QUEUED}))
        slots = {slot.name for run in self._runs.browse(queued, READMITTED).runs for slot in run.slots}
        self._endings.admit_next(*slots)

    def release(self, run_id: str) -> bool:
        """Lets in a run that waited for what must come before its start; nothing for any other.

        True when it waits on, because its own time has not come either.
        """

        def decision(opened: OpenRun, draft: Draft) -> bool:
            if opened.state.status is not RunStatus.WAITING or not rules.unstarted(opened.state):
                return False
            if opened.run.scheduled_at is not None and opened.run.scheduled_at - draft.now > DELAY_SLACK:
                return True
            draft.add(EventType.RUN_QUEUED, slots=[slot.name for slot in opened.run.slots])
            return False

        opened, waits_on = self._journal.decide(run_id, decision)
        if opened.state.status is RunStatus.QUEUED:
            self._let_in(opened.run)
        return waits_on

    def _let_in(self, run: Run) -> None:
        if run.slots:
            self._endings.admit_next(*(slot.name for slot in run.slots))
        else:
            self._endings.admit(run.id)

    def _decide(self, project: str, run_id: str, decision: Callable[[OpenRun, Draft], None]) -> Run:
        def own(opened: OpenRun, draft: Draft) -> None:
            if opened.run.project != project:
                raise NotFound("no such run")
            decision(opened, draft)

        return self._journal.decide(run_id, own)[0].run
