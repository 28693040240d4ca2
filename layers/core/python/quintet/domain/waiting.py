"""Answers why a run is waiting."""

from datetime import datetime
from typing import Any

from quintet.domain.events import from_millis
from quintet.domain.rules import unstarted
from quintet.domain.run import Run, Slot
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus


def reasons(run: Run, state: RunState, now: datetime) -> list[dict[str, Any]]:
    """One entry for each thing the run waits for: reason, step (path or None), since, until (times or None), detail (a sentence)."""
    if state.status.terminal:
        return []
    if state.status is RunStatus.DELAYED and state.until and now < state.until:
        return [_entry("delayed", None, run.created_at, state.until, "the run is to start later")]
    if state.status in {RunStatus.QUEUED, RunStatus.DELAYED}:
        held = ", ".join(_held(slot) for slot in run.slots) or "its turn"
        return [_entry("concurrency", None, run.created_at, run.expires_at, f"another run holds {held}")]
    if state.status is RunStatus.PAUSED:
        return [_entry("paused", None, state.paused_at, None, "the run is paused")]
    if unstarted(state):
        return [
            _entry("dependencies", None, run.created_at, run.expires_at, "runs of the jobs that its job depends on")
        ]
    at_work = (state.steps[path] for path in state.running)
    busy = [_entry("running", step.path, step.started_at, step.deadline, "the step is at work") for step in at_work]
    return [_step_entry(state, path) for path in state.waiting] + busy


def _held(slot: Slot) -> str:
    """A cap as people know it: the key's by the key, the job's as such."""
    _, kind, name = slot.name.split("#", 2)
    return f"{name!r} (at most {slot.limit})" if kind == "key" else f"its job (at most {slot.limit})"


def _step_entry(state: RunState, path: str) -> dict[str, Any]:
    step = state.steps[path]
    wait = step.wait
    if step.parked:
        detail = wait.get("message") or "the step's work on another service is under way"
        return _entry("running", path, step.started_at, step.deadline, detail)
    until = from_millis(wait["until"]) if "until" in wait else step.deadline
    match wait.get("for"):
        case "retry":
            failed = (step.error or {}).get("message", "an error")
            detail = f"attempt {step.attempt} failed ({failed}); attempt {step.attempt + 1} comes"
        case "input":
            detail = wait.get("message") or "a person's answer"
        case "child":
            detail = f"run {wait.get('child')} to end"
        case "items":
            detail = f"the {step.total} items of the map to end"
        case "report":
            detail = wait.get("message") or "the endpoint to report its end"
        case "event":
            detail = f"event {wait.get('event_key')!r}"
        case "time":
            detail = "the wait's time to pass"
        case other:
            detail = str(other)
    return _entry(str(wait.get("for")), path, step.started_at, until, detail)


def _entry(reason: str, step: str | None, since: Any, until: Any, detail: str) -> dict[str, Any]:
    return {"reason": reason, "step": step, "since": since, "until": until, "detail": detail}
