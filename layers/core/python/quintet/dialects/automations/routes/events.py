"""A run's live events: a long poll that ends as soon as there is something to say."""

from datetime import datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from quintet.dialects.automations import documented
from quintet.dialects.automations.routes.runs import RunId
from quintet.dialects.automations.stream import RETRY, SETTLE, Cursor, Weaver, cursor, settled
from quintet.dialects.automations.views import attempt_number
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.web.api import Routes, no_content
from quintet.web.gate import invalid, needs

routes = Routes()

POLL_SECONDS = 25.0
SPARE_SECONDS = 3.0
"""What is left of an invocation's time to answer in."""
BATCH = 500
PAUSES = (0.2, 1.0)
"""How soon the journal is looked at again, first and at most (seconds)."""
STREAMED = "x-quintet-stream"
"""Set by a front door that keeps the client's connection and asks again by itself: it wants an answer at once."""

_NOTHING = ": nothing new\n\n"


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
    place = _place(last_event_id, resume_from)
    poll = _Poll(routes.engine.reading.run(routes.caller.project, str(run_id)), place)
    if place.ended:
        return no_content()
    text = poll.now() if STREAMED in routes.event.lower_headers else poll.wait()
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return Response(200, "text/event-stream; charset=utf-8", text, headers=headers)


def _place(header: str | None, query: str | None) -> Cursor:
    """EventSource repeats the first request's query with its newer header, so the header wins."""
    for text, loc in ((header, ("header", "Last-Event-ID")), (query, ("query", "lastEventId"))):
        if text:
            if (found := cursor(text)) is None:
                raise invalid("value_error", loc, "Input should be the id of an event of this stream")
            return found
    return Cursor()


class _Poll:
    """One request for what is new."""

    def __init__(self, run: Run, place: Cursor) -> None:
        self._engine = routes.engine
        self._run = run
        self._state: RunState | None = None
        self._weaver = Weaver(run.id, place, self._attempt)

    def now(self) -> str:
        """What is new at this moment."""
        text = self._news()
        return RETRY + text if text else _NOTHING

    def wait(self) -> str:
        """What is new as soon as anything is; a heartbeat when nothing came for POLL_SECONDS."""
        clock = self._engine.clock
        seconds = max(0.0, min(POLL_SECONDS, routes.remaining_seconds - SPARE_SECONDS))
        start, pause = clock.now(), PAUSES[0]
        while not (text := self._news()):
            if (clock.now() - start).total_seconds() + pause > seconds:
                return RETRY + self._weaver.heartbeat(self._run.status, clock.now())
            clock.sleep(pause)
            pause = min(pause * 2, PAUSES[1])
        return RETRY + text

    def _news(self) -> str:
        self._state = None
        place = self._weaver.cursor
        now = self._engine.clock.now()
        events = self._engine.reading.events(self._run.id, place.number, BATCH)
        logs = self._engine.logs.read(self._run.id, place.log, BATCH)
        ready = settled(logs, now)
        text, all_said = self._weaver.weave(events, ready)
        if all_said and len(events) < BATCH and len(ready) == len(logs) < BATCH:
            text += self._ending(now)
        return text

    def _ending(self, now: datetime) -> str:
        """The end of the stream, once everything before it has been said; log lines written beside the last event have SETTLE to come."""
        if not self._run.status.terminal:
            self._run = self._engine.reading.run(self._run.project, self._run.id)
        ended_at = self._run.ended_at
        if not self._run.status.terminal or ended_at is None or now - ended_at < SETTLE:
            return ""
        if self._engine.reading.events(self._run.id, self._weaver.cursor.number, 1):
            return ""
        return self._weaver.end(self._run.status, ended_at)

    def _attempt(self, path: str) -> int:
        """A settled step has no further attempts, so that the present state still knows the one that an event is of."""
        if self._state is None:
            _, self._state = self._engine.reading.state(self._run.project, self._run.id)
        step = self._state.steps.get(path)
        return (attempt_number(step) if step else 0) or 1
