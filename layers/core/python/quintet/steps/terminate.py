"""terminate: ends the whole run."""

from typing import ClassVar

from quintet.domain.outcome import Ends, Outcome
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, anything, one_of, text
from quintet.steps.kind import Kind


class TerminateKind(Kind):
    """`status` (completed | failed | canceled), `reason`, `output`; the result is the output. Whatever else is under way is canceled."""

    name = "terminate"
    pure = True
    fields: ClassVar[Fields] = {
        "status": Field(one_of("completed", "failed", "canceled"), required=True),
        "reason": Field(text(4000, empty=True)),
        "output": Field(anything),
    }

    def perform(self, call: StepCall) -> Outcome:
        """The end."""
        return Ends(call.config["status"], call.config.get("reason"), call.config.get("output"))
