"""Step kinds that leave work behind: a program on a leash, and a job on a service of its own."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed, Outcome, StepError, Waits
from quintet.domain.state import PARKED
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.fields import Field, Fields, anything
from quintet.steps.kind import YEAR, Kind

if TYPE_CHECKING:
    from engine_stage import Stage

COMES_TO = ("result", "fails", "final", "notes")
"""What an attempt comes to: a result, or an error of that type, perhaps final; and its notes."""
FIELDS = {name: Field(anything) for name in ("seconds", "breaks", "deadline", "message", "dies", *COMES_TO)}


class ProgramKind(Kind):
    """A program that works for `seconds`, and ends before them when its leash is there; `breaks`: nobody hears its end."""

    name = "program"
    fields: ClassVar[Fields] = FIELDS

    def __init__(self, expressions: Expressions, stage: "Stage") -> None:
        super().__init__(expressions)
        self._stage = stage

    def leaves(self, step: StepDef) -> str | None:
        """A process."""
        return "code"

    def perform(self, call: StepCall) -> Outcome:
        """Runs it to its end."""
        self._stage.programs.run(call.run.id, call.token, call.config.get("seconds") or 0.0)
        if call.config.get("breaks"):
            raise ValueError("the kind is broken")
        return came_to(call.config)


class JobKind(Kind):
    """A job on a service: `seconds` of work there; `deadline` (seconds) bounds it, `message` is what people read, `dies`: nobody is told of
    its end, `breaks`: what it left can't be read."""

    name = "job"
    attempt_seconds = 30.0
    default_timeout = 30.0
    max_timeout = YEAR
    fields: ClassVar[Fields] = FIELDS

    def __init__(self, expressions: Expressions, stage: "Stage") -> None:
        super().__init__(expressions)
        self._stage = stage

    def leaves(self, step: StepDef) -> str | None:
        """Parked work."""
        return PARKED

    def perform(self, call: StepCall) -> Outcome:
        """Hands it over."""
        self._stage.parking.start(call.run.id, call.step.path, call.token, dict(call.config))
        seconds = call.config.get("deadline")
        deadline = None if seconds is None else call.now + timedelta(seconds=seconds)
        message = call.config.get("message")
        return Waits(PARKED, deadline=deadline, details={} if message is None else {"message": message})

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """As the work was told to end."""
        if ended.get("breaks"):
            raise ValueError("what it left can't be read")
        return came_to(ended)


def came_to(said: Mapping[str, Any]) -> Outcome:
    """An outcome as a test wrote it."""
    notes = said.get("notes")
    if fails := said.get("fails"):
        return Failed(StepError(fails, "as it was told", retryable=not said.get("final")), notes=notes)
    return Completed(said.get("result", {}), notes=notes)
