"""What a program that works on a run may say of it, and is answered."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from quintet.dialects.jobs.models import YEAR, TagKey
from quintet.dialects.jobs.shapes import Asked, Shown


class CheckpointMade(Shown):
    """A checkpoint that was kept."""

    id: str


class PayloadView(Shown):
    """A run's payload."""

    payload: Any = None
    payload_url: Annotated[str | None, Field(description="Reads a payload above 1 MiB, for an hour.")] = None


class LogBody(Asked):
    """A line for the run's log."""

    model_config = ConfigDict(strict=True)

    message: Annotated[str, Field(max_length=65_536)]
    level: Literal["debug", "info", "warn", "error"] = "info"
    data: Any = None


class ProgressBody(Asked):
    """How far the work is."""

    model_config = ConfigDict(strict=True)

    percent: Annotated[float, Field(ge=0, le=100)]
    message: Annotated[str, Field(max_length=1024)] | None = None
    step: Annotated[str, Field(max_length=256)] | None = None
    eta_secs: Annotated[float, Field(ge=0, le=YEAR)] | None = None


class CheckpointBody(Asked):
    """A state to go on from."""

    model_config = ConfigDict(strict=True)

    source: Annotated[str, Field(min_length=1, max_length=256)]
    state: Any


class OutputBody(Asked):
    """A named value."""

    model_config = ConfigDict(strict=True)

    output_key: Annotated[str, Field(min_length=1, max_length=256)]
    value: Any


class CompleteBody(Asked):
    """The work is done."""

    result: Any = None


class ErrorBody(Asked):
    """Why the work failed."""

    model_config = ConfigDict(strict=True, populate_by_name=True)

    message: Annotated[str, Field(min_length=1, max_length=4096)]
    class_: Annotated[Annotated[str, Field(min_length=1, max_length=200)] | None, Field(alias="class")] = None


class FailBody(Asked):
    """The work failed; unless `retryable` is false, the job's policy decides whether it is tried again."""

    model_config = ConfigDict(strict=True)

    error: Annotated[str, Field(min_length=1, max_length=4096)] | ErrorBody
    retryable: bool = True


class SpawnBody(Asked):
    """A further run, of a job of the same project."""

    model_config = ConfigDict(strict=True)

    job_id: Annotated[str, Field(min_length=1, max_length=128)]
    payload: Any = None
    priority: Annotated[int, Field(ge=0, le=10)] | None = None


Annotation = str | int | float | bool | None
Annotations = Annotated[dict[TagKey, Annotation], Field(max_length=50)]
