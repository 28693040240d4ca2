"""What a completion webhook says of a run."""

from typing import Any

from quintet.domain.jsontext import compact
from quintet.domain.run import Run
from quintet.domain.state import RunState

RESULT_BYTES = 256 * 1024
"""Results above this are left out: a link would outlive neither its signature nor, in a stored body, its secrecy."""


def told_of(run: Run, state: RunState, result: Any) -> dict[str, Any]:
    """The body, the same at every call: run_id job_id project_id status attempt result error timestamp; unset fields are left out.

    A result above 256 KiB is left out too, and `result_truncated` says so: the run itself has it.
    """
    told: dict[str, Any] = {
        "run_id": run.id,
        "job_id": run.job_id,
        "project_id": run.tenant,
        "status": str(run.status),
        "attempt": max((step.attempt for step in state.steps.values() if not step.prefix), default=0) or 1,
    }
    if result is not None:
        if len(compact(result).encode()) <= RESULT_BYTES:
            told["result"] = result
        else:
            told["result_truncated"] = True
    if run.error is not None:
        told["error"] = error_text(run.error)
    at = run.ended_at or run.updated_at
    return told | {"timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def error_text(error: Any) -> str:
    """A run's error in one line: class and message."""
    kind, message = error.get("type"), error.get("message")
    return ": ".join(str(part) for part in (kind, message) if part)
