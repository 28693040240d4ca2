"""Job groups."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME, ProjectId, own_project
from quintet.dialects.jobs.models import SwitchView
from quintet.dialects.jobs.models_admin import GroupIn, GroupPatch, GroupView, StatsView
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.dialects.jobs.routes.health import stats_of
from quintet.services.groups import group_label
from quintet.services.ports.groups import JobGroup
from quintet.web.api import Routes, no_content
from quintet.web.gate import needs

routes = Routes()
GroupId = Annotated[str, Path(min_length=1, max_length=128, pattern=NAME, description="The group's id.")]


def _view(group: JobGroup) -> GroupView:
    return GroupView(
        id=group.id,
        project_id=group.project,
        name=group.name,
        slug=group.slug,
        description=group.description,
        created_at=group.created_at,
        updated_at=group.updated_at,
    )


def _group(group_id: str, project_id: str | None) -> JobGroup:
    return routes.engine.groups.get(own_project(routes, project_id), group_id)


@routes.get(
    "/v1/job-groups", **documented.of("List job groups", "Job groups", 403, 404, content=documented.pages(GroupView))
)
@needs("jobs:read")
def list_job_groups(
    project_id: ProjectId = None, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists the project's job groups, newest first."""
    page = routes.engine.groups.page(own_project(routes, project_id), limit, cursor)
    return listing(routes.event, [_view(group) for group in page.groups], page.cursor, envelope=envelope)


@routes.post(
    "/v1/job-groups",
    **documented.of("Create a job group", "Job groups", *(403, 404, 409), success=201, said="Created"),
)
@needs("jobs:write")
def create_job_group(body: Annotated[GroupIn, Body()]) -> GroupView:
    """Makes a group; jobs join it by their `group_id`."""
    project = own_project(routes, body.project_id)
    return _view(routes.engine.groups.create(project, body.name, slug=body.slug, description=body.description))


@routes.get("/v1/job-groups/<group_id>", **documented.of("Get a job group", "Job groups", 403, 404))
@needs("jobs:read")
def get_job_group(group_id: GroupId, project_id: ProjectId = None) -> GroupView:
    """Reads a group."""
    return _view(_group(group_id, project_id))


@routes.patch("/v1/job-groups/<group_id>", **documented.of("Update a job group", "Job groups", 403, 404, 409))
@needs("jobs:write")
def update_job_group(group_id: GroupId, body: Annotated[GroupPatch, Body()], project_id: ProjectId = None) -> GroupView:
    """Changes what the body names."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    return _view(routes.engine.groups.update(own_project(routes, project_id), group_id, changes))


@routes.delete(
    "/v1/job-groups/<group_id>",
    **documented.of("Delete a job group", "Job groups", 403, 404, 409, success=204, said="Deleted"),
)
@needs("jobs:write")
def delete_job_group(group_id: GroupId, project_id: ProjectId = None) -> Response[str]:
    """Deletes a group without jobs."""
    routes.engine.groups.delete(own_project(routes, project_id), group_id)
    return no_content()


@routes.post(
    "/v1/job-groups/<group_id>/pause-all", **documented.of("Pause a group's jobs", "Job groups", 403, 404, 409)
)
@needs("jobs:write")
def pause_job_group(group_id: GroupId, project_id: ProjectId = None) -> SwitchView:
    """Disables the group's jobs: no new runs, nor at scheduled moments; those under way go on."""
    return _switch(group_id, project_id, "disabled")


@routes.post(
    "/v1/job-groups/<group_id>/resume-all", **documented.of("Resume a group's jobs", "Job groups", 403, 404, 409)
)
@needs("jobs:write")
def resume_job_group(group_id: GroupId, project_id: ProjectId = None) -> SwitchView:
    """Enables the group's jobs."""
    return _switch(group_id, project_id, "active")


@routes.get("/v1/job-groups/<group_id>/stats", **documented.of("Get a group's statistics", "Job groups", 403, 404))
@needs("runs:read")
def get_job_group_stats(group_id: GroupId, project_id: ProjectId = None) -> StatsView:
    """Counts the runs of the group's jobs by status, since each joined the group."""
    group = _group(group_id, project_id)
    return stats_of(group.project, group.id)


def _switch(group_id: str, project_id: str | None, status: str) -> SwitchView:
    group = _group(group_id, project_id)
    by = routes.caller.name
    return SwitchView(updated=routes.engine.switch_jobs(group.project, status, label=group_label(group.id), by=by))
