"""What an expression inside a run can see: input, steps, run, and where in a loop or map it stands."""

from typing import Any

from quintet.domain.definition import Graph
from quintet.domain.rules import outputs
from quintet.domain.run import Run
from quintet.domain.state import Frame, RunState, StepState, frame_prefix
from quintet.domain.status import StepStatus
from quintet.services.payloads import Payloads


class Scopes:
    """Builds scopes; reads from the blob store only the results that are asked for."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def of(self, run: Run, state: RunState, step: StepState, reads: frozenset[str] | None) -> dict[str, Any]:
        """What the step's expressions see; `reads` limits `steps` to those keys (None: all that the step depends on, directly or not)."""
        chain = self._chain(state, step)
        results: dict[str, Any] = {}
        inner = step
        for frame in reversed(chain):
            keys = needed(frame.graph, inner.define.key) if reads is None else reads
            results = {**self._results(state, frame, keys), **results}
            inner = state.steps[frame.owner] if frame.owner else step
        results = {**self._payloads.get(state.given.get("steps", {})), **results}
        scope: dict[str, Any] = {
            "input": self._payloads.get(state.input),
            "steps": results,
            "run": {"id": run.place("")[0], "jobId": run.job_id, "version": run.version},
        }
        if state.variables:
            scope["variables"] = self._variables(state)
        scope.update(state.given.get("position", {}))
        if "index" in state.given:
            scope["index"], scope["item"] = state.given["index"], self._payloads.get(state.given.get("item"))
        for frame in chain:
            self._position(state, frame, scope)
        if step.define.rescue and (failed := state.root.failed_by):
            scope["failed"] = {"step": failed, "error": dict(state.steps[failed].error or {})}
        return scope

    def inside(self, state: RunState, owner: str, index: int) -> dict[str, Any]:
        """The results of the steps of one iteration or item, by key."""
        frame = state.inside(owner, index)
        return self._results(state, frame, None) if frame else {}

    def outputs(self, state: RunState) -> dict[str, Any]:
        """What the run produced: the results of its last steps, by key."""
        return {key: self._payloads.get(stored) for key, stored in outputs(state).items()}

    def _variables(self, state: RunState) -> dict[str, Any]:
        """The run's variables; a dotted name lies inside what the part before it names."""
        found: dict[str, Any] = {}
        for name, stored in state.variables.items():
            place = found
            *around, last = name.split(".")
            for part in around:
                inner = place.get(part)
                place[part] = place = dict(inner) if isinstance(inner, dict) else {}
            place[last] = self._payloads.get(stored)
        return found

    def _chain(self, state: RunState, step: StepState) -> list[Frame]:
        """The frames around a step, outermost first."""
        chain = [state.frame_of(step)]
        while (owner := chain[-1].owner) is not None:
            chain.append(state.frame_of(state.steps[owner]))
        return chain[::-1]

    def _results(self, state: RunState, frame: Frame, reads: frozenset[str] | None) -> dict[str, Any]:
        keys = (
            (step.key for step in frame.graph.steps) if reads is None else (k for k in reads if k in frame.graph.by_key)
        )
        return {
            key: self._payloads.get(found.result)
            for key in keys
            if (found := state.steps[frame.prefix + key]).status is StepStatus.COMPLETED
        }

    def _position(self, state: RunState, frame: Frame, scope: dict[str, Any]) -> None:
        if frame.owner is None or frame.index is None:
            return
        owner = state.steps[frame.owner]
        if owner.total is None:
            scope["iteration"] = frame.index
            before = state.frames.get(frame_prefix(frame.owner, frame.index - 1))
            scope["last"] = self._results(state, before, None) if before else {}
        else:
            items: list[Any] = self._payloads.get(owner.items)
            scope["index"], scope["item"] = frame.index, items[frame.index]


def needed(graph: Graph, key: str) -> frozenset[str]:
    """The keys of the steps that a step depends on, directly or not."""
    found: set[str] = set()
    pending = [key]
    while pending:
        for one in graph.by_key[pending.pop()].depends_on:
            if one not in found:
                found.add(one)
                pending.append(one)
    return frozenset(found)
