"""What broke an iteration."""

from quintet.domain.outcome import StepError
from quintet.services.ports.steps import StepCall


def failure_of(call: StepCall, index: int) -> StepError:
    """The error of the inner step that broke an iteration, as the loop's own; its details say which iteration."""
    inner = call.failure(index) or {}
    details = {**inner.get("details", {}), "index": index}
    if "step" in inner:
        details["step"] = inner["step"]
    return StepError(
        inner.get("type", "IterationFailed"), inner.get("message", f"iteration {index} failed"), details=details
    )
