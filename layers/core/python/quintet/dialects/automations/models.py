"""The wire shapes of the Automations API: camelCase, every documented field always present."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from quintet.dialects.automations.words import (
    AutomationWord,
    Orchestrator,
    RunWord,
    SourceWord,
    StepWord,
    TriggerWord,
)
from quintet.web.rendering import Moment


class Shown(BaseModel):
    """A shape in answers."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True, frozen=True)


class Asked(BaseModel):
    """A shape in requests that this product defines: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", defer_build=True, allow_inf_nan=False)


class RunView(Shown):
    """A run of an automation."""

    automation_id: str
    automation_version_id: str | None
    completed_at: Moment | None
    concurrency_key: str | None
    created_at: Moment
    duration_seconds: float | None
    error: dict[str, Any] | None
    external_job_id: str | None
    id: str
    orchestrator_type: Orchestrator
    started_at: Moment | None
    status: RunWord
    tenant_id: str
    trigger_source_id: str | None
    trigger_source_type: SourceWord | None
    trigger_type: TriggerWord
    updated_at: Moment
    version_number: int | None


class RunPage(Shown):
    """Some runs, newest first, and how many there are."""

    items: list[RunView]
    total: int


class StepView(Shown):
    """A step of a run."""

    action_run_id: str | None
    completed_at: Moment | None
    decision_id: str | None
    depends_on: list[str]
    duration_seconds: float | None
    error: dict[str, Any] | None
    key: str
    name: str
    result: Any
    result_truncated: bool
    started_at: Moment | None
    status: StepWord


class StepsView(Shown):
    """A run's steps in the order they were written, and how many stand where."""

    automation_run_id: str
    completed_count: int
    failed_count: int
    pending_count: int
    running_count: int
    steps: list[StepView]


class ReasonView(Shown):
    """One thing that a run waits for; `step` and `until` are null when there is none."""

    reason: str
    step: str | None
    since: Moment | None
    until: Moment | None
    detail: str


class WaitingView(Shown):
    """Why a run waits."""

    waiting: bool
    reasons: list[ReasonView]


class ResultView(Shown):
    """What a run produced: the results of the steps that no other step depends on."""

    status: RunWord
    outputs: dict[str, Any]
    truncated: list[str] = Field(description="The keys of outputs that were cut; the cut value links to the whole.")


class RetryBody(BaseModel):
    """How to retry; as documented, unknown fields are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, defer_build=True)

    mode: Literal["from_failed", "from_step", "full"] = "from_failed"
    step_key: str | None = None


class AnswerBody(Asked):
    """An approver's answer."""

    comment: Annotated[str, Field(max_length=4000)] | None = None
    fields: dict[str, Any] | None = None


class RetryIn(Asked):
    """A step's retry policy."""

    max_attempts: int = 1
    strategy: Literal["fixed", "exponential", "linear", "custom"] = "exponential"
    initial_delay_seconds: float = 1.0
    max_delay_seconds: float | None = None
    delays_seconds: list[float] = Field(default_factory=list, max_length=100)
    jitter: float = 0.0


class StepIn(Asked):
    """A step of a definition; `config` depends on the kind."""

    key: str
    kind: str
    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    depends_on: list[str] = Field(default_factory=list)
    when: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    retry: RetryIn | None = None
    timeout_seconds: float | None = None
    on_failure: Literal["fail", "skip_dependants", "continue"] = "fail"


class ScheduleIn(Asked):
    """When a scheduled automation runs."""

    cron: Annotated[str, Field(min_length=1, max_length=200)]
    timezone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"


class WebhookIn(Asked):
    """Where a webhook automation listens; the path defaults to the automation's id."""

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$")] | None = None


class ConfigIn(Asked):
    """What an automation does."""

    steps: list[StepIn]
    input: Any = None
    timeout_seconds: float | None = None
    schedule: ScheduleIn | None = None
    webhook: WebhookIn | None = None


Name = Annotated[str, Field(min_length=1, max_length=255)]
Description = Annotated[str, Field(max_length=4000)]


class CreateBody(Asked):
    """A new automation."""

    name: Name
    config: ConfigIn
    description: Description | None = None
    orchestrator_type: Orchestrator = Orchestrator.DAG
    trigger_type: TriggerWord = TriggerWord.MANUAL


class ChangeBody(Asked):
    """What to change of an automation; what is not named stays, so the defaults here are never used."""

    name: Name = Field(default_factory=str)
    config: ConfigIn = Field(default_factory=lambda: ConfigIn(steps=[]))
    description: Description | None = None
    orchestrator_type: Orchestrator = Field(default_factory=lambda: Orchestrator.DAG)
    trigger_type: TriggerWord = Field(default_factory=lambda: TriggerWord.MANUAL)
    status: AutomationWord = Field(default_factory=lambda: AutomationWord.ACTIVE)
    rotate_webhook_secret: bool = False


class RunBody(Asked):
    """How to run an automation."""

    input: Any = None
    concurrency_key: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class AutomationBrief(Shown):
    """An automation in a list: everything but its definition."""

    created_at: Moment
    description: str | None
    id: str
    name: str
    next_run_at: Moment | None
    orchestrator_type: Orchestrator
    status: AutomationWord
    tenant_id: str
    trigger_type: TriggerWord
    updated_at: Moment
    version_id: str
    version_number: int
    webhook_path: str | None


class AutomationView(AutomationBrief):
    """An automation: a named, versioned definition of steps."""

    config: dict[str, Any]


class AutomationWithSecret(AutomationView):
    """An automation, with its webhook secret in the one answer that shows it."""

    webhook_secret: str | None


class AutomationPage(Shown):
    """Some automations, newest first, and how many there are."""

    items: list[AutomationBrief]
    total: int


class VersionBrief(Shown):
    """One immutable version of an automation in a list: everything but its definition."""

    automation_id: str
    created_at: Moment
    id: str
    orchestrator_type: Orchestrator
    version_number: int


class VersionView(VersionBrief):
    """One immutable version of an automation."""

    config: dict[str, Any]


class VersionPage(Shown):
    """Some versions, newest first, and how many there are."""

    items: list[VersionBrief]
    total: int


class Delivered(Shown):
    """The run that a webhook delivery started, or had started when it came before."""

    run_id: str
