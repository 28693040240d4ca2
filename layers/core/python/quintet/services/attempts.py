"""Starts steps, enacts attempts and books what became of them: the same for a burst and for a carrier."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from quintet.domain import rules
from quintet.domain.definition import Plan
from quintet.domain.errors import NotFound
from quintet.domain.events import EventType, to_millis
from quintet.domain.outcome import Failed, Outcome, StepError
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.truth import truth
from quintet.services.payloads import Payloads
from quintet.services.ports.steps import (
    Composite,
    ExpressionFailed,
    Expressions,
    StepCall,
    StepKind,
    StepKinds,
    as_template,
)
from quintet.services.ports.world import Clock, Ids, LogEntry, Logs
from quintet.services.scope import Scopes
from quintet.services.settling import Settling

INLINE_SECONDS = 60.0
"""A step that may take longer is carried outside the burst."""

FANOUT_ABOVE = 64
"""A map over more items than a burst enacts at once goes to the fan-out machine."""

OURS = (ExpressionFailed, NotFound, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What fails a step, not the burst: faults in expressions, in data and in our own code. Those of stores and networks are tried again."""

log = logging.getLogger(__name__)

CARRIER_GRACE = 30.0
"""Seconds a carrier may be late beyond its step's timeout before the attempt counts as lost."""


Stopped = Callable[[], bool] | None
"""Says whether nobody waits for an attempt any more."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An effectful attempt whose start is about to be in the journal; `enact` does it."""

    path: str
    token: int
    carried: bool
    enact: Callable[[], Outcome]


class Attempts:
    """What happens to one step at a time."""

    def __init__(
        self,
        kinds: StepKinds,
        expressions: Expressions,
        payloads: Payloads,
        settling: Settling,
        logs: Logs,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._kinds = kinds
        self._expressions = expressions
        self._payloads = payloads
        self._settling = settling
        self._scopes = Scopes(payloads)
        self._logs = logs
        self._clock = clock
        self._ids = ids

    def effectful(self, step: StepState) -> bool:
        """True when starting the step takes a place in the pool."""
        return not (self._kinds[step.define.kind].pure or step.composite)

    def start(
        self, draft: Draft, run: Run, path: str, inline_seconds: float, stopped: Stopped = None
    ) -> Attempt | None:
        """Decides a ready step: skipped by its condition, done at once (pure), waiting, or an attempt to enact once committed."""
        step = draft.state.steps[path]
        kind = self._kinds[step.define.kind]
        try:
            if step.attempt == 0 and not self._wanted(draft.state, run, step):
                draft.add(EventType.STEP_SKIPPED, path, reason="condition")
                return None
            call = self._call(draft.state, run, step, kind, draft.now, starts=True)
            items = kind.items(call) if step.composite else None  # type: ignore[attr-defined]  # composite kinds have it
            outcome = self._settling.keep(kind.enact(call)) if kind.pure else None
        except OURS as fault:
            draft.add(EventType.STEP_STARTED, path, attempt=step.attempt + 1)
            rules.fail(draft, path, _fault(fault, run, path))
            return None
        if outcome is not None:
            if isinstance(outcome, Failed):
                draft.add(EventType.STEP_STARTED, path, attempt=call.attempt)
            self._settling.settle(draft, path, outcome)
            return None
        if step.composite:
            self._start_composite(draft, call, items)
            return None
        return self._start_effect(draft, step, kind, replace(call, stopped=stopped), inline_seconds)

    def _wanted(self, state: RunState, run: Run, step: StepState) -> bool:
        condition = step.define.when
        if condition is None:
            return True
        scope = self._scopes.of(run, state, step, self._expressions.reads(as_template(condition)))
        return truth(self._expressions.evaluate(condition, scope))

    def _call(
        self, state: RunState, run: Run, step: StepState, kind: StepKind, now: datetime, *, starts: bool = False
    ) -> StepCall:
        rendered = {key: value for key, value in step.define.config.items() if key not in kind.raw}
        if step.composite and not starts:
            rendered.pop("items", None)  # they were settled when the map started
        scope = self._scopes.of(run, state, step, self._expressions.reads(rendered))
        scope["attempt"] = step.attempt + starts
        raw = {key: value for key, value in step.define.config.items() if key in kind.raw}
        all_seen = kind.sees_scope and kind.sees_steps
        seen = None if all_seen else self._expressions.reads([as_template(raw[key]) for key in raw])
        timeout = min(step.define.timeout or kind.default_timeout, kind.attempt_seconds)

        def log(level: str, message: str) -> None:
            run_id, path = run.place(step.path)
            self._logs.write(run_id, [LogEntry(self._ids.new(), self._clock.now(), path, level, message)])

        attempt = step.attempt + starts
        child = self._ids.new() if starts and kind.starts_child else step.wait.get("child")
        return StepCall(
            run=run,
            step=step,
            attempt=attempt,
            # The event that starts an attempt comes next in the journal, so its number is known before it is added.
            child=child,
            token=state.number + 1 if starts else step.token,
            config={**self._expressions.render(rendered, scope), **raw},
            scope=lambda: {**self._scopes.of(run, state, step, seen), "attempt": attempt},
            timeout=timeout,
            now=now,
            log=log,
            results=lambda index: self._scopes.inside(state, step.path, index),
            failure=lambda index: _failure(state, step.path, index),
        )

    def _start_composite(self, draft: Draft, call: StepCall, items: list[Any] | None) -> None:
        run, step = call.run, call.step
        deadline = (
            None if step.define.timeout is None else to_millis(draft.now + timedelta(seconds=step.define.timeout))
        )
        # A large map inside an item of another stays in that item's journal: one level of runs beside the run is enough.
        # So does one that asks people: they answer steps of the run.
        asks = any(inner.kind == "input" for inner in Plan(step.define.body).walk())
        fanned = items is not None and len(items) > FANOUT_ABOVE and run.item is None and not asks
        total = None if items is None else len(items)
        kept = None
        if items is not None:  # the fan-out machine hands each item on, and carries only so much
            stored = [self._payloads.put(item) for item in items] if fanned else items
            kept = self._payloads.put(stored, apart=fanned)
        draft.add(
            EventType.STEP_STARTED, step.path, attempt=step.attempt + 1, deadline=deadline, total=total, items=kept
        )
        if fanned:
            scope = self._scopes.of(run, draft.state, step, None)
            draft.add(
                EventType.STEP_WAITING,
                step.path,
                **{"for": "items"},
                deadline=deadline,
                steps=self._payloads.put(scope["steps"]),
                position={name: scope[name] for name in ("iteration", "last") if name in scope},
                config={key: value for key, value in call.config.items() if key != "items"},
            )

    def _start_effect(
        self, draft: Draft, step: StepState, kind: StepKind, call: StepCall, inline_seconds: float
    ) -> Attempt:
        carried = call.timeout > min(INLINE_SECONDS, inline_seconds)
        deadline = draft.now + timedelta(seconds=call.timeout + CARRIER_GRACE)
        draft.add(
            EventType.STEP_STARTED,
            step.path,
            attempt=step.attempt + 1,
            carried=carried or None,
            leaves=kind.leaves(step.define),
            child=call.child,
            deadline=to_millis(deadline),
        )
        return Attempt(step.path, step.token, carried, self._bound(kind, call))

    def _bound(self, kind: StepKind, call: StepCall) -> Callable[[], Outcome]:
        # The scope is read now: the state goes on changing under the burst while the attempt runs beside it.
        scope = call.scope() if kind.sees_scope else {}
        fixed = replace(call, scope=lambda: scope, results=lambda _index: {}, failure=lambda _index: None)
        return lambda: self._settling.keep(kind.enact(fixed))

    def enact_carried(self, run: Run, state: RunState, path: str, stopped: Stopped = None) -> Outcome:
        """Does the attempt that is in flight for a step, in a carrier."""
        step = state.steps[path]
        kind = self._kinds[step.define.kind]
        try:
            call = self._call(state, run, step, kind, self._clock.now())
            left = call.timeout
            if step.deadline is not None:
                left = (step.deadline - call.now).total_seconds() - CARRIER_GRACE
            if left < 1:
                return Failed(rules.TIMEOUT)
            call = replace(call, timeout=min(call.timeout, left), stopped=stopped)
            return self._settling.keep(kind.enact(call))
        except OURS as fault:
            return Failed(_fault(fault, run, path), cut=True)

    def conclude_parked(self, run: Run, state: RunState, path: str, ended: Mapping[str, Any]) -> Outcome:
        """What a step's attempt comes to whose parked work has ended."""
        step = state.steps[path]
        kind = self._kinds[step.define.kind]
        try:
            return self._settling.keep(kind.conclude(self._call(state, run, step, kind, self._clock.now()), ended))
        except OURS as fault:
            return Failed(_fault(fault, run, path))

    def turn(self, draft: Draft, run: Run, path: str) -> None:
        """Lets a loop or map make its next move."""
        step = draft.state.steps[path]
        kind = self._kinds[step.define.kind]
        draft.state.turns.pop(path, None)
        if step.closed > (step.progress or {}).get("done", 0):
            draft.add(EventType.STEP_PROGRESS, path, done=step.closed, total=step.total)
        try:
            outcome = self._settling.keep(
                self._composite(kind).turn(self._call(draft.state, run, step, kind, draft.now))
            )
        except OURS as fault:
            outcome = Failed(_fault(fault, run, path))
        self._settling.settle(draft, path, outcome)

    @staticmethod
    def _composite(kind: StepKind) -> Composite:
        return kind  # type: ignore[return-value]  # definitions are checked: only loop and map hold bodies


def _fault(fault: Exception, run: Run, path: str) -> StepError:
    if isinstance(fault, ExpressionFailed):
        return StepError("ExpressionFailed", str(fault), retryable=False)
    log.error("step %s of run %s met a fault of the engine", path, run.id, exc_info=fault)
    return StepError("EngineFault", f"the engine failed in the attempt ({type(fault).__name__})", retryable=False)


def _failure(state: RunState, owner: str, index: int) -> Mapping[str, Any] | None:
    frame = state.inside(owner, index)
    return state.steps[frame.failed_by].error if frame and frame.failed_by else None
