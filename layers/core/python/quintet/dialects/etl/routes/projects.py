"""Projects: create, read, change, delete; by number and by name."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from quintet.dialects.etl import documented
from quintet.dialects.etl.asking import desk_of, runs_of
from quintet.dialects.etl.finding import ProjectNumber
from quintet.dialects.etl.members import MAX_MEMBERS, list_of
from quintet.dialects.etl.models_work import ProjectIn, ProjectPatch, ProjectView
from quintet.dialects.etl.paging import Page, PageSize, listing
from quintet.dialects.etl.places import leaving, number_of
from quintet.dialects.etl.projects import ProjectAuthor
from quintet.dialects.etl.removal import Removal
from quintet.dialects.etl.views import project_view
from quintet.dialects.etl.words import PROJECT
from quintet.domain.job import Job
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
ProjectName = Annotated[str, Path(description="The project's name.")]
_SHOWN = documented.model(ProjectView)


def _answer(project: Job, status: int = 200) -> Response[str]:
    return json_response(status, project_view(project).shown())


def _delete(number: int) -> Response[str]:
    desk = desk_of(routes)
    Removal(desk, runs_of(routes, desk)).project(number)
    return json_response(200, {})


@routes.get("/webrobot/api/projects", **documented.listed("List projects", "Projects", ProjectView))
@needs("jobs:read")
def list_projects(page: Page = 0, page_size: PageSize = MAX_MEMBERS) -> Response[str]:
    """Lists the projects, the oldest first."""
    jobs, total = desk_of(routes).members.page(list_of(PROJECT), page_size, page * page_size)
    return listing([project_view(job) for job in jobs if not leaving(job)], total)


@routes.post(
    "/webrobot/api/projects",
    **documented.of("Create a project", "Projects", 409, 413, success=201, said="Created", content=_SHOWN),
)
@needs("jobs:write")
def create_project(body: Annotated[ProjectIn, Body()]) -> Response[str]:
    """Creates a project; its name is unique."""
    return _answer(ProjectAuthor(desk_of(routes)).create(body), 201)


@routes.get("/webrobot/api/projects/id/<project_id>", **documented.of("Get a project", "Projects", 404, content=_SHOWN))
@needs("jobs:read")
def get_project(project_id: ProjectNumber) -> Response[str]:
    """Reads a project."""
    return _answer(desk_of(routes).places.project(project_id))


@routes.put(
    "/webrobot/api/projects/id/<project_id>",
    **documented.of("Change a project", "Projects", 404, 409, 413, content=_SHOWN),
)
@needs("jobs:write")
def change_project(project_id: ProjectNumber, body: Annotated[ProjectPatch, Body()]) -> Response[str]:
    """Changes what the body names; null clears."""
    desk = desk_of(routes)
    return _answer(ProjectAuthor(desk).change(desk.places.project(project_id), body))


@routes.delete(
    "/webrobot/api/projects/id/<project_id>",
    **documented.of("Delete a project", "Projects", 404, 409, 429, content=documented.NOTHING),
)
@needs("jobs:write")
def delete_project(project_id: ProjectNumber) -> Response[str]:
    """Deletes a project with its jobs and tasks, none of which may be running. Runs stay, and datasets that hold rows."""
    return _delete(project_id)


@routes.get("/webrobot/api/projects/<name>", **documented.of("Get a project by name", "Projects", 404, content=_SHOWN))
@needs("jobs:read")
def get_named_project(name: ProjectName) -> Response[str]:
    """Reads a project by its name."""
    return _answer(ProjectAuthor(desk_of(routes)).named(name))


@routes.put(
    "/webrobot/api/projects/<name>",
    **documented.of("Change a project by name", "Projects", 404, 409, 413, content=_SHOWN),
)
@needs("jobs:write")
def change_named_project(name: ProjectName, body: Annotated[ProjectPatch, Body()]) -> Response[str]:
    """Changes what the body names; null clears."""
    projects = ProjectAuthor(desk_of(routes))
    return _answer(projects.change(projects.named(name), body))


@routes.delete(
    "/webrobot/api/projects/<name>",
    **documented.of("Delete a project by name", "Projects", 404, 409, 429, content=documented.NOTHING),
)
@needs("jobs:write")
def delete_named_project(name: ProjectName) -> Response[str]:
    """Deletes a project with its jobs and tasks, none of which may be running."""
    return _delete(number_of(ProjectAuthor(desk_of(routes)).named(name)))
