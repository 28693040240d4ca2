"""python: runs `main(input)` of the author's code."""

import json
import math
from typing import Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Completed, Failed, Outcome
from quintet.domain.program_text import python_fault
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, number, refuse, text
from quintet.steps.user_code import MAX_REQUEST, UserCodeKind, error_of, seen

MEMORY_MB = 256


MAX_MEMORY_MB = 1536
"""What the runner function (1769 MB by default) can give to the code it runs."""


class PythonKind(UserCodeKind):
    """`code` with `main(input)`, `memory_mb`; the result is what main returns, {"value": x} when that is no object.

    `main` gets {input, steps, run} and, inside a loop or map, {iteration, last} or {item, index}.
    """

    name = "python"
    sees_scope = True
    raw = frozenset({"code"})
    fields: ClassVar[Fields] = {
        "code": Field(text(256 * 1024), required=True),
        "memory_mb": Field(number(64, MAX_MEMORY_MB, whole=True)),
    }

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Code that doesn't compile, found without running it."""
        code = step.config.get("code")
        if not isinstance(code, str):
            return []
        fault = python_fault(code)
        return [Problem(("code",), fault, "bad_code")] if fault else []

    def perform(self, call: StepCall) -> Outcome:
        """Runs the code in the runner."""
        payload = {
            "kind": "python",
            "code": call.config["code"],
            "input": seen(call),
            "memoryMb": int(call.config.get("memory_mb") or MEMORY_MB),
            "timeout": math.ceil(call.timeout * 1000) / 1000,
        }
        if (size := len(json.dumps(payload))) > MAX_REQUEST:
            return refuse(f"the code and its input are {size} bytes; at most {MAX_REQUEST} are allowed")
        answer = self.ask(call, payload)
        if isinstance(answer, Failed):
            return answer
        if not answer.get("ok"):
            return Failed(error_of(answer))
        result: Any = answer.get("result")
        return Completed(result if isinstance(result, dict) else {"value": result})
