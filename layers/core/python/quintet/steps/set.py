"""set: names values, rendered from templates, for later steps."""

from typing import ClassVar

from quintet.domain.outcome import Completed, Outcome
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, anything, boolean, mapping_of
from quintet.steps.kind import Kind


class SetKind(Kind):
    """`values` {name: value}; the result is the values. With `everywhere` they are variables of the run too, which expressions of every
    later step see as `variables`."""

    name = "set"
    pure = True
    fields: ClassVar[Fields] = {
        "values": Field(mapping_of(anything), required=True),
        "everywhere": Field(boolean),
    }

    def perform(self, call: StepCall) -> Outcome:
        """The rendered values."""
        values = dict(call.config["values"])
        return Completed(values, sets=values if call.config.get("everywhere") else None)
