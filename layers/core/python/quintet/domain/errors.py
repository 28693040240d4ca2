"""The one error tree of Quintet; each API's error module gives every class its own status and body.

QuintetError
├── Invalid            the caller's input is wrong; names every place
│   └── Unprocessable  well-formed, but not what the job's own schema asks for
├── NotFound           no such thing in the caller's project
├── Conflict           the thing's state does not allow this now
│   ├── Disabled       the job takes no triggers
│   ├── QueueFull      as many of the job's runs wait as may
│   └── NoQueue        the run can't start now, and none of the job's runs waits
├── Unauthenticated    no key, or not a valid one
├── Forbidden          a valid key without the scope
├── TooLarge           a body or payload above its bound
├── Throttled          a limit was met; says when to come again
└── AppendConflict     another writer won this journal position (internal: read the tail and decide again)
"""

from dataclasses import dataclass


class QuintetError(Exception):
    """Base of everything Quintet raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in an input: where (keys and indexes from the root) and what."""

    place: tuple[str | int, ...]
    message: str
    type: str = "value_error"


class Invalid(QuintetError):
    """The input is wrong; `problems` names every place."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, p.place))}: {p.message}" for p in problems))
        self.problems = problems


class Unprocessable(Invalid):
    """A payload that breaks its job's schema."""

    status = 422


class NotFound(QuintetError):
    """No such thing, or not the caller's."""


class Conflict(QuintetError):
    """The thing's present state does not allow the request."""


class Disabled(Conflict):
    """The job is disabled: nothing starts it."""


class QueueFull(Conflict):
    """As many of the job's runs wait as may."""


class NoQueue(Conflict):
    """The run can't start at once, and its job lets none wait."""


class Unauthenticated(QuintetError):
    """No key came with the request, or one that is not valid."""


class Forbidden(QuintetError):
    """The key lacks a scope."""


class TooLarge(QuintetError):
    """A body or payload above its bound."""


class Throttled(QuintetError):
    """A limit was met; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AppendConflict(QuintetError):
    """Another writer appended to the journal first."""
