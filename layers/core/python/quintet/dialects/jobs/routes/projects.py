"""Projects: what jobs, runs and keys belong to."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME
from quintet.dialects.jobs.models_admin import ProjectIn, ProjectPatch, ProjectView
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.services.ports.projects import Project
from quintet.web.api import Routes, no_content
from quintet.web.gate import needs

routes = Routes()
Id = Annotated[str, Path(min_length=1, max_length=128, pattern=NAME, description="The project's id.")]


def _view(project: Project) -> ProjectView:
    return ProjectView(
        id=project.id,
        name=project.name,
        slug=project.slug,
        description=project.description,
        created_at=project.created_at,
        updated_at=project.updated_at,
    )


@routes.get("/v1/projects", **documented.of("List projects", "Projects", 403, content=documented.pages(ProjectView)))
@needs("projects:read")
def list_projects(limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False) -> Response[str]:
    """Lists the projects that were made with keys of the caller's project, newest first, and that project itself at the end."""
    page = routes.engine.projects.page(routes.caller.key, limit, cursor)
    return listing(routes.event, [_view(project) for project in page.projects], page.cursor, envelope=envelope)


@routes.post("/v1/projects", **documented.of("Create a project", "Projects", 403, 409, success=201, said="Created"))
@needs("projects:write")
def create_project(body: Annotated[ProjectIn, Body()]) -> ProjectView:
    """Makes a project; an admin key then makes keys for it."""
    return _view(routes.engine.projects.create(routes.caller.key, body.name, body.slug, body.description))


@routes.get("/v1/projects/<project_id>", **documented.of("Get a project", "Projects", 403, 404))
@needs("projects:read")
def get_project(project_id: Id) -> ProjectView:
    """Reads a project."""
    return _view(routes.engine.projects.get(routes.caller.key, project_id))


@routes.patch("/v1/projects/<project_id>", **documented.of("Update a project", "Projects", 403, 404, 409))
@needs("projects:write")
def update_project(project_id: Id, body: Annotated[ProjectPatch, Body()]) -> ProjectView:
    """Changes what the body names."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    return _view(routes.engine.projects.update(routes.caller.key, project_id, changes))


@routes.delete(
    "/v1/projects/<project_id>",
    **documented.of("Delete a project", "Projects", 403, 404, 409, success=204, said="Deleted"),
)
@needs("projects:write")
def delete_project(project_id: Id) -> Response[str]:
    """Deletes a project that has neither jobs nor keys that work."""
    routes.engine.projects.delete(routes.caller.key, project_id)
    return no_content()
