"""Dependencies between jobs."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME, JobId, ProjectId, any_job_at
from quintet.dialects.jobs.models_admin import DependencyIn, DependencyView
from quintet.dialects.jobs.paging import Envelope, listing
from quintet.domain.dependency import JobDependency
from quintet.web.api import Routes, no_content
from quintet.web.gate import needs

routes = Routes()
DependencyId = Annotated[str, Path(min_length=1, max_length=128, pattern=NAME, description="The dependency's id.")]


def _view(edge: JobDependency) -> DependencyView:
    return DependencyView(
        id=edge.id,
        job_id=edge.job_id,
        depends_on_job_id=edge.depends_on_job_id,
        condition=edge.condition.value,
        created_at=edge.created_at,
    )


@routes.get(
    "/v1/jobs/<job_id>/dependencies",
    **documented.of("List job dependencies", "Jobs", 403, 404, content=documented.pages(DependencyView)),
)
@needs("jobs:read")
def list_job_dependencies(job_id: JobId, project_id: ProjectId = None, envelope: Envelope = False) -> Response[str]:
    """Lists what a job depends on, oldest first; there are at most 50, so all in one page."""
    job = any_job_at(routes, job_id, project_id)
    edges = routes.engine.dependencies.of(job.project, job.id)
    return listing(routes.event, [_view(edge) for edge in edges], None, envelope=envelope)


@routes.post(
    "/v1/jobs/<job_id>/dependencies",
    **documented.of("Create a job dependency", "Jobs", *(403, 404, 409, 429), success=201, said="Created"),
)
@needs("jobs:write")
def create_job_dependency(
    job_id: JobId, body: Annotated[DependencyIn, Body()], project_id: ProjectId = None
) -> DependencyView:
    """Has a job follow another one: when a run of that ends as the condition asks, this one is triggered."""
    job = any_job_at(routes, job_id, project_id)
    return _view(routes.engine.dependencies.add(job.project, job.id, body.depends_on_job_id, body.condition))


@routes.delete(
    "/v1/jobs/<job_id>/dependencies/<dependency_id>",
    **documented.of("Delete a job dependency", "Jobs", 403, 404, success=204, said="Deleted, or not there"),
)
@needs("jobs:write")
def delete_job_dependency(job_id: JobId, dependency_id: DependencyId, project_id: ProjectId = None) -> Response[str]:
    """Takes a dependency back."""
    job = any_job_at(routes, job_id, project_id)
    routes.engine.dependencies.remove(job.project, job.id, dependency_id)
    return no_content()
