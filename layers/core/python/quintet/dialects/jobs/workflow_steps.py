"""The steps of a workflow, and of a job with tasks: what authors write, what the engine enacts, and the places of faults back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from quintet.dialects.jobs.shapes import Asked
from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Invalid, Problem
from quintet.domain.job import Job
from quintet.web.engine import Engine

Place = tuple[str | int, ...]
StepType = Literal["job", "endpoint", "approval", "sub_workflow", "wait_for_event", "sleep"]

DIALECT = "workflows"
"""What the jobs are called that are workflows."""
DAY = 86_400
YEAR = 366 * DAY
MAX_STEPS = 500
_MAX_REST = 3600.0
_JITTER = 0.2
_ENDPOINT_ATTEMPTS = 3
_ON_FAILURE = {
    "fail_workflow": OnFailure.FAIL,
    "skip_dependents": OnFailure.SKIP_DEPENDANTS,
    "continue": OnFailure.CONTINUE,
}

_Plain = AfterValidator(lambda given: int(given) if given.is_integer() else given)
Rest = Annotated[float, Field(ge=0, le=DAY), _Plain]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class StepIn(Asked):
    """A step; which fields it takes depends on its `step_type`, and one that its type doesn't use is refused.

    Strings inside `payload`, `endpoint`, `event_key`, `until` and `message` may hold `{% JSONata %}` over `input` (the workflow's
    payload) and `steps` (results by step_ref).
    """

    model_config = ConfigDict(strict=True)

    step_ref: Annotated[str, Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    step_type: Annotated[StepType | None, Field(description="Told by `job_id` or `endpoint` unless given.")] = None
    depends_on: Annotated[list[str], Field(max_length=MAX_STEPS)] | None = None
    condition: Annotated[Text | None, Field(description="JSONata over `input` and `steps`; false skips the step.")] = (
        None
    )
    on_failure: Annotated[
        Literal["fail_workflow", "skip_dependents", "continue"] | None, Field(description="fail_workflow unless given.")
    ] = None
    payload: Annotated[
        Any, Field(description="Of a job, sub_workflow or endpoint; the workflow's own unless given.")
    ] = None
    max_attempts: Annotated[
        Annotated[int, Field(ge=1, le=100)] | None, Field(description="3 for an endpoint, 1 for others, unless given.")
    ] = None
    retry_strategy: Literal["exponential", "linear", "fixed", "custom"] | None = None
    retry_delays_secs: Annotated[list[Rest], Field(min_length=1, max_length=100)] | None = None
    retry_initial_delay_secs: Rest | None = None
    retry_max_delay_secs: Rest | None = None
    timeout_secs: Annotated[float, Field(gt=0, le=YEAR), _Plain] | None = None
    job_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    endpoint: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    workflow_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    event_key: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    duration_secs: Annotated[float, Field(ge=0, le=YEAR), _Plain] | None = None
    until: Annotated[str | None, Field(max_length=2048, description="RFC 3339.")] = None
    approvers: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=100)] | None = None
    message: Annotated[str, Field(max_length=10_000)] | None = None
    fields: Annotated[
        dict[str, Any] | None, Field(description="What an approver fills in: {name: {type, required, ...}}.")
    ] = None

    @property
    def type(self) -> StepType | None:
        """The type, given or told by the field that only one type has; None when nothing tells it."""
        if self.step_type is not None:
            return self.step_type
        return "job" if self.job_id is not None else "endpoint" if self.endpoint is not None else None


@dataclass(frozen=True, slots=True)
class TypeWords:
    """One step type: its kind in the core, its own fields with their names in the core's config, and those it can't do without."""

    core: str
    fields: Mapping[str, str]
    needs: tuple[str, ...] = ()


TYPES: dict[str, TypeWords] = {
    "job": TypeWords("subrun", {"job_id": "job_id", "payload": "input"}, ("job_id",)),
    "sub_workflow": TypeWords("subrun", {"workflow_id": "job_id", "payload": "input"}, ("workflow_id",)),
    "endpoint": TypeWords("endpoint", {"endpoint": "url", "payload": "payload"}, ("endpoint",)),
    "approval": TypeWords("input", {"message": "message", "approvers": "approvers", "fields": "fields"}),
    "wait_for_event": TypeWords("event", {"event_key": "event_key"}, ("event_key",)),
    "sleep": TypeWords("wait", {"duration_secs": "seconds", "until": "until"}),
}
_OWN = frozenset(field for words in TYPES.values() for field in words.fields)
_WIRE_FIELDS = {
    "key": "step_ref",
    "kind": "step_type",
    "when": "condition",
    "timeout": "timeout_secs",
    "dependsOn": "depends_on",
}
_WIRE_RETRY = {
    "max_attempts": "max_attempts",
    "strategy": "retry_strategy",
    "delays": "retry_delays_secs",
    "initial_delay": "retry_initial_delay_secs",
    "max_delay": "retry_max_delay_secs",
}
_STEPS: TypeAdapter[list[StepIn]] = TypeAdapter(list[StepIn])


def read(steps: Sequence[Any], place: Place) -> list[StepIn]:
    """The steps as written, each field checked by itself. Raises Invalid with places below `place`."""
    try:
        return _STEPS.validate_python(list(steps))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise Invalid([Problem((*place, *fault["loc"]), fault["msg"], fault["type"]) for fault in found]) from error


def to_plan(steps: Sequence[StepIn], place: Place) -> tuple[StepDef, ...]:
    """What the engine enacts. Raises Invalid with places below `place` for what only this API knows."""
    if found := misused(steps, place):
        raise Invalid(found)
    return tuple(_step(step) for step in steps)


def misused(steps: Sequence[StepIn], place: Place) -> list[Problem]:
    """What is wrong with the fields of each step, seen together: missing ones, and ones that its type doesn't use."""
    return [fault for index, step in enumerate(steps) for fault in _faults(step, (*place, index))]


def _faults(step: StepIn, place: Place) -> Iterator[Problem]:
    if step.type is None:
        yield Problem((*place, "step_type"), f"field required: one of {', '.join(TYPES)}", "missing")
        return
    words = TYPES[step.type]
    for field in sorted(_OWN - words.fields.keys()):
        if field in step.model_fields_set and getattr(step, field) is not None:
            yield Problem((*place, field), f"not used by a step of type {step.type}")
    for field in words.needs:
        if getattr(step, field) is None:
            yield Problem((*place, field), f"field required by a step of type {step.type}", "missing")
    if step.type == "sleep" and (step.duration_secs is None) == (step.until is None):
        yield Problem((*place, "duration_secs"), "a sleep has either duration_secs or until")
    yield from _retry_faults(step, place)


def _retry_faults(step: StepIn, place: Place) -> Iterator[Problem]:
    custom = step.retry_strategy == "custom"
    if custom and step.retry_delays_secs is None:
        yield Problem((*place, "retry_delays_secs"), "field required when retry_strategy is custom", "missing")
    if not custom and step.retry_delays_secs is not None:
        yield Problem((*place, "retry_delays_secs"), "only used when retry_strategy is custom")
    if custom and step.retry_initial_delay_secs is not None:
        yield Problem((*place, "retry_initial_delay_secs"), "not used when retry_strategy is custom")
    if _attempts(step) > 1:
        return
    for field in ("retry_strategy", "retry_delays_secs", "retry_initial_delay_secs", "retry_max_delay_secs"):
        if getattr(step, field) is not None:
            yield Problem((*place, field), "only used when max_attempts is above 1")


def _step(step: StepIn) -> StepDef:
    words = TYPES[str(step.type)]
    config = {core: value for field, core in words.fields.items() if (value := getattr(step, field)) is not None}
    if words.core == "subrun":
        config.setdefault("input", "{% input %}")
    return StepDef(
        key=step.step_ref,
        kind=words.core,
        name=step.name,
        depends_on=tuple(step.depends_on or ()),
        when=step.condition,
        config=config,
        retry=_policy(step),
        timeout=step.timeout_secs,
        on_failure=_ON_FAILURE[step.on_failure or "fail_workflow"],
    )


def _attempts(step: StepIn) -> int:
    return step.max_attempts or (_ENDPOINT_ATTEMPTS if step.type == "endpoint" else 1)


def _policy(step: StepIn) -> RetryPolicy:
    """The policy; what is not given is as a job has it."""
    attempts = _attempts(step)
    if attempts == 1:
        return RetryPolicy()
    strategy = Strategy(step.retry_strategy or "exponential")
    exponential = strategy is Strategy.EXPONENTIAL
    return RetryPolicy(
        max_attempts=attempts,
        strategy=strategy,
        initial_delay=1.0 if step.retry_initial_delay_secs is None else step.retry_initial_delay_secs,
        max_delay=(_MAX_REST if exponential else None)
        if step.retry_max_delay_secs is None
        else step.retry_max_delay_secs,
        delays=tuple(step.retry_delays_secs or ()),
        jitter=_JITTER if exponential else 0.0,
    )


def faults(engine: Engine, project: str, steps: Sequence[StepIn], place: Place) -> list[Problem]:
    """What is wrong with what the steps name outside themselves: jobs and workflows that aren't there, URLs that must not be called."""
    known = {job.id: job for job in engine.jobs.get_many(project, sorted(set(_named(steps))))}
    found = []
    for index, step in enumerate(steps):
        for field in ("job_id", "workflow_id"):
            job_id = getattr(step, field)
            if job_id is not None and (fault := _job_fault(field, known.get(job_id))):
                found.append(Problem((*place, index, field), fault, "unknown_job"))
        if step.endpoint and "{%" not in step.endpoint and (refusal := engine.guard_url.refusal(step.endpoint)):
            found.append(Problem((*place, index, "endpoint"), refusal, "refused_url"))
    return found


def _named(steps: Sequence[StepIn]) -> Iterator[str]:
    for step in steps:
        yield from (name for name in (step.job_id, step.workflow_id) if name is not None)


def _job_fault(field: str, job: Job | None) -> str | None:
    wanted = "workflow" if field == "workflow_id" else "job"
    if job is None:
        return f"no such {wanted} in this project"
    if (job.dialect == DIALECT) == (wanted == "workflow"):
        return None
    return "this is a workflow: name it as workflow_id of a sub_workflow" if wanted == "job" else "this is no workflow"


def wire_problems(error: Invalid, steps: Sequence[StepDef], place: Place) -> Invalid:
    """The core's faults of a plan of these steps, in this API's places below `place`."""
    return Invalid([Problem(wire_place(p.place, steps, place), p.message, p.type) for p in error.problems])


def wire_place(found: Place, steps: Sequence[StepDef], place: Place) -> Place:
    """Where an author finds what the core calls e.g. ("steps", 1, "config", "url")."""
    match found:
        case ["timeout", *rest]:
            return (*place[:-1], "timeout_secs", *rest)
        case ["steps", int(index), *rest] if index < len(steps):
            return (*place, index, *_inside(rest, steps[index]))
        case ["steps", *rest]:
            return (*place, *rest)
    return found


def _inside(rest: Sequence[str | int], step: StepDef) -> Sequence[str | int]:
    match rest:
        case ["config", str(field), *more]:
            return [_wire_config(step.kind, field), *more]
        case ["config"]:
            return []
        case ["retry", str(field), *more]:
            return [_WIRE_RETRY.get(field, field), *more]
        case [str(field), *more]:
            return [_WIRE_FIELDS.get(field, field), *more]
    return rest


def _wire_config(kind: str, core_field: str) -> str:
    for words in TYPES.values():
        if words.core == kind:
            return next((wire for wire, core in words.fields.items() if core == core_field), core_field)
    return core_field


def type_of(kind: str, dialect: str | None = None) -> str:
    """This API's word for a core kind; `dialect` is that of the job which a subrun starts, when known."""
    if kind == "subrun":
        return "sub_workflow" if dialect == DIALECT else "job"
    return next((wire for wire, words in TYPES.items() if words.core == kind), kind)
