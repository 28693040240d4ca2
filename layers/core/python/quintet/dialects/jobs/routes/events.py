"""Events that steps wait for."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import own_project
from quintet.dialects.jobs.workflow_models import EventIn, EventTold
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()


@routes.post("/v1/events", **documented.of("Publish an event", "Workflows", 403, 404, 413))
@needs("jobs:trigger")
def publish_event(body: Annotated[EventIn, Body()]) -> EventTold:
    """Completes every step of the project that waits for this event, with the payload as its output. It is not kept for steps that
    begin to wait later. After an error it may be published again: a step hears it once."""
    project = own_project(routes, body.project_id)
    delivered = routes.engine.publish_event(project, body.event_key, body.payload)
    return EventTold(event_key=body.event_key, delivered=delivered)
