"""Translates definitions: what an author writes to the core's plan and back, and the places of faults with it. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from quintet.dialects.automations.kinds import BODY, KINDS, TIMEOUT, WIRE_KINDS, KindWords, kind_list
from quintet.dialects.automations.models import ConfigIn, RetryIn, StepIn
from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Invalid, Problem
from quintet.domain.graph import MAX_DEPTH

Place = tuple[str | int, ...]

ROOT: Place = ("body", "config")
_STEPS: TypeAdapter[list[StepIn]] = TypeAdapter(list[StepIn])

_STEP_FIELDS = {"timeout": "timeoutSeconds", "on_failure": "onFailure", "depends_on": "dependsOn"}
_RETRY_FIELDS = {
    "max_attempts": "maxAttempts",
    "initial_delay": "initialDelaySeconds",
    "max_delay": "maxDelaySeconds",
    "delays": "delaysSeconds",
}


def to_plan(config: ConfigIn) -> Plan:
    """The plan that a definition asks for. Raises Invalid with this API's own places for what only this API knows."""
    faults: list[Problem] = []
    steps = _steps(config.steps, (*ROOT, "steps"), faults, 1)
    if faults:
        raise Invalid(faults)
    return Plan(steps, config.timeout_seconds)


def _steps(given: Iterable[StepIn], place: Place, faults: list[Problem], depth: int) -> tuple[StepDef, ...]:
    return tuple(
        step for index, one in enumerate(given) if (step := _step(one, (*place, index), faults, depth)) is not None
    )


def _step(given: StepIn, place: Place, faults: list[Problem], depth: int) -> StepDef | None:
    words = KINDS.get(given.kind)
    if words is None:
        known = f"Input should be one of {kind_list()}"
        faults.append(Problem((*place, "kind"), known, "unknown_kind"))
        return None
    config, timeout, body = _config(given, words, place, faults, depth)
    return StepDef(
        key=given.key,
        kind=words.core,
        name=given.name,
        depends_on=tuple(given.depends_on),
        when=given.when,
        config=config,
        retry=_policy(given.retry, (*place, "retry"), faults),
        timeout=timeout,
        on_failure=OnFailure(given.on_failure),
        body=body,
    )


def _config(
    given: StepIn, words: KindWords, place: Place, faults: list[Problem], depth: int
) -> tuple[dict[str, Any], float | None, tuple[StepDef, ...]]:
    """A step's config in the core's names, its timeout and its body."""
    config: dict[str, Any] = {}
    timeout = given.timeout_seconds
    body: tuple[StepDef, ...] = ()
    for field, value in given.config.items():
        here = (*place, "config", field)
        core = words.fields.get(field)
        if core is None:
            known = f"Extra inputs are not permitted; {given.kind} has: {', '.join(words.fields)}"
            faults.append(Problem(here, known, "extra_forbidden"))
        elif core is BODY:
            body = _body(value, here, faults, depth)
        elif core is TIMEOUT:
            timeout = _timeout(value, timeout, here, faults)
        else:
            config[core] = value
    if BODY in words.fields.values() and not given.config.get("steps"):
        faults.append(Problem((*place, "config", "steps"), "Field required", "missing"))
    return config, timeout, body


def _timeout(value: Any, given: float | None, place: Place, faults: list[Problem]) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.append(Problem(place, "Input should be a valid number", "float_type"))
    elif given is not None and given != value:
        faults.append(Problem(place, "Give timeoutSeconds or config.timeout, not both", "value_error"))
    else:
        return float(value)
    return given


def _body(value: Any, place: Place, faults: list[Problem], depth: int) -> tuple[StepDef, ...]:
    if depth >= MAX_DEPTH:
        faults.append(Problem(place, f"bodies nest deeper than {MAX_DEPTH}", "too_deep"))
        return ()
    try:
        steps = _STEPS.validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        faults.extend(Problem((*place, *fault["loc"]), fault["msg"], fault["type"]) for fault in found)
        return ()
    return _steps(steps, place, faults, depth + 1)


def _policy(given: RetryIn | None, place: Place, faults: list[Problem]) -> RetryPolicy:
    """The policy; a delay that its strategy doesn't use is a fault, so that nothing is kept and ignored."""
    if given is None:
        return RetryPolicy()
    custom = given.strategy == "custom"
    if given.delays_seconds and not custom:
        faults.append(Problem((*place, "delaysSeconds"), "Only used when strategy is 'custom'", "value_error"))
    if custom and "initial_delay_seconds" in given.model_fields_set:
        message = "Not used when strategy is 'custom', which takes delaysSeconds"
        faults.append(Problem((*place, "initialDelaySeconds"), message, "value_error"))
    return RetryPolicy(
        max_attempts=given.max_attempts,
        strategy=Strategy(given.strategy),
        initial_delay=given.initial_delay_seconds,
        max_delay=given.max_delay_seconds,
        delays=tuple(given.delays_seconds),
        jitter=given.jitter,
    )


def to_config(plan: Plan) -> dict[str, Any]:
    """A plan as an author of this API would have written it: for jobs that came through another API."""
    config: dict[str, Any] = {"steps": [_to_step(step) for step in plan.steps]}
    if plan.timeout is not None:
        config["timeoutSeconds"] = plan.timeout
    return config


def _to_step(step: StepDef) -> dict[str, Any]:
    words = KINDS.get(WIRE_KINDS.get(step.kind, ""))
    config = {words.wire_field(name) if words else name: value for name, value in step.config.items()}
    if step.body:
        config["steps"] = [_to_step(inner) for inner in step.body]
    written: dict[str, Any] = {"key": step.key, "kind": WIRE_KINDS.get(step.kind, step.kind), "config": config}
    if step.name is not None:
        written["name"] = step.name
    if step.depends_on:
        written["dependsOn"] = list(step.depends_on)
    if step.when is not None:
        written["when"] = step.when
    if step.retry != RetryPolicy():
        written["retry"] = _to_retry(step.retry)
    if step.timeout is not None:
        written["timeoutSeconds"] = step.timeout
    if step.on_failure is not OnFailure.FAIL:
        written["onFailure"] = str(step.on_failure)
    return written


def _to_retry(policy: RetryPolicy) -> dict[str, Any]:
    custom = policy.strategy is Strategy.CUSTOM
    delays = {"delaysSeconds": list(policy.delays)} if custom else {"initialDelaySeconds": policy.initial_delay}
    return {
        "maxAttempts": policy.max_attempts,
        "strategy": str(policy.strategy),
        **delays,
        "maxDelaySeconds": policy.max_delay,
        "jitter": policy.jitter,
    }


def wire_problems(error: Invalid, plan: Plan) -> Invalid:
    """The core's faults of a plan, with this API's places."""
    return Invalid([Problem(wire_place(p.place, plan), p.message, p.type) for p in error.problems])


def wire_place(place: Sequence[str | int], plan: Plan) -> Place:
    """Where an author finds what the core calls e.g. ("steps", 1, "config", "expect_status")."""
    if place and place[0] == "timeout":
        return (*ROOT, "timeoutSeconds", *place[1:])
    found: list[str | int] = [*ROOT]
    rest = list(place)
    steps: Sequence[StepDef] = plan.steps
    while len(rest) >= 2 and rest[0] in ("steps", "body") and isinstance(rest[1], int) and rest[1] < len(steps):
        step = steps[rest[1]]
        found += ["steps", rest[1]]
        rest = rest[2:]
        if rest[:2] == ["config", "steps"] or rest[:1] == ["body"]:
            found.append("config")
            rest = ["steps", *rest[2 if rest[0] == "config" else 1 :]]
            steps = step.body
            continue
        return (*found, *_inside(rest, step))
    return (*found, *rest)


def _inside(rest: list[str | int], step: StepDef) -> list[str | int]:
    """The part of a place below a step."""
    match rest:
        case ["config", str(field), *more]:
            words = KINDS.get(WIRE_KINDS.get(step.kind, ""))
            return ["config", words.wire_field(field) if words else field, *more]
        case ["retry", str(field), *more]:
            return ["retry", _RETRY_FIELDS.get(field, field), *more]
        case [str(field), *more]:
            return [_STEP_FIELDS.get(field, field), *more]
    return rest
