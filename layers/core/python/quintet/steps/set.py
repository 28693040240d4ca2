"""set: names values, rendered from templates, for later steps."""

from typing import ClassVar

from quintet.domain.outcome import Completed, Outcome
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, anything, mapping_of
from quintet.steps.kind import Kind


class SetKind(Kind):
    """`values` {name: value}; the result is the values."""

    name = "set"
    pure = True
    fields: ClassVar[Fields] = {"values": Field(mapping_of(anything), required=True)}

    def perform(self, call: StepCall) -> Outcome:
        """The rendered values."""
        return Completed(dict(call.config["values"]))
