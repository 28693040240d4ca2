"""What an attempt of a step can come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quintet.domain.jsontext import compact

MESSAGE_CHARACTERS = 4096
DETAILS_CHARACTERS = 16_384

Trace = Mapping[str, float]
"""Where an attempt's time went: milliseconds by name of the phase."""


@dataclass(frozen=True, slots=True)
class StepError:
    """Why an attempt failed. `type` is a stable name (Timeout, HttpStatus, ...); `retry_after` is in seconds."""

    type: str
    message: str
    retryable: bool = True
    retry_after: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    reported: bool = False
    """True when a program chose the type: it may be called as the engine calls its own faults, and isn't one."""

    def to_dict(self) -> dict[str, Any]:
        """The error as the journal keeps it."""
        kept: dict[str, Any] = {"type": self.type[:200], "message": self.message[:MESSAGE_CHARACTERS]}
        if self.reported:
            kept["reported"] = True
        if not self.details:
            return kept
        fits = len(compact(dict(self.details))) <= DETAILS_CHARACTERS
        return {**kept, "details": dict(self.details) if fits else {"omitted": "too long"}}


@dataclass(frozen=True, slots=True)
class Completed:
    """The step is done; `result` is JSON, or None for a step whose result is known elsewhere (a finished wait).

    `notes` are written into the run's metadata in the same commit: the little of it that lists of runs show. `sets` are variables of the
    run by name (dotted: inside another), which expressions of every later step see.
    """

    result: Any = None
    trace: Trace | None = None
    notes: Mapping[str, Any] | None = None
    sets: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed; the step's retry policy decides what follows. `notes` as in Completed.

    `cut`: nobody heard the attempt's own work end, so what it may have left at work elsewhere is stopped.
    """

    error: StepError
    trace: Trace | None = None
    notes: Mapping[str, Any] | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Waits:
    """Nothing to do until `until`, an answer, or a child's end; `deadline` fails the step. `details` tells readers what it waits for."""

    for_: str
    until: datetime | None = None
    deadline: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Opens:
    """A loop or map begins these iterations or items; none when it only waits for those under way."""

    indexes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ends:
    """The step is done and ends its whole run: `status` completed | failed | canceled, with a reason for people."""

    status: str
    reason: str | None = None
    result: Any = None


Outcome = Completed | Failed | Waits | Opens | Ends
