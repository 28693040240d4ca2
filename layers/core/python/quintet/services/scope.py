"""What an expression inside a run can see: input, steps, run, and where in a loop or map it stands."""

from collections.abc import Mapping
from typing import Any

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
        """What the step's expressions see; `reads` limits `steps` to those keys (None: all that have settled)."""
        chain = self._chain(state, step)
        results: dict[str, Any] = dict(self._payloads.get(state.given.get("steps", {})))
        for frame in chain:
            results.update(self._results(state, frame, reads))
        scope: dict[str, Any] = {
            "input": self._payloads.get(state.input),
            "steps": results,
            "run": {"id": run.id, "jobId": run.job_id, "version": run.version},
        }
        if "index" in state.given:
            scope["index"], scope["item"] = state.given["index"], self._payloads.get(state.given.get("item"))
        for frame in chain:
            self._position(state, frame, scope)
        return scope

    def inside(self, state: RunState, owner: str, index: int) -> dict[str, Any]:
        """The results of the steps of one iteration or item, by key."""
        frame = state.inside(owner, index)
        return self._results(state, frame, None) if frame else {}

    def outputs(self, state: RunState) -> dict[str, Any]:
        """What the run produced: the results of its last steps, by key."""
        return {key: self._payloads.get(stored) for key, stored in outputs(state).items()}

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


def only(scope: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The named parts of a scope that it has."""
    return {name: scope[name] for name in names if name in scope}
