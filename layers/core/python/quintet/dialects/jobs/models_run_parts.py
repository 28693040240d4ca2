"""What is in a run, on the wire: steps, attempts, events, log lines, outputs, checkpoints."""

from typing import Annotated, Any

from pydantic import Field

from quintet.dialects.jobs.models_runs import TraceView
from quintet.dialects.jobs.shapes import Shown
from quintet.domain.status import StepStatus
from quintet.web.rendering import Moment


class EventView(Shown):
    """One fact of a run's journal."""

    id: str
    run_id: str
    type: str
    step_ref: str | None = None
    data: dict[str, Any]
    created_at: Moment


class LogView(Shown):
    """One line of a run's log."""

    id: str
    run_id: str
    step_ref: str | None = None
    level: str
    message: str
    data: Annotated[Any, Field(description="What the program gave beside the message.")] = None
    created_at: Moment


class AttemptView(Shown):
    """One attempt of one step."""

    run_id: str
    step_ref: str
    attempt: int
    status: StepStatus
    started_at: Moment
    finished_at: Moment | None = None
    error: str | None = None
    next_retry_at: Moment | None = None
    execution_trace: TraceView | None = None


class StepRunView(Shown):
    """A step of a run."""

    id: str
    run_id: str
    step_ref: str
    name: str
    kind: str
    status: StepStatus
    attempt: int
    depends_on: list[str]
    started_at: Moment | None = None
    finished_at: Moment | None = None
    output: Any = None
    output_url: Annotated[str | None, Field(description="Reads an output above 64 KiB, for an hour.")] = None
    error: str | None = None
    skip_reason: str | None = None
    waiting_for: str | None = None
    next_retry_at: Moment | None = None
    child_run_id: str | None = None
    progress: dict[str, Any] | None = None
    execution_trace: TraceView | None = None


class OutputView(Shown):
    """A named value that the run's program put out."""

    id: str
    run_id: str
    output_key: str
    value: Any = None
    value_url: Annotated[str | None, Field(description="Reads a value above 64 KiB, for an hour.")] = None
    created_at: Moment


class CheckpointView(Shown):
    """A state that the run's program may go on from."""

    id: str
    run_id: str
    source: str
    state: Any = None
    state_url: Annotated[str | None, Field(description="Reads a state above 64 KiB, for an hour.")] = None
    created_at: Moment
