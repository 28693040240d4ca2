"""What a job and its versions look like on the wire: what authors may write, and what is shown."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from quintet.dialects.jobs.shapes import Asked, Shown
from quintet.dialects.jobs.workflow_steps import MAX_STEPS, StepIn
from quintet.web.rendering import Moment

DAY = 86_400
YEAR = 365 * DAY
MAX_CONCURRENCY = 1000
MAX_RATE = 1_000_000

Name = Annotated[str, Field(min_length=1, max_length=255)]
Slug = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-z0-9_-]+$")]
Description = Annotated[str, Field(max_length=4096)]
Url = Annotated[str, Field(min_length=1, max_length=2048)]
Cron = Annotated[str, Field(min_length=1, max_length=256)]
# A key is told from its value by the first `=` where both make one label.
TagKey = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^=]*$")]
TagValue = Annotated[str, Field(max_length=256)]
Tags = Annotated[dict[TagKey, TagValue], Field(max_length=20)]
Slots = Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)]
Count = Annotated[int, Field(ge=1, le=MAX_RATE)]
Window = Annotated[int, Field(ge=1, le=31 * DAY)]
Delay = Annotated[float, Field(ge=0, le=DAY), AfterValidator(lambda given: int(given) if given.is_integer() else given)]
Id = Annotated[str, Field(min_length=1, max_length=128)]

Strategy = Literal["exponential", "linear", "fixed", "custom"]
Policy = Literal["pin", "latest", "minor"]
Schema = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "boolean"}], "title": "JSON Schema"})]
"""A JSON Schema, 2020-12; judged as one when the job is written."""


class RateLimitKey(Asked):
    """Runs counted apart for each value found at `name`: a dotted path into the payload, else a tag."""

    model_config = ConfigDict(strict=True)

    name: Annotated[str, Field(min_length=1, max_length=128)]
    max: Count
    window_secs: Window


class JobFields(Asked):
    """What an author may say of a job; null is the same as nothing said."""

    model_config = ConfigDict(strict=True)

    name: Name | None = None
    slug: Annotated[Slug | None, Field(description="Unique in the project; made from the name unless given.")] = None
    description: Description | None = None
    group_id: Id | None = None
    cron: Annotated[Cron | None, Field(description="Five fields: minute, hour, day, month, weekday.")] = None
    timezone: Annotated[
        Annotated[str, Field(min_length=1, max_length=64)] | None,
        Field(description="IANA zone of `cron` and `execution_window_cron`; UTC unless given."),
    ] = None
    execution_window_cron: Annotated[Cron | None, Field(description="Runs begin only in minutes that match.")] = None
    payload_schema: Annotated[Schema | None, Field(description="JSON Schema 2020-12 of the payload.")] = None
    result_schema: Annotated[Schema | None, Field(description="JSON Schema 2020-12 of the endpoint's answer.")] = None
    tags: Tags | None = None
    endpoint_url: Annotated[
        Url | None, Field(description="Called with the payload; required unless there are `tasks`.")
    ] = None
    fallback_endpoint_url: Url | None = None
    environment_id: Annotated[
        Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9._:/@-]+$")] | None,
        Field(description="Sent to the endpoint as X-Environment-ID."),
    ] = None
    max_attempts: Annotated[Annotated[int, Field(ge=1, le=100)] | None, Field(description="3 unless given.")] = None
    timeout_secs: Annotated[
        Annotated[int, Field(ge=1, le=YEAR)] | None,
        Field(
            description="Of one attempt, at most a day: 300 unless given. With `tasks`, of the whole run: a day unless given."
        ),
    ] = None
    retry_strategy: Annotated[Strategy | None, Field(description="exponential unless given.")] = None
    retry_delays_secs: Annotated[
        Annotated[list[Delay], Field(min_length=1, max_length=100)] | None,
        Field(description="The rests of strategy custom, the last one repeated."),
    ] = None
    max_concurrency: Slots | None = None
    max_concurrency_per_key: Slots | None = None
    rate_limit_max: Count | None = None
    rate_limit_window_secs: Window | None = None
    rate_limit_keys: Annotated[list[RateLimitKey], Field(max_length=10)] | None = None
    default_run_metadata: Tags | None = None
    dedup_window_secs: Window | None = None
    debounce_window_secs: Annotated[int, Field(ge=1, le=DAY)] | None = None
    batch_window_secs: Annotated[int, Field(ge=1, le=DAY)] | None = None
    batch_max_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    skip_if_running: bool | None = None
    run_ttl_secs: Annotated[int, Field(ge=1, le=YEAR)] | None = None
    enabled: Annotated[bool | None, Field(description="true unless given.")] = None
    webhook_url: Annotated[Url | None, Field(description="Told of every run's end.")] = None
    webhook_secret: Annotated[
        Annotated[str, Field(min_length=8, max_length=512)] | None,
        Field(description="Signs what is sent to endpoint_url and webhook_url; never shown again."),
    ] = None
    version_policy: Annotated[Policy | None, Field(description="pin unless given.")] = None
    backwards_compatible: bool | None = None
    tasks: Annotated[
        Annotated[list[StepIn], Field(min_length=1, max_length=MAX_STEPS)] | None,
        Field(description="A DAG of steps, as those of a workflow, instead of one endpoint."),
    ] = None


class JobIn(JobFields):
    """A new job."""

    name: Name
    project_id: Annotated[Id | None, Field(description="The key's own project.")] = None


class JobPatch(JobFields):
    """Changes to a job: what is named changes, null clears it."""


class CloneIn(Asked):
    """How the copy is called."""

    model_config = ConfigDict(strict=True)

    name: Name | None = None
    slug: Slug | None = None


class SwitchIn(Asked):
    """Which jobs to enable or disable: by id, or all that carry a tag."""

    model_config = ConfigDict(strict=True)

    ids: Annotated[list[Id], Field(max_length=50)] | None = None
    job_ids: Annotated[list[Id], Field(max_length=50)] | None = None
    project_id: Id | None = None
    tag_key: TagKey | None = None
    tag_value: TagValue | None = None


class RateLimitKeyView(Shown):
    """A rate limit by a value of the payload."""

    name: str
    max: int
    window_secs: int


class JobView(Shown):
    """A job. `webhook_secret` is never shown; lists leave `tasks` and `result_schema` out."""

    id: str
    project_id: str
    group_id: str | None = None
    name: str
    slug: str
    description: str | None = None
    cron: str | None = None
    payload_schema: Schema | None = None
    tags: dict[str, str] | None = None
    endpoint_url: Annotated[str, Field(description="Empty for a job of tasks.")]
    fallback_endpoint_url: str | None = None
    max_attempts: int
    timeout_secs: int
    max_concurrency: int | None = None
    execution_window_cron: str | None = None
    timezone: str | None = None
    rate_limit_max: int | None = None
    rate_limit_window_secs: int | None = None
    max_concurrency_per_key: int | None = None
    rate_limit_keys: list[RateLimitKeyView] | None = None
    default_run_metadata: dict[str, str] | None = None
    dedup_window_secs: int | None = None
    enabled: bool
    webhook_url: str | None = None
    run_ttl_secs: int | None = None
    retry_strategy: str | None = None
    retry_delays_secs: list[int | float] | None = None
    environment_id: str | None = None
    version: int
    version_id: str
    version_policy: str
    backwards_compatible: bool | None = None
    created_by: str | None = None
    updated_by: str | None = None
    created_at: Moment
    updated_at: Moment
    result_schema: Schema | None = None
    skip_if_running: bool | None = None
    debounce_window_secs: int | None = None
    batch_window_secs: int | None = None
    batch_max_size: int | None = None
    tasks: list[dict[str, Any]] | None = None


class JobVersionView(Shown):
    """An immutable version of a job."""

    id: str
    job_id: str
    version: int
    name: str
    slug: str
    description: str | None = None
    cron: str | None = None
    payload_schema: Schema | None = None
    tags: dict[str, str] | None = None
    endpoint_url: str
    fallback_endpoint_url: str | None = None
    max_attempts: int
    timeout_secs: int
    webhook_url: str | None = None
    run_ttl_secs: int | None = None
    created_at: Moment


class BatchError(Shown):
    """A job of a batch that was not created."""

    index: int
    message: str


class BatchView(Shown):
    """What became of a batch."""

    created: list[JobView]
    errors: list[BatchError]


class SwitchView(Shown):
    """How many jobs changed."""

    updated: int
