"""What runs look like on the wire, and what may be asked of them."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from quintet.dialects.jobs.models import YEAR, JobView, Tags
from quintet.dialects.jobs.shapes import Asked, Shown
from quintet.dialects.jobs.words import TriggerWord
from quintet.domain.errors import Invalid, Problem
from quintet.domain.status import RunStatus
from quintet.web.rendering import Moment

MAX_BULK = 500
MAX_IDS = 100
MAX_KEY = 256
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _written(given: Any) -> Any:
    """Times are texts: a number could be seconds or milliseconds."""
    if not isinstance(given, str) or not _TIME.match(given):
        raise ValueError("must be an RFC 3339 time, such as 2026-01-31T09:00:00Z")
    return given


When = Annotated[AwareDatetime, BeforeValidator(_written), Field(strict=False)]
Key = Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
RunIdText = Annotated[str, Field(min_length=1, max_length=128)]


class TraceView(Shown):
    """Where an attempt's time went, in milliseconds."""

    queue_wait_ms: int | None = None
    dequeue_ms: int | None = None
    connect_ms: int | None = None
    ttfb_ms: int | None = None
    transfer_ms: int | None = None
    total_ms: int | None = None
    dispatch_ms: int | None = None


class JobRunView(Shown):
    """A run. Lists leave out payload, result, heartbeat_at, next_retry_at and execution_trace."""

    id: str
    job_id: str
    project_id: str
    status: RunStatus
    attempt: Annotated[int, Field(description="The latest attempt, from 1; 0 before the run starts.")]
    payload: Any = None
    result: Any = None
    metadata: dict[str, Any] | None = None
    error: str | None = None
    triggered_by: TriggerWord
    scheduled_at: Moment | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    heartbeat_at: Moment | None = None
    next_retry_at: Moment | None = None
    expires_at: Moment | None = None
    parent_run_id: str | None = None
    priority: int
    idempotency_key: str | None = None
    job_version: int
    workflow_step_run_id: str | None = None
    max_attempts_override: int | None = None
    timeout_secs_override: int | None = None
    retry_backoff: str | None = None
    retry_initial_delay_secs: int | None = None
    retry_max_delay_secs: int | None = None
    execution_trace: TraceView | None = None
    debug_mode: bool
    continuation_of: str | None = None
    lineage_depth: int
    tags: dict[str, str] | None = None
    job_version_id: str | None = None
    created_by: str | None = None
    batch_id: str | None = None
    concurrency_key: str | None = None
    created_at: Moment
    payload_url: Annotated[
        str | None, Field(description="Reads a payload above 1 MiB, for an hour, in place of `payload`.")
    ] = None
    result_url: Annotated[str | None, Field(description="The same of a result.")] = None


class TriggeredRun(JobRunView):
    """A run as its trigger answers it."""

    payload_hash: Annotated[str | None, Field(description="SHA-256 of the payload's canonical JSON.")] = None
    run_token: Annotated[
        str, Field(description="What a program that works on this run reports with; never shown again.")
    ]
    idempotency_hit: Annotated[bool, Field(description="True: this run was there before the trigger.")]


class RehearsedRun(Shown):
    """What a trigger would come to; nothing was started."""

    job: JobView
    payload_hash: str
    payload: Any = None
    scheduled_at: Moment | None = None
    expires_at: Moment | None = None
    validation_warnings: list[str]


class MergedRun(Shown):
    """A trigger that was taken into a run that starts later, with others (`batched`) or in their place (`debounced`)."""

    debounced: Literal[True] | None = None
    batched: Literal[True] | None = None
    fire_at: Moment
    id: str
    job_id: str
    status: RunStatus
    payload_hash: str


class Fault(Shown):
    """Why one of many was refused."""

    code: str
    message: str
    details: list[dict[str, str]] | None = None


class BulkResult(Shown):
    """One trigger of many: its run, or `error`."""

    id: str | None = None
    status: RunStatus | None = None
    run_token: str | None = None
    idempotency_hit: bool | None = None
    debounced: Literal[True] | None = None
    batched: Literal[True] | None = None
    fire_at: Moment | None = None
    error: Fault | None = None


class BulkView(Shown):
    """What became of many triggers, in their order; `created` counts the new runs."""

    batch_id: str
    results: list[BulkResult]
    total: int
    created: int


class UploadView(Shown):
    """Where to put a large payload."""

    upload_url: Annotated[str, Field(description="Takes the payload by HTTP PUT until `expires_at`.")]
    payload_ref: Annotated[str, Field(description="What to trigger with in place of `payload`.")]
    expires_at: Moment


class ChangedRun(Shown):
    """What became of one run of many: its new status, or `error`. `id` is that of the run that a replay made."""

    run_id: str
    id: str | None = None
    status: RunStatus | None = None
    error: Fault | None = None


class CanceledRuns(Shown):
    """What became of many cancels, in their order."""

    results: list[ChangedRun]
    total: int
    canceled: int


class ReplayedRuns(Shown):
    """What became of many replays, in their order."""

    results: list[ChangedRun]
    total: int
    replayed: int


class BulkItem(Asked):
    """One trigger; null is the same as nothing said."""

    model_config = ConfigDict(strict=True)

    payload: Any = None
    tags: Tags | None = None
    metadata: Tags | None = None
    scheduled_at: Annotated[When | None, Field(description="When to start, at most a year ahead; at once if past.")] = (
        None
    )
    priority: Annotated[int, Field(ge=0, le=10, description="Of waiting runs the highest starts first.")] | None = None
    ttl_secs: Annotated[int, Field(ge=1, le=YEAR, description="Expires when it has not started by then.")] | None = None
    concurrency_key: Key | None = None
    debounce_key: Key | None = None
    batch_key: Key | None = None
    idempotency_key: Key | None = None
    max_attempts_override: Annotated[int, Field(ge=1, le=100)] | None = None
    timeout_secs_override: Annotated[int, Field(ge=1, le=86_400)] | None = None
    retry_backoff: Literal["exponential", "linear", "fixed"] | None = None
    retry_initial_delay_secs: Annotated[int, Field(ge=0, le=86_400)] | None = None
    retry_max_delay_secs: Annotated[int, Field(ge=0, le=86_400)] | None = None
    debug_mode: Annotated[bool, Field(description="Logs what is sent and answered, secrets masked.")] | None = None


class TriggerBody(BulkItem):
    """A trigger."""

    payload_ref: Annotated[Key | None, Field(description="An uploaded payload, in place of `payload`.")] = None
    dry_run: Annotated[bool, Field(description="Says what would come of it, and starts nothing.")] | None = None


def _by_itself(given: Any, read: ValidatorFunctionWrapHandler) -> BulkItem | Invalid:
    """An item, or its faults: they are its own answer and hold up no other."""
    try:
        item: BulkItem = read(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        return Invalid([Problem(fault["loc"] or ("item",), fault["msg"], fault["type"]) for fault in faults])
    return item


class BulkBody(Asked):
    """Many triggers of one job, each checked by itself."""

    model_config = ConfigDict(strict=True)

    items: Annotated[list[Annotated[BulkItem, WrapValidator(_by_itself)]], Field(min_length=1, max_length=MAX_BULK)]


class RescheduleBody(Asked):
    """Another time for a delayed run."""

    scheduled_at: When


class RunIdsBody(Asked):
    """Runs by id."""

    model_config = ConfigDict(strict=True)

    run_ids: Annotated[list[RunIdText], Field(min_length=1, max_length=MAX_IDS)]
