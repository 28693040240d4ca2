"""What a step kind is to the engine. The kinds themselves live in quintet.steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Outcome
from quintet.domain.run import Run
from quintet.domain.state import StepState


@dataclass(frozen=True, slots=True)
class StepCall:
    """One attempt of a step. `config` is rendered; `scope` gives what expressions see; `timeout` is in seconds; `token` is unique to
    the attempt in its run; `results` gives the step results, by key, of an iteration or item, `failure` the error that broke it, if any.
    `stopped` says whether nobody waits for the attempt any more."""

    run: Run
    step: StepState
    attempt: int
    token: int
    child: str | None
    config: Mapping[str, Any]
    scope: Callable[[], Mapping[str, Any]]
    timeout: float
    now: datetime
    log: Callable[[str, str], None]
    results: Callable[[int], Mapping[str, Any]]
    failure: Callable[[int], Mapping[str, Any] | None]
    stopped: Callable[[], bool] | None = None

    @property
    def idempotency_key(self) -> str:
        """Stable over every attempt of this step in this run: what endpoints deduplicate by."""
        return ":".join(self.run.place(self.step.path))


class StepKind(Protocol):
    """What a step of one kind does.

    `pure` kinds have no effect outside the run and answer at once: they are decided, not executed. `raw` names the config fields that
    are not rendered as templates before `enact`. `sees_scope` kinds read `call.scope()` while executing (user code); for other effects
    it is empty then, and without `sees_steps` it holds no steps' results. A kind that `starts_child` is given the child's id before it
    starts it. `attempt_seconds` bounds an attempt whose step may wait much longer than it works.
    """

    name: str
    pure: bool
    sees_scope: bool
    sees_steps: bool
    starts_child: bool
    raw: frozenset[str]
    default_timeout: float
    attempt_seconds: float
    max_timeout: float

    def problems(self, step: StepDef) -> list[Problem]:
        """The faults of a step's config, with places from the config's root."""
        ...

    def leaves(self, step: StepDef) -> str | None:
        """What an attempt leaves at work elsewhere, which must be stopped when the attempt is cut short: `code` (a process that looks
        at its leash), `parked` (work on another service), None: nothing."""
        ...

    def enact(self, call: StepCall) -> Outcome:
        """Does one attempt. Never raises for what the step's author or the endpoint did: that is Failed."""
        ...

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """What an attempt comes to whose parked work has ended: `ended` is what the park machine heard of it."""
        ...


class Composite(StepKind, Protocol):
    """A kind that enacts a body: loop, map."""

    def items(self, call: StepCall) -> list[Any] | None:
        """What a map goes over, settled once when it starts; None for a loop."""
        ...

    def turn(self, call: StepCall) -> Outcome:
        """The next move, after the start and after each iteration or item that ended: Opens, Completed or Failed."""
        ...


class StepKinds(Protocol):
    """The registry of step kinds."""

    def __getitem__(self, name: str) -> StepKind: ...
    def __contains__(self, name: object) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...


class Expressions(Protocol):
    """JSONata, bounded in time and depth."""

    def fault(self, expression: str) -> str | None:
        """What is wrong with an expression's syntax, None when it is fine."""
        ...

    def evaluate(self, expression: str, scope: Mapping[str, Any]) -> Any:
        """The expression's value as JSON (nothing: None). Raises ExpressionFailed."""
        ...

    def render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        """A copy of JSON data with every `{% expression %}` in its strings replaced; a whole-string one keeps its JSON type."""
        ...

    def template_faults(self, value: Any) -> list[Problem]:
        """The faults of the templates inside JSON data, each with its place."""
        ...

    def reads(self, value: Any) -> frozenset[str] | None:
        """The step keys that the expressions in JSON data read from `steps`, or None when they may read any."""
        ...


class ExpressionFailed(Exception):
    """An expression raised, ran too long or too deep."""


def as_template(expression: Any) -> Any:
    """A raw expression as a template, for asking what it reads."""
    return "{% " + expression + " %}" if isinstance(expression, str) else expression
