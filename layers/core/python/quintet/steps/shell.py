"""shell: runs script lines."""

import math
from typing import Any, ClassVar

from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, list_of, mapping_of, scalar, text
from quintet.steps.user_code import UserCodeKind, error_of

KEPT = 16 * 1024
"""Characters of each stream in the result; the whole is in the logs."""


class ShellKind(UserCodeKind):
    """`script` (lines, run as one script that stops at the first failing line), `env`; the result is {exitCode, stdout, stderr}.

    Templates in lines are pasted as they are: pass data that others wrote through `env` instead.
    """

    name = "shell"
    fields: ClassVar[Fields] = {
        "script": Field(list_of(text(64 * 1024, empty=True), 500), required=True),
        "env": Field(mapping_of(scalar, 200)),
    }

    def perform(self, call: StepCall) -> Outcome:
        """Runs the script in the runner."""
        env = {name: _word(value) for name, value in (call.config.get("env") or {}).items()}
        payload = {
            "kind": "shell",
            "script": [str(line) for line in call.config["script"]],
            "env": {**env, "QUINTET_RUN_ID": call.run.id, "QUINTET_STEP": call.step.path},
            "timeout": math.ceil(call.timeout * 1000) / 1000,
        }
        answer = self.ask(call, payload)
        if isinstance(answer, Failed):
            return answer
        if not answer.get("ok"):
            return Failed(error_of(answer))
        code: int = answer.get("exitCode", 0)
        result = {"exitCode": code, "stdout": _end(answer.get("stdout")), "stderr": _end(answer.get("stderr"))}
        if code:
            return Failed(StepError("ExitCode", f"the script ended with exit code {code}", details=result))
        return Completed(result)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _end(written: str | None) -> str:
    """The last part of a long text, which is where errors stand."""
    kept = written or ""
    return kept if len(kept) <= KEPT else "...\n" + kept[-KEPT:]
