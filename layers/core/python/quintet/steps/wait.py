"""wait: rests for some seconds, or until a moment."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Completed, Outcome, Waits
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, number, refuse
from quintet.steps.kind import YEAR, Kind


def moment(value: Any) -> datetime | None:
    """The aware UTC time that an ISO 8601 text names; one without an offset is UTC. None when it names none."""
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_moment(value: Any) -> str | None:
    return None if moment(value) else "must be an ISO 8601 time"


class WaitKind(Kind):
    """`seconds` or `until` (ISO 8601; a moment past is no wait); the result is {}. The step's timeout, if it comes first, fails it."""

    name = "wait"
    pure = True
    default_timeout = YEAR
    max_timeout = YEAR
    fields: ClassVar[Fields] = {"seconds": Field(number(0, YEAR)), "until": Field(_is_moment)}

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Exactly one of the two fields."""
        given = [name for name in ("seconds", "until") if step.config.get(name) is not None]
        if len(given) == 1:
            return []
        return [Problem((), "needs seconds or until" if not given else "has both seconds and until", "bad_value")]

    def perform(self, call: StepCall) -> Outcome:
        """The wait, or its end when the moment is past."""
        until = moment(call.config["until"]) if call.config.get("until") is not None else None
        if until is None:
            if call.config.get("seconds") is None:
                return refuse("needs seconds or until")
            until = call.now + timedelta(seconds=call.config["seconds"])
        if until <= call.now:
            return Completed({})
        if until > call.now + timedelta(seconds=YEAR):
            return refuse(f"until is more than {YEAR / 86400:g} days away")
        timeout = call.step.define.timeout
        deadline = None if timeout is None else call.now + timedelta(seconds=timeout)
        return Waits("time", until=until, deadline=deadline if deadline and deadline < until else None)
