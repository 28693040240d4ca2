"""Has runs wait, as many as their job's terms let: one more is refused, or takes the place of the last one that waits."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from quintet.domain import limits, rules
from quintet.domain.errors import AppendConflict, Conflict, NoQueue, QueueFull, Throttled
from quintet.domain.job import Job
from quintet.domain.rules import Draft
from quintet.domain.run import Slot
from quintet.services.endings import Endings
from quintet.services.journal import DECIDE_TRIES, RESTS, Journal, OpenRun, change_of
from quintet.services.ports.runs import Creation, Replacement, Runs, SlotTaken
from quintet.services.ports.world import Clock

log = logging.getLogger(__name__)

NO_QUEUE = "the run can't start now, and its job has no queue"
SKIPPED = "a run of this job is active, and it skips triggers then"


class Queueing:
    """Makes runs that don't start at once."""

    def __init__(self, runs: Runs, journal: Journal, endings: Endings, clock: Clock) -> None:
        self._runs = runs
        self._journal = journal
        self._endings = endings
        self._clock = clock

    def wait(self, creation: Creation, *, replaces: bool) -> None:
        """Writes a run that waits; with `replaces`, in the place of the last holder of its first waiting slot when that is full.

        Raises AlreadyThere, RateExceeded; SlotTaken for a waiting slot in which nobody makes room; Throttled when others are always faster.
        """
        helped = False
        for tried in range(DECIDE_TRIES):
            if tried:
                self._clock.sleep(RESTS[tried % len(RESTS)])
            try:
                self._runs.create(creation)
            except SlotTaken as taken:
                full = str(taken)
            else:
                return
            held = self._runs.holders([full, *(slot.name for slot in creation.run.slots)])
            slots = creation.run.slots
            if slots and not helped and all(len(held[slot.name]) < slot.limit for slot in slots):
                # A run has just ended, and nobody has let in the next yet: it waits no more once that is done.
                self._endings.admit_next(*(slot.name for slot in slots))
                helped = True
                continue
            if not replaces or full != creation.run.waits[0].name:
                raise SlotTaken(full)
            if held[full] and self._replace(creation, max(held[full])):
                return
        raise Throttled("too many triggers at once for one place in the queue", retry_after=1)

    def accept(self, jobs: Sequence[Job]) -> list[bool]:
        """For each job whether a trigger without partition or concurrency key would be taken now, to start or to wait: one read for all.

        Its rates, its window and what it depends on are not looked at.
        """
        needed = [(job, tuple(limits.slots(job, None)), tuple(limits.waiting_slots(job, None))) for job in jobs]
        held = self._runs.holders([slot.name for _, slots, waits in needed for slot in (*slots, *waits)])
        return [
            not (job.terms.queue_limit == 0 and job.terms.start_delay)
            and limits.accepts(slots, waits, held, replaces=limits.replaces(job), later=bool(job.terms.start_delay))
            for job, slots, waits in needed
        ]

    def _replace(self, creation: Creation, old_id: str) -> bool:
        """Ends the old run and makes the new one, both or neither. False when the old one waits no more, or has changed meanwhile."""
        opened = self._journal.open(old_id)
        if not rules.unstarted(opened.state):
            return False
        draft = Draft(opened.state, self._clock.now())
        rules.cancel_run(draft, "engine", f"replaced by run {creation.run.id}")
        change = change_of(opened, draft)
        try:
            self._runs.create(replace(creation, replaces=Replacement(draft.base, draft.events, change)))
        except AppendConflict:
            return False
        except SlotTaken as taken:
            if str(taken) == creation.run.waits[0].name:
                return False
            raise
        opened.run = change.run
        self._follow(opened)
        return True

    def _follow(self, ended: OpenRun) -> None:
        try:
            self._endings.after(ended.run, ended.state)
        except Exception:  # the new run is made; what is left to do for the old one is the sweep's
            log.exception("what follows the end of run %s is not done", ended.run.id)


def refusal(taken: SlotTaken, needed: Sequence[Slot], waits: Sequence[Slot]) -> Conflict:
    """Why a trigger was refused by that slot, as its caller is told."""
    full = str(taken)
    for slot in waits:
        if slot.name == full:
            return QueueFull(f"the job's queue is full: {slot.limit} of its runs wait already")
    if any(slot.name == full and limits.solo(slot) for slot in needed):
        return Conflict(SKIPPED)
    return NoQueue(NO_QUEUE)
