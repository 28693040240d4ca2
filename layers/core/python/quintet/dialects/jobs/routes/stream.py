"""A run's live events: a long poll that ends as soon as there is something to say."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.routes.runs import RunId, known
from quintet.dialects.jobs.stream import JobWords
from quintet.web import stream
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()


@routes.get(
    "/v1/runs/<run_id>/stream",
    **documented.of(
        "Stream a run",
        "Runs",
        403,
        404,
        said="Server-sent events",
        content=documented.EVENT_STREAM,
        also={204: {"description": "The stream had ended before"}},
    ),
)
@needs("runs:read")
def stream_run(
    run_id: RunId,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description="Where to go on.")] = None,
    resume_from: Annotated[str | None, Query(alias="lastEventId", description="The same, for a first request.")] = None,
) -> Response[str]:
    """Streams a run's events (server-sent events): the whole history first, then what happens, until `event: end`.

    With the id of the last event received, the stream goes on after it, with nothing lost and nothing twice; after `end`, 204.
    """
    found = known(run_id)
    return stream.answer(routes, found, JobWords(found), last_event_id, resume_from)
