"""Automations: define, read, change, delete, run, and their versions."""

from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from quintet.dialects.automations import authoring, documented
from quintet.dialects.automations.models import (
    AutomationPage,
    AutomationView,
    AutomationWithSecret,
    ChangeBody,
    CreateBody,
    RunBody,
    RunView,
    VersionPage,
    VersionView,
)
from quintet.dialects.automations.routes.runs import shown
from quintet.dialects.automations.views import DIALECT, automation_brief, automation_view, version_brief, version_view
from quintet.dialects.automations.words import AutomationWord
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.job import Job
from quintet.domain.run import Trigger
from quintet.services.asks import Ask
from quintet.web.api import Routes, no_content
from quintet.web.gate import needs
from quintet.web.paging import Limit, Offset

routes = Routes()
AutomationId = Annotated[UUID, Path(description="The automation's id.")]
VersionNumber = Annotated[int, Path(ge=1, description="The version's number, from 1.")]


def _view(job: Job) -> AutomationView:
    return automation_view(job, routes.version(job.id, job.version))


def _with_secret(job: Job, secret: str | None) -> AutomationWithSecret:
    return AutomationWithSecret(**_view(job).model_dump(), webhook_secret=secret)


def _own(automation_id: UUID) -> Job:
    """The automation, if it came through this API: only here its definition can be changed. Raises NotFound, Conflict."""
    job = routes.engine.jobs.get(routes.caller.project, str(automation_id))
    if job.dialect != DIALECT:
        raise Conflict(f"this job is defined through the {job.dialect} API")
    return job


@routes.get("/api/v1/automations", **documented.of("List Automations", "Automations", 403))
@needs("jobs:read")
def list_automations(
    status: Annotated[AutomationWord | None, Query(description="Only automations of this status.")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> AutomationPage:
    """Lists the automations of the caller's project, newest first."""
    jobs, project = routes.engine.jobs, routes.caller.project
    total = jobs.count(project, DIALECT, status)
    page = jobs.page(project, DIALECT, status, limit, offset) if offset < total else []
    return AutomationPage(items=[automation_brief(job) for job in page], total=total)


@routes.post(
    "/api/v1/automations",
    **documented.of("Create Automation", "Automations", 403, 409, 413, success=201, said="Created"),
)
@needs("jobs:write")
def create_automation(body: Annotated[CreateBody, Body()]) -> AutomationWithSecret:
    """Defines an automation. The answer shows a webhook's secret, this once."""
    job, secret = authoring.create(routes.engine, routes.caller.project, body, _written())
    return _with_secret(job, secret)


@routes.get("/api/v1/automations/<automation_id>", **documented.of("Get Automation", "Automations", 403, 404))
@needs("jobs:read")
def get_automation(automation_id: AutomationId) -> AutomationView:
    """Reads an automation with its current definition."""
    return _view(routes.engine.jobs.get(routes.caller.project, str(automation_id)))


@routes.patch(
    "/api/v1/automations/<automation_id>",
    **documented.of("Change Automation", "Automations", 403, 404, 409, 413),
)
@needs("jobs:write")
def change_automation(automation_id: AutomationId, body: Annotated[ChangeBody, Body()]) -> AutomationWithSecret:
    """Changes what the body names; another definition becomes a new version. Running runs keep theirs."""
    job, secret = authoring.change(routes.engine, _own(automation_id), body, _written())
    return _with_secret(job, secret)


@routes.delete(
    "/api/v1/automations/<automation_id>",
    **documented.of("Delete Automation", "Automations", 403, 404, 409, success=204, said="Deleted"),
)
@needs("jobs:write")
def delete_automation(automation_id: AutomationId) -> Response[str]:
    """Deletes an automation; its runs stay readable."""
    job = _own(automation_id)
    routes.engine.delete_job(job.project, job.id)
    return no_content()


@routes.post(
    "/api/v1/automations/<automation_id>/run",
    **documented.of("Run Automation", "Automations", 403, 404, 409, 413, success=201, said="Created"),
)
@needs("jobs:trigger")
def run_automation(automation_id: AutomationId, body: Annotated[RunBody | None, Body()] = None) -> RunView:
    """Starts a run. With a concurrencyKey at most one run of that key is active at a time; the next waits."""
    engine, key = routes.engine, routes.caller.key
    job = engine.jobs.get(routes.caller.project, str(automation_id))
    if job.status != AutomationWord.ACTIVE:
        raise Conflict("this automation is paused")
    asked = body or RunBody()
    source = ("user", key.owner) if key.owner else ("api", key.id)
    trigger = Trigger("manual", *source)
    if job.dialect != DIALECT:  # its own API's terms hold, whoever starts it
        return shown(
            engine.submit(job, Ask(input=asked.input, trigger=trigger, concurrency_key=asked.concurrency_key)).run
        )
    return shown(engine.trigger_run(job, input=asked.input, trigger=trigger, concurrency_key=asked.concurrency_key))


@routes.get("/api/v1/automations/<automation_id>/versions", **documented.of("List Versions", "Automations", 403, 404))
@needs("jobs:read")
def list_versions(automation_id: AutomationId, limit: Limit = 100, offset: Offset = 0) -> VersionPage:
    """Lists an automation's versions, newest first."""
    jobs = routes.engine.jobs
    job = jobs.get(routes.caller.project, str(automation_id))
    page = jobs.versions(job.id, limit, offset) if offset < job.version else []
    return VersionPage(items=[version_brief(version) for version in page], total=job.version)


@routes.get(
    "/api/v1/automations/<automation_id>/versions/<version_number>",
    **documented.of("Get Version", "Automations", 403, 404),
)
@needs("jobs:read")
def get_version(automation_id: AutomationId, version_number: VersionNumber) -> VersionView:
    """Reads one version with its definition."""
    job = routes.engine.jobs.get(routes.caller.project, str(automation_id))
    if version_number > job.version:
        raise NotFound("no such version")
    return version_view(routes.version(job.id, version_number))


def _written() -> Any:
    """The definition as its author wrote it, None when the request has none."""
    return routes.event.json_body.get("config")
