"""A run's live events: a long poll that ends as soon as there is something to say."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from quintet.dialects.automations import documented
from quintet.dialects.automations.routes.runs import RunId
from quintet.dialects.automations.stream import AutomationWords
from quintet.web import stream
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()


@routes.get(
    "/api/v1/automation-runs/<run_id>/events",
    **documented.of(
        "Stream Run Events",
        "Runs",
        403,
        404,
        said="Server-sent events; 204 after the end",
        content=documented.EVENT_STREAM,
    ),
)
@needs("runs:read")
def stream_events(
    run_id: RunId,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description="Where to go on.")] = None,
    resume_from: Annotated[str | None, Query(alias="lastEventId", description="The same, for a first request.")] = None,
) -> Response[str]:
    """Streams a run's events (server-sent events): the whole history first, then what happens, until `event: end`.

    With the id of the last event received, the stream goes on after it, with nothing lost and nothing twice; after `end`, 204.
    """
    return stream.answer(routes, str(run_id), AutomationWords(str(run_id)), last_event_id, resume_from)
