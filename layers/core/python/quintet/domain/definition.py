"""What a job is: a DAG of steps, some of which hold bodies of further steps, as plain immutable data."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any


class OnFailure(StrEnum):
    """What a step's final failure does to what is around it."""

    FAIL = "fail"
    """All else is canceled, and the frame has failed."""
    FAIL_LATER = "fail_later"
    """What depends on the step is skipped, all else goes on; when it has ended, the frame has failed."""
    SKIP_DEPENDANTS = "skip_dependants"
    CONTINUE = "continue"

    @property
    def fatal(self) -> bool:
        """True when the frame fails by it, at once or at its end."""
        return self in (OnFailure.FAIL, OnFailure.FAIL_LATER)


class Strategy(StrEnum):
    """How the delay between attempts grows."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a step is tried, and how long it rests in between (seconds)."""

    max_attempts: int = 1
    strategy: Strategy = Strategy.EXPONENTIAL
    initial_delay: float = 1.0
    max_delay: float | None = None
    delays: tuple[float, ...] = ()
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Overrides:
    """What one run changes of its version's plan: attempts, timeout and rests (seconds) of its root steps."""

    max_attempts: int | None = None
    timeout: float | None = None
    strategy: Strategy | None = None
    initial_delay: float | None = None
    max_delay: float | None = None


AS_DEFINED = Overrides()


@dataclass(frozen=True, slots=True)
class StepDef:
    """One step: what it does (kind, config), when it may, and what its failure means."""

    key: str
    kind: str
    name: str | None = None
    depends_on: tuple[str, ...] = ()
    when: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    retry: RetryPolicy = RetryPolicy()
    timeout: float | None = None
    alert_after: float | None = None
    """After so many seconds the step is said to be late, and goes on."""
    on_failure: OnFailure = OnFailure.FAIL
    rescue: bool = False
    """A root step that is enacted only once another has failed for good, before the run ends by it."""
    body: tuple["StepDef", ...] = ()


class Graph:
    """The steps of one frame with their edges, indexed both ways."""

    def __init__(self, steps: tuple[StepDef, ...]) -> None:
        self.steps = steps
        self.by_key = {step.key: step for step in steps}
        self.dependants: dict[str, list[str]] = {step.key: [] for step in steps}
        for step in steps:
            for needed in step.depends_on:
                self.dependants[needed].append(step.key)

    @cached_property
    def bodies(self) -> dict[str, "Graph"]:
        """The graphs of the steps that hold a body, by key."""
        return {step.key: Graph(step.body) for step in self.steps if step.body}


@dataclass(frozen=True)
class Plan:
    """A job version's whole DAG; `timeout` bounds the run (seconds). The sweep gives up a `reaped` one's runs that have been at work for
    longer than the deployment allows (zombies)."""

    steps: tuple[StepDef, ...]
    timeout: float | None = None
    reaped: bool = False
    alert_after: float | None = None
    """After so many seconds the run is said to be late, and goes on."""

    @cached_property
    def graph(self) -> Graph:
        """The root frame's graph."""
        return Graph(self.steps)

    def body_of(self, path: str) -> "Plan":
        """The plan that an iteration or item of the step at a path enacts."""
        frame = self.steps
        for key in re.sub(r"\[\d+\]", "", path).split("."):
            frame = next(step for step in frame if step.key == key).body
        return Plan(frame)

    def overridden(self, asked: Overrides) -> "Plan":
        """The plan as a run with these overrides enacts it."""
        return (
            self if asked == AS_DEFINED else replace(self, steps=tuple(_overridden(step, asked) for step in self.steps))
        )

    def walk(self) -> Iterator[StepDef]:
        """Every step of the plan, bodies included."""
        pending = list(reversed(self.steps))
        while pending:
            step = pending.pop()
            yield step
            pending.extend(reversed(step.body))


def _overridden(step: StepDef, asked: Overrides) -> StepDef:
    given: dict[str, Any] = {
        "max_attempts": asked.max_attempts,
        "strategy": asked.strategy,
        "initial_delay": asked.initial_delay,
        "max_delay": asked.max_delay,
        # The jitter belongs to the strategy: what is asked to be fixed is.
        "jitter": None if asked.strategy in {None, Strategy.EXPONENTIAL} else 0.0,
    }
    retry = replace(step.retry, **{name: value for name, value in given.items() if value is not None})
    return replace(step, retry=retry, timeout=step.timeout if asked.timeout is None else asked.timeout)


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-ready data, defaults left out."""
    data: dict[str, Any] = {"steps": [_step_to_dict(step) for step in plan.steps]}
    if plan.timeout is not None:
        data["timeout"] = plan.timeout
    if plan.reaped:
        data["reaped"] = True
    if plan.alert_after is not None:
        data["alert_after"] = plan.alert_after
    return data


def plan_from_dict(data: Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_dict` wrote."""
    return Plan(
        tuple(_step_from_dict(step) for step in data["steps"]),
        data.get("timeout"),
        data.get("reaped", False),
        data.get("alert_after"),
    )


def _step_to_dict(step: StepDef) -> dict[str, Any]:
    data: dict[str, Any] = {"key": step.key, "kind": step.kind, "config": dict(step.config)}
    if step.name is not None:
        data["name"] = step.name
    if step.depends_on:
        data["depends_on"] = list(step.depends_on)
    if step.when is not None:
        data["when"] = step.when
    if step.retry != RetryPolicy():
        data["retry"] = {
            "max_attempts": step.retry.max_attempts,
            "strategy": str(step.retry.strategy),
            "initial_delay": step.retry.initial_delay,
            "max_delay": step.retry.max_delay,
            "delays": list(step.retry.delays),
            "jitter": step.retry.jitter,
        }
    if step.timeout is not None:
        data["timeout"] = step.timeout
    if step.alert_after is not None:
        data["alert_after"] = step.alert_after
    if step.on_failure is not OnFailure.FAIL:
        data["on_failure"] = str(step.on_failure)
    if step.rescue:
        data["rescue"] = True
    if step.body:
        data["body"] = [_step_to_dict(inner) for inner in step.body]
    return data


def _step_from_dict(data: Mapping[str, Any]) -> StepDef:
    retry = data.get("retry")
    return StepDef(
        key=data["key"],
        kind=data["kind"],
        name=data.get("name"),
        depends_on=tuple(data.get("depends_on", ())),
        when=data.get("when"),
        config=data.get("config", {}),
        retry=RetryPolicy(
            max_attempts=retry["max_attempts"],
            strategy=Strategy(retry["strategy"]),
            initial_delay=retry["initial_delay"],
            max_delay=retry["max_delay"],
            delays=tuple(retry["delays"]),
            jitter=retry["jitter"],
        )
        if retry
        else RetryPolicy(),
        timeout=data.get("timeout"),
        alert_after=data.get("alert_after"),
        on_failure=OnFailure(data.get("on_failure", OnFailure.FAIL)),
        rescue=data.get("rescue", False),
        body=tuple(_step_from_dict(inner) for inner in data.get("body", ())),
    )
