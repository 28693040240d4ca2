"""When projects start by themselves."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.etl import documented
from quintet.dialects.etl.asking import desk_of
from quintet.dialects.etl.finding import ProjectNumber
from quintet.dialects.etl.models_work import ScheduleIn, ScheduleView
from quintet.dialects.etl.projects import ProjectAuthor
from quintet.dialects.etl.views import schedule_view
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
_SHOWN = documented.model(ScheduleView)


@routes.get(
    "/webrobot/api/projects/id/<project_id>/schedule",
    **documented.of("Get a project's schedule", "Projects", 404, content=_SHOWN),
)
@needs("jobs:read")
def get_schedule(project_id: ProjectNumber) -> Response[str]:
    """Reads when a project's jobs are started."""
    return json_response(200, schedule_view(desk_of(routes).places.project(project_id)).shown())


@routes.put(
    "/webrobot/api/projects/id/<project_id>/schedule",
    **documented.of("Set a project's schedule", "Projects", 404, 413, content=_SHOWN),
)
@needs("jobs:write")
def set_schedule(project_id: ProjectNumber, body: Annotated[ScheduleIn, Body()]) -> Response[str]:
    """Has a project's enabled jobs (or only the one that `jobId` names) started by cron. Changes what the body names; null clears."""
    desk = desk_of(routes)
    project = ProjectAuthor(desk).reschedule(desk.places.project(project_id), body)
    return json_response(200, schedule_view(project).shown())
