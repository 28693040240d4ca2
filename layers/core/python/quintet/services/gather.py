"""Gathers what the items of a fanned-out map came to."""

from collections.abc import Mapping
from typing import Any

from quintet.domain.errors import NotFound
from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import TERMINAL, RunStatus
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import Runs

FAILURES = sorted(TERMINAL - {RunStatus.COMPLETED})


def item_project(run: Run, token: int) -> str:
    """The project that a map's items are listed and counted in."""
    return f"{run.project}/{run.id}/{token}"


def item_id(run_id: str, token: int, index: int) -> str:
    """The id of the run that enacts an item: the same however often it is begun."""
    return f"{run_id}.{token}.{index}"


def waiting_map(state: RunState, path: str, token: int) -> StepState | None:
    """The fanned-out map, while its run still waits for it."""
    step = state.steps.get(path)
    waits = step is not None and step.token == token and step.wait.get("for") == "items"
    return step if waits and not state.status.terminal else None


class Gather:
    """Ends fanned-out maps whose items have ended."""

    def __init__(self, runs: Runs, payloads: Payloads) -> None:
        self._runs = runs
        self._payloads = payloads

    def outcome(self, run: Run, step: StepState) -> Outcome | None:
        """What the map came to; None while it must go on."""
        tolerated = int(step.wait.get("config", {}).get("tolerate_failures") or 0)
        project = item_project(run, step.token)
        failed = self._runs.count(project, FAILURES)
        if failed > tolerated:
            return Failed(self._error(run, step, failed, tolerated))
        if failed + self._runs.count(project, [RunStatus.COMPLETED]) < (step.total or 0):
            return None
        found = self._runs.items(run.id, step.token)
        if len(found) < (step.total or 0):
            return None  # an item ended but has not been kept yet: its ending is repeated by `missing`
        return Completed([self._payloads.get(found[index].get("result")) for index in range(step.total or 0)])

    def all_begun(self, run: Run, step: StepState) -> bool:
        """True when every item has a run: what is left goes on by itself."""
        return self._runs.count(item_project(run, step.token), None) >= (step.total or 0)

    def missing(self, run: Run, step: StepState) -> list[str]:
        """The ended items whose outcome was never kept (a crash between the two)."""
        ended = self._runs.count(item_project(run, step.token), sorted(TERMINAL))
        if ended < (step.total or 0):
            return []
        kept = self._runs.items(run.id, step.token)
        ids = (item_id(run.id, step.token, index) for index in range(step.total or 0) if index not in kept)
        return [one for one in ids if self._ended(one)]

    def _ended(self, run_id: str) -> bool:
        try:
            return self._runs.get(run_id).status.terminal
        except NotFound:
            return False

    def _error(self, run: Run, step: StepState, failed: int, tolerated: int) -> StepError:
        kept = self._runs.items(run.id, step.token)
        errors = (outcome["error"] for _, outcome in sorted(kept.items()) if "error" in outcome)
        first: Mapping[str, Any] = next(errors, {})
        message = f"{failed} of {step.total} items failed; {tolerated} tolerated"
        if first:
            message += f"; the first: {first.get('message')}"
        return StepError("ItemsFailed", message, details={"failed": failed, "total": step.total})
