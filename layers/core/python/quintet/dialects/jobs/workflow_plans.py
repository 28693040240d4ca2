"""What workflows look like before they run: plans, graphs, rehearsals."""

from typing import Annotated, Any, Literal

from pydantic import Field

from quintet.dialects.jobs.shapes import Asked, Shown
from quintet.dialects.jobs.workflow_steps import MAX_STEPS


class DryRunBody(Asked):
    """Steps to look at in place of the workflow's own, and a payload to try conditions on."""

    steps: Annotated[list[Any] | None, Field(max_length=MAX_STEPS)] = None
    payload: Any = None


class FieldFault(Shown):
    """A fault and the field it is in."""

    field: str
    message: str


class RehearsedStep(Shown):
    """What would become of a step if no step failed."""

    step_ref: str
    step_type: str
    level: int
    depends_on: list[str]
    condition: str | None = None
    outcome: Literal["runs", "skipped", "unknown"]
    reason: str | None = None


class DryRunView(Shown):
    """What a run would come to; nothing was started. `order` is empty when the steps are not valid."""

    valid: bool
    errors: list[FieldFault]
    warnings: list[FieldFault]
    order: list[RehearsedStep]


class PlannedStep(Shown):
    """A step of a plan."""

    step_ref: str
    step_type: str
    name: str
    depends_on: list[str]
    condition: str | None = None
    on_failure: str


class PlanLevel(Shown):
    """Steps that may run at once, when those of the levels before have ended."""

    level: int
    steps: list[PlannedStep]


class PlanView(Shown):
    """The order in which a workflow's steps run."""

    workflow_id: str
    version: int
    levels: list[PlanLevel]
    total_steps: int


class GraphNode(Shown):
    """A step."""

    id: str
    step_type: str
    name: str
    level: int
    condition: str | None = None
    on_failure: str


class GraphEdge(Shown):
    """A dependency: `target` waits for `source`."""

    source: str
    target: str


class GraphView(Shown):
    """A workflow's steps and what depends on what."""

    workflow_id: str
    version: int
    nodes: list[GraphNode]
    edges: list[GraphEdge]
