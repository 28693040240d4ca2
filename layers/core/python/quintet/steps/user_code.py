"""What python and shell steps share: a call of the runner function, and its answer as an outcome and log lines."""

import math
from collections.abc import Mapping
from typing import Any

from quintet.domain.definition import StepDef
from quintet.domain.outcome import Failed, StepError
from quintet.services.ports.functions import FunctionFault, Functions
from quintet.services.ports.steps import Expressions, StepCall
from quintet.services.ports.world import Blobs
from quintet.services.stops import CODE, leash
from quintet.steps.dispatch import HIDDEN, LEAST_HIDDEN
from quintet.steps.kind import Kind
from quintet.steps.told import tell

ANSWER_SECONDS = 10.0
"""How much longer than the code itself the runner may take to answer."""
LEASH_SECONDS = 60.0
"""How much longer than the code the link to its leash holds."""
SEEN = ("input", "steps", "run", "attempt", "iteration", "last", "item", "index")
MAX_REQUEST = 5 * 1024 * 1024


class UserCodeKind(Kind):
    """A kind whose work is the author's own code, in the runner function: without AWS permissions, in a process of its own."""

    def __init__(self, expressions: Expressions, runner: "Runner") -> None:
        super().__init__(expressions)
        self._runner = runner

    def leaves(self, step: StepDef) -> str:
        """A process, which goes on unless it is stopped."""
        return CODE

    def ask(self, call: StepCall, payload: Mapping[str, Any]) -> dict[str, Any] | Failed:
        """The runner's answer, or why there is none."""
        return self._runner.ask(call, payload, call.timeout)


class Runner:
    """The runner function. The code that it runs ends when nobody waits for it any more: each call carries the leash of its attempt."""

    def __init__(self, functions: Functions, function: str, blobs: Blobs) -> None:
        self._functions = functions
        self._function = function
        self._blobs = blobs

    def ask(
        self, call: StepCall, payload: Mapping[str, Any], timeout: float, secret: str | None = None
    ) -> dict[str, Any] | Failed:
        """The runner's answer within `timeout` (and some) seconds, or why there is none; what the code printed goes to the step's log, but
        for the `secret`."""
        link = self._blobs.link(leash(call.run.id, call.token), math.ceil(timeout + LEASH_SECONDS))
        try:
            answer = self._functions.call(self._function, {**payload, "leash": link}, timeout + ANSWER_SECONDS)
        except FunctionFault as fault:
            return Failed(StepError(f"Runner{fault.type}", f"the runner did not answer: {fault}"), cut=True)
        if secret is not None and len(secret) >= LEAST_HIDDEN:
            answer = _without(answer, secret)
        for stream, level in (("stdout", "info"), ("stderr", "warning")):
            tell(call, level, answer.get(stream) or "")
        return answer


def _without(answer: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The answer, in which the code may have printed or raised what it was trusted with."""
    texts = {name: value.replace(secret, HIDDEN) for name, value in answer.items() if isinstance(value, str)}
    error = answer.get("error") or {}
    told = {name: value.replace(secret, HIDDEN) if isinstance(value, str) else value for name, value in error.items()}
    return {**answer, **texts, **({"error": told} if told else {})}


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
