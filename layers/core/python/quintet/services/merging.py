"""Triggers that become one run: debounce (the last payload wins) and batch (all payloads together)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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


Decision = Callable[[OpenRun, Draft, Mapping[str, Any]], None]
"""Has a run take a payload, in an event with these marks. Raises _Over."""


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

        def decide(opened: OpenRun, draft: Draft, marks: Mapping[str, Any]) -> None:
            if opened.state.status is not RunStatus.DELAYED:
                raise _Over
            draft.add(EventType.RUN_DELAYED, until=to_millis(fire_at), input=stored, **marks)

        begin = replace(start, at=fire_at, trigger=_as(start.trigger, "debounce"))
        run, merged = self._merge(job, given, begin, _name("debounce", job, key), decide)
        if merged:
            self._timers.start(run.id, fire_at)
        return run

    def batch(self, job: Job, given: Any, start: Start, key: str, fire_at: datetime, full_at: datetime) -> Run:
        """The delayed run that takes this payload along; it starts at its time, or at `full_at` once it is full."""
        stored = self._payloads.put(with_default_input(job.settings.get("input"), given))
        size = job.terms.batch_size or BATCH_SIZE

        def decide(opened: OpenRun, draft: Draft, marks: Mapping[str, Any]) -> None:
            if opened.state.status is not RunStatus.DELAYED or len(opened.state.gathered) >= size:
                raise _Over
            draft.add(EventType.RUN_GATHERED, item=stored, **marks)
            if len(opened.state.gathered) >= size:
                draft.add(EventType.RUN_DELAYED, until=to_millis(max(full_at, draft.now)))

        first = fire_at if size > 1 else max(full_at, self._clock.now() + timedelta(milliseconds=1))
        begin = replace(start, at=first, gathered=True, trigger=_as(start.trigger, "batch"))
        run, merged = self._merge(job, given, begin, _name("batch", job, key), decide)
        if merged and run.scheduled_at is not None:
            if run.scheduled_at <= self._clock.now():
                self._endings.admit(run.id)
            elif run.scheduled_at != fire_at:
                self._timers.start(run.id, run.scheduled_at)
        return run

    def _merge(self, job: Job, given: Any, start: Start, name: str, decide: Decision) -> tuple[Run, bool]:
        """The run, and whether it was there before. Raises AlreadyThere for the trigger's own guards, RateExceeded.

        The trigger's guards and counts are claimed for a run first, and then the run takes its payload, marked with the guards' names:
        whoever repeats a trigger that died in between finds its claim without its mark, and goes on from there.
        """
        mine = _Trigger(start.claims, {guard.name: _mark(guard.name) for guard in start.claims.guards})
        start = replace(start, marks=tuple(mine.marks.values()))
        until = (start.at or self._clock.now()) + KEPT
        over: str | None = None
        there: str | None = None
        for _ in range(TRIES):
            try:
                if there is not None:
                    return self._into(there, mine, name, until, decide), True
                claims = mine.claims(Guard(name, until, over=over))
                return self._trigger.start(job, given, replace(start, claims=claims)), False
            except _Over:
                over, there = there, None
            except (
                AlreadyThere
            ) as known:  # the run of this name, perhaps since a moment ago another one; or this very trigger
                if known.guard != name:
                    self._take_up(mine, known)
                there = known.run_id
        raise Throttled("too many triggers of this key at once", retry_after=1)

    def _take_up(self, mine: "_Trigger", known: AlreadyThere) -> None:
        """Goes on with a trigger that was claimed for a run but never came into it; raises `known` for any other."""
        own = next((guard for guard in mine.asked.guards if guard.name == known.guard), None)
        if own is None or known.mark != own.mark or mine.held == known.run_id:
            raise known
        marks = self._marks(known.run_id)
        if marks is None or not marks.isdisjoint(mine.marks.values()):
            raise known
        mine.held = known.run_id

    def _into(self, there: str, mine: "_Trigger", name: str, until: datetime, decide: Decision) -> Run:
        """Has a run take the payload. Raises _Over when it takes none any more."""
        if mine.held != there and self._runs.get(there).status is RunStatus.DELAYED:
            self._runs.claim(there, mine.claims(Guard(name, until, over=there)), self._clock.now())
            mine.held = there

        def decision(opened: OpenRun, draft: Draft) -> None:
            # A repeat of this very trigger may have been faster.
            if not mine.firm or mine.firm.isdisjoint(self._marks(there) or ()):
                decide(opened, draft, {"marks": list(mine.marks.values())} if mine.marks else {})

        return self._journal.decide(there, decision)[0].run

    def _marks(self, run_id: str) -> set[str] | None:
        """The marks of the triggers that came into a run; None for a run that triggers don't merge into."""
        events = self._runs.tail(run_id, 0)
        if not events or "marks" not in events[0].data:
            return None
        return {mark for event in events for mark in event.data.get("marks", ())}


@dataclass(slots=True)
class _Trigger:
    """What a trigger claims, and the run that it has been claimed for."""

    asked: Claims
    marks: dict[str, str]
    """By the guard's name."""
    held: str | None = None

    @property
    def firm(self) -> set[str]:
        """The marks that only a repeat of this trigger has too: not those of equal payloads, of which a run may take many in time."""
        return {mark for name, mark in self.marks.items() if not name.startswith("dedup#")}

    def claims(self, name: Guard) -> Claims:
        """The claims with the merged run's name: taken along from the run that they were made for, and counted once."""
        guards = tuple(replace(guard, over=self.held) for guard in self.asked.guards)
        return Claims((*guards, name), () if self.held else self.asked.rates, self.asked.labels)


def _mark(guard: str) -> str:
    return limits.payload_hash(guard)[:16]


def _name(kind: str, job: Job, key: str) -> str:
    return f"{kind}#{job.id}#{limits.payload_hash(key)[:32]}"


def _as(trigger: Trigger, type_: str) -> Trigger:
    """The trigger of a merged run; a schedule's or program's own word stays."""
    return Trigger(type_, trigger.source_type, trigger.source_id) if trigger.type == "manual" else trigger
