"""What time asks for: scheduled runs, and runs whose driver was lost."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from quintet.domain.errors import AppendConflict, Conflict, Invalid, NotFound, Throttled
from quintet.domain.events import EventType
from quintet.domain.job import Job
from quintet.domain.rules import CRASHED, Draft, cancel_frame, fail, next_moment, unstarted
from quintet.domain.run import Run, Trigger
from quintet.domain.status import RunStatus
from quintet.services.admission import ADMITTED, expired
from quintet.services.asks import Ask
from quintet.services.endings import Endings
from quintet.services.heartbeats import Heartbeats
from quintet.services.journal import Journal, OpenRun
from quintet.services.parked import UntoldEnds
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.runs import Guard, Lapse, Runs
from quintet.services.ports.world import Bursts, Clock
from quintet.services.submit import Submit
from quintet.services.terms import (
    CARRIED_CHECK,
    DUE_GRACE,
    FRUITLESS_BURSTS,
    FRUITLESS_TIME,
    LEASE,
    LONGEST_CHECK,
    LONGEST_LEASE,
    QUEUE_CHECK,
    QUEUE_CHECK_BEHIND,
    RESTING_CHECK,
    UNTAKEN_CHECK,
)
from quintet.services.zombies import Zombies

log = logging.getLogger(__name__)

BATCH = 500
GUARD_KEPT = timedelta(days=7)
TICK_AHEAD = timedelta(seconds=60)
LAPSED_HORIZON = timedelta(minutes=10)

NextMoment = Callable[[Job, datetime], datetime | None]
"""The first moment of a job's schedule after a time."""


class Tick:
    """Fires what falls due within the coming minute, each moment once, whatever the number of schedules."""

    def __init__(self, jobs: Jobs, submit: Submit, clock: Clock, next_moment: NextMoment) -> None:
        self._jobs = jobs
        self._submit = submit
        self._clock = clock
        self._next_moment = next_moment

    def __call__(self) -> dict[str, int]:
        """How many runs were started or delayed to their second, and how many schedules failed to."""
        now = self._clock.now()
        fired, failed = 0, set[str]()
        while batch := self._jobs.scheduled(now + TICK_AHEAD, BATCH + len(failed)):
            moved = 0
            for job, at in batch:
                if job.id in failed:
                    continue
                try:
                    moved += self._fire(job, at, now)
                except Exception:  # one job's fault must not keep the others from their time
                    log.exception("schedule of job %s failed", job.id)
                    failed.add(job.id)
            fired += moved
            if not moved:
                break
        return {"fired": fired, "failed": len(failed)}

    def soon(self, job: Job, at: datetime) -> None:
        """Fires a job's next moment if it lies within the minute: one that has just been set can't wait for the next tick."""
        now = self._clock.now()
        if at <= now + TICK_AHEAD:
            self._fire(job, at, now)

    def _fire(self, job: Job, at: datetime, now: datetime) -> bool:
        # The run comes first: dying in between leaves the moment to be fired again, which the guard makes the same run.
        guard = Guard(f"tick#{job.id}#{at.isoformat()}", now + GUARD_KEPT)
        try:
            self._submit(job, Ask(trigger=Trigger("schedule", "schedule", job.id), guards=(guard,), at=at))
        except (Conflict, Invalid, Throttled) as refused:  # the job's own terms pass this moment over
            log.warning("job %s was not started at %s: %s", job.id, at.isoformat(), refused)
        # Moments missed while nobody ticked fire once: the next one is counted from the present, not from the missed one.
        return self._jobs.reschedule(job, at, self._next_moment(job, max(at, now)))


class Sweep:
    """Takes up runs whose burst died, whose timer was lost, or whose place in a queue was forgotten."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        endings: Endings,
        heartbeats: Heartbeats,
        untold: UntoldEnds,
        zombies: Zombies,
        bursts: Bursts,
        clock: Clock,
        hold_back: Callable[[Run], None],
    ) -> None:
        """`hold_back` has a run that waits for what must come before its start released when that is there, at once if it is."""
        self._runs = runs
        self._journal = journal
        self._endings = endings
        self._heartbeats = heartbeats
        self._untold = untold
        self._zombies = zombies
        self._bursts = bursts
        self._clock = clock
        self._hold_back = hold_back

    def __call__(self, *, leases_lapsed: bool = False) -> dict[str, int]:
        """How many runs were looked at, taken up, and could not be.

        `leases_lapsed`: every lease counts as lapsed (the machine was restarted).
        """
        seen: set[str] = set()
        taken, failed = 0, 0
        horizon = self._clock.now() + (LAPSED_HORIZON if leases_lapsed else timedelta())
        while True:
            batch = [lapse for lapse in self._runs.due(horizon, BATCH + len(seen)) if lapse.run_id not in seen]
            for lapse in batch:
                seen.add(lapse.run_id)
                try:
                    taken += self._take_up(lapse, leases_lapsed=leases_lapsed)
                except Exception:  # one run's fault must not keep the others lost
                    log.exception("run %s could not be taken up", lapse.run_id)
                    failed += 1
            if not batch:
                return {"seen": len(seen), "taken": taken, "failed": failed}

    def _take_up(self, lapse: Lapse, *, leases_lapsed: bool) -> bool:
        now = self._clock.now()
        try:
            if lapse.status in ADMITTED:
                return self._admit(lapse, now)
            if lapse.status.terminal:
                return self._finish(lapse)
            if lapse.status is RunStatus.PAUSED:
                return self._look_at_paused(lapse, now)
            return self._take_up_live(lapse, now, leases_lapsed=leases_lapsed)
        except (AppendConflict, NotFound):
            return False

    def _look_at_paused(self, lapse: Lapse, now: datetime) -> bool:
        """A person has it: nothing goes on. But what somebody settled by hand meanwhile is stopped, and its time may be over."""
        opened = self._journal.open(lapse.run_id)
        due = self._zombies.due_at(opened)
        # Should it be resumed at this very moment, this look takes the place of its own.
        look = now + RESTING_CHECK
        self._runs.postpone(lapse.run_id, look if due is None else min(look, max(due, now)))
        if self._zombies.give_up_due(opened, now):
            return True
        self._endings.cancel_abandoned(opened.run, opened.state)
        return False

    def _take_up_live(self, lapse: Lapse, now: datetime, *, leases_lapsed: bool) -> bool:
        lost = leases_lapsed and self._lose_carried(lapse.run_id)
        if not lapse.active:
            return self._look(lapse, now, lost=lost, restarted=leases_lapsed)
        if lapse.lease_until and lapse.lease_until > now and not leases_lapsed:
            return False
        return self._reclaim(lapse, now)

    def _lose_carried(self, run_id: str) -> bool:
        """After a restart no carrier is at work any more; True when one was: nobody has set a timer for the next attempt."""

        def decision(opened: OpenRun, draft: Draft) -> bool:
            carried = [path for path in opened.state.running if opened.state.steps[path].carrier]
            for path in carried:
                fail(draft, path, CRASHED, cut=True)
            return bool(carried)

        return self._journal.decide(run_id, decision)[1]

    def _finish(self, lapse: Lapse) -> bool:
        """Repeats what should have followed a run's end."""
        opened = self._journal.open(lapse.run_id)
        self._endings.after(opened.run, opened.state)
        return True

    def _look(self, lapse: Lapse, now: datetime, *, lost: bool, restarted: bool) -> bool:
        """A resting run: wakes it when its time has come or a child ended unheard; else looks again, ever less often.

        After a restart no carrier comes any more that was called before.
        """
        opened = self._journal.open(lapse.run_id)
        if unstarted(opened.state):
            look, begins = now + RESTING_CHECK, opened.run.scheduled_at
            look = look if begins is None or begins <= now else min(look, begins + DUE_GRACE)
            self._runs.postpone(lapse.run_id, look)  # before it is let in, and has to be looked at sooner
            self._hold_back(opened.run)
            return False
        if self._zombies.give_up_due(opened, now):
            return True
        number, state = opened.state.number, opened.state
        self._endings.hear_children(opened)
        self._untold.hear(opened, now, restarted=restarted)
        silent = self._heartbeats.check(opened, now)
        moment = next_moment(state)
        heard = bool(lost or state.number > number or state.ready or state.turns or state.failing)
        called = [step for path in state.running if (step := state.steps[path]).carried and step.carrier is None]
        heard = heard or any(restarted or now - (step.started_at or now) >= UNTAKEN_CHECK for step in called)
        elsewhere = state.waiting or state.running
        waited = now - (state.changed_at or now)
        look = now + min(max(CARRIED_CHECK, waited / 4), LONGEST_CHECK)
        look = min(look, now + UNTAKEN_CHECK) if called else look
        for moment_of_its_own in (silent, self._zombies.due_at(opened)):
            look = look if moment_of_its_own is None else min(look, max(moment_of_its_own, now))
        self._runs.postpone(lapse.run_id, look if moment is None else min(look, max(moment, now) + DUE_GRACE))
        if not heard and elsewhere and (moment is None or moment > now):
            return False
        self._endings.wake(lapse.run_id)
        return True

    def _admit(self, lapse: Lapse, now: datetime) -> bool:
        if lapse.due_at > now:
            return False
        run = self._runs.get(lapse.run_id)
        if expired(run, now):
            return self._endings.admit(lapse.run_id)
        first = lapse.status is RunStatus.DELAYED or self._first(run)
        look = now + (QUEUE_CHECK if first else QUEUE_CHECK_BEHIND)
        # Before it is tried, which may find out better when to look again.
        self._runs.postpone(lapse.run_id, look if run.expires_at is None else min(look, run.expires_at))
        if first:
            return self._endings.admit(lapse.run_id)
        self._endings.admit_next(*(slot.name for slot in run.slots))
        return False

    def _first(self, run: Run) -> bool:
        return not run.slots or any(self._runs.next_queued(slot.name) == run.id for slot in run.slots)

    def _reclaim(self, lapse: Lapse, now: datetime) -> bool:
        opened = self._journal.open(lapse.run_id)
        fruitless = lapse.epoch - opened.state.claim.epoch
        silent = now - (opened.state.changed_at or now)
        if fruitless >= FRUITLESS_BURSTS and silent >= FRUITLESS_TIME:
            return self._give_up(lapse.run_id)
        lease = min(LEASE * 2 ** min(fruitless, 10), LONGEST_LEASE)
        epoch = self._runs.reclaim(lapse.run_id, lapse.epoch, now + lease)
        if epoch is None:
            return False
        self._bursts.start(lapse.run_id, epoch)
        return True

    def _give_up(self, run_id: str) -> bool:
        def decision(opened: OpenRun, draft: Draft) -> None:
            if not opened.state.status.terminal:
                cancel_frame(draft, opened.state.root)
                draft.add(EventType.RUN_SYSTEM_FAILED, error=_FRUITLESS)

        opened, _ = self._journal.decide(run_id, decision)
        self._endings.after(opened.run, opened.state)
        return True


_FRUITLESS: dict[str, Any] = {
    "type": "SystemFailed",
    "message": f"{FRUITLESS_BURSTS} bursts in a row ended before they could write anything",
}
