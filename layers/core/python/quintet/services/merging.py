"""Triggers that become one run: debounce (the last payload wins) and batch (all payloads together)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from quintet.domain import limits
from quintet.domain.errors import Throttled
from quintet.domain.events import EventType, to_millis
from quintet.domain.job import Job, with_default_input
from quintet.domain.rules import Draft
from quintet.domain.run import Run, Trigger
from quintet.domain.status import RunStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import AlreadyThere, Claims, Guard, Runs
from quintet.services.ports.world import Clock, Timers
from quintet.services.trigger import Start, TriggerRun

TRIES = 20
BATCH_SIZE = 100
"""How many payloads a batch takes when its job doesn't say."""
KEPT = timedelta(hours=1)
"""How long the name of a merged run is kept beyond its start."""


class _Over(Exception):
    """The run takes no more triggers: it has started, or is full."""


class Merging:
    """Merges triggers into a delayed run, which is found by a guard's name."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        trigger: TriggerRun,
        endings: Endings,
        payloads: Payloads,
        timers: Timers,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._trigger = trigger
        self._endings = endings
        self._payloads = payloads
        self._timers = timers
        self._clock = clock

    def debounce(self, job: Job, given: Any, start: Start, key: str, fire_at: datetime) -> Run:
        """The delayed run that will start at `fire_at` with this payload, unless another trigger comes before."""
        stored = self._payloads.put(with_default_input(job.settings.get("input"), given))

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status is not RunStatus.DELAYED:
                raise _Over
            draft.add(EventType.RUN_DELAYED, until=to_millis(fire_at), input=stored)

        begin = replace(start, at=fire_at, trigger=_as(start.trigger, "debounce"))
        run, merged = self._merge(job, given, begin, _name("debounce", job, key), decision)
        if merged:
            self._timers.start(run.id, fire_at)
        return run

    def batch(self, job: Job, given: Any, start: Start, key: str, fire_at: datetime) -> Run:
        """The delayed run that takes this payload along; it starts at its time, or as soon as it is full."""
        stored = self._payloads.put(with_default_input(job.settings.get("input"), given))
        size = job.terms.batch_size or BATCH_SIZE

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status is not RunStatus.DELAYED or len(opened.state.gathered) >= size:
                raise _Over
            draft.add(EventType.RUN_GATHERED, item=stored)
            if len(opened.state.gathered) >= size:
                draft.add(EventType.RUN_DELAYED, until=to_millis(draft.now))

        first = fire_at if size > 1 else self._clock.now() + timedelta(milliseconds=1)
        begin = replace(start, at=first, gathered=True, trigger=_as(start.trigger, "batch"))
        run, merged = self._merge(job, given, begin, _name("batch", job, key), decision)
        if merged and run.scheduled_at is not None and run.scheduled_at <= self._clock.now():
            self._endings.admit(run.id)
        return run

    def _merge(
        self, job: Job, given: Any, start: Start, name: str, decision: Callable[[OpenRun, Draft], None]
    ) -> tuple[Run, bool]:
        """The run, and whether it was there before. Raises AlreadyThere for the trigger's own guards, RateExceeded."""
        own = start.claims
        until = (start.at or self._clock.now()) + KEPT
        over: str | None = None
        claimed = False
        for _ in range(TRIES):
            claims = Claims((*own.guards, Guard(name, until, over=over)), own.rates, own.labels)
            if claimed:  # for a run that was over by then: taken along, not claimed twice
                claims = Claims((*(replace(g, over=over) for g in own.guards), claims.guards[-1]), (), own.labels)
            try:
                return self._trigger.start(job, given, replace(start, claims=claims)), False
            except AlreadyThere as known:
                if known.guard != name:
                    raise
                there = known.run_id
            try:
                if not claimed and self._runs.get(there).status is RunStatus.DELAYED:
                    kept = Guard(name, until, over=there)
                    self._runs.claim(there, Claims((*own.guards, kept), own.rates), self._clock.now())
                    claimed = True
                return self._journal.decide(there, decision)[0].run, True
            except _Over:
                over = there
        raise Throttled("too many triggers of this key at once", retry_after=1)


def _name(kind: str, job: Job, key: str) -> str:
    return f"{kind}#{job.id}#{limits.payload_hash(key)[:32]}"


def _as(trigger: Trigger, type_: str) -> Trigger:
    """The trigger of a merged run; a schedule's or program's own word stays."""
    return Trigger(type_, trigger.source_type, trigger.source_id) if trigger.type == "manual" else trigger
