"""What python and shell steps share: a call of the runner function, and its answer as an outcome and log lines."""

from collections.abc import Mapping
from typing import Any

from quintet.domain.outcome import Failed, StepError
from quintet.services.ports.functions import FunctionFault, Functions
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.kind import Kind

ANSWER_SECONDS = 10.0
"""How much longer than the code itself the runner may take to answer."""
SEEN = ("input", "steps", "run", "attempt", "iteration", "last", "item", "index")
MAX_REQUEST = 5 * 1024 * 1024
LOG_LINES = 1000
LOG_WIDTH = 8000
ENTRY_LINES = 50
ENTRY_SIZE = 32 * 1024
"""Characters."""


class UserCodeKind(Kind):
    """A kind whose work is the author's own code, in the runner function: without AWS permissions, in a process of its own."""

    def __init__(self, expressions: Expressions, functions: Functions, runner_function: str) -> None:
        super().__init__(expressions)
        self._functions = functions
        self._runner = runner_function

    def ask(self, call: StepCall, payload: Mapping[str, Any]) -> dict[str, Any] | Failed:
        """The runner's answer, or why there is none."""
        try:
            answer = self._functions.call(self._runner, payload, call.timeout + ANSWER_SECONDS)
        except FunctionFault as fault:
            return Failed(StepError(f"Runner{fault.type}", f"the runner did not answer: {fault}"))
        for stream, level in (("stdout", "info"), ("stderr", "warning")):
            _log(call, level, answer.get(stream) or "")
        return answer


def seen(call: StepCall) -> dict[str, Any]:
    """What user code gets: the parts of the scope that it may see."""
    scope = call.scope()
    return {name: scope[name] for name in SEEN if name in scope}


def error_of(answer: Mapping[str, Any]) -> StepError:
    """The runner's error as the step's; a fault of the author's code may be tried again, as the policy says."""
    error = answer.get("error") or {}
    details = {name: error[name] for name in ("traceback", "exitCode", "signal") if error.get(name) is not None}
    if usage := answer.get("usage"):
        details["usage"] = usage
    return StepError(str(error.get("type", "Error")), str(error.get("message", "")), details=details)


def _log(call: StepCall, level: str, written: str) -> None:
    """Several lines make one log entry: each entry is a write of its own, and an item of bounded size."""
    lines = [line[:LOG_WIDTH] for line in written.splitlines()]
    entry: list[str] = []
    size = 0
    for line in lines[:LOG_LINES]:
        if entry and (len(entry) == ENTRY_LINES or size + len(line) > ENTRY_SIZE):
            call.log(level, "\n".join(entry))
            entry, size = [], 0
        entry.append(line)
        size += len(line)
    if entry:
        call.log(level, "\n".join(entry))
    if len(lines) > LOG_LINES:
        call.log("warning", f"{len(lines) - LOG_LINES} further lines are left out")
