"""A run's steps, and the answers of approvers."""

from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from quintet.dialects.automations import documented
from quintet.dialects.automations.models import AnswerBody, RunView, StepsView
from quintet.dialects.automations.results import Results
from quintet.dialects.automations.routes.runs import RunId, shown
from quintet.dialects.automations.views import in_order, steps_view
from quintet.domain.graph import MAX_STEPS
from quintet.web.api import Routes
from quintet.web.gate import invalid, needs
from quintet.web.paging import Offset
from quintet.web.rendering import to_json

routes = Routes()
Key = Annotated[str, Path(description="The step's key; inside loops and maps its path, e.g. poll[3].fetch.")]
_ANSWERS = (403, 404, 409)
REJECTED_BYTES = 64 * 1024
"""An approval's fields are a result, and results may be large; an error lies in the journal, whose events are of bounded size."""


@routes.get("/api/v1/automation-runs/<run_id>/steps", **documented.of("Get Run Steps", "Steps", 403, 404))
@needs("runs:read")
def get_steps(
    run_id: RunId,
    nested: Annotated[
        bool, Query(description="Also the steps inside loops and maps, with their paths as keys.")
    ] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_STEPS, description="How many steps to answer at most.")] = MAX_STEPS,
    offset: Offset = 0,
) -> StepsView:
    """Lists a run's steps in the order they were written; the counts are of the steps at the root."""
    run, state = routes.engine.reading.state(routes.caller.project, str(run_id))
    page = in_order(state, nested=nested)[offset : offset + limit]
    results = Results(routes.engine.payloads)
    return steps_view(run.id, state, page, lambda step: results.show(step.result))


@routes.post(
    "/api/v1/automation-runs/<run_id>/steps/<key>/approve", **documented.of("Approve Step", "Steps", *_ANSWERS)
)
@needs("runs:write")
def approve_step(run_id: RunId, key: Key, body: Annotated[AnswerBody | None, Body()] = None) -> RunView:
    """Approves a waiting gate; its run goes on. 409 when the step isn't waiting for an answer."""
    return _answer(run_id, key, body, approved=True)


@routes.post("/api/v1/automation-runs/<run_id>/steps/<key>/reject", **documented.of("Reject Step", "Steps", *_ANSWERS))
@needs("runs:write")
def reject_step(run_id: RunId, key: Key, body: Annotated[AnswerBody | None, Body()] = None) -> RunView:
    """Rejects a waiting gate: its step fails. 409 when the step isn't waiting for an answer."""
    if body is not None and body.fields is not None and (size := len(to_json(body.fields).encode())) > REJECTED_BYTES:
        message = f"A rejection's fields are part of the step's error: at most {REJECTED_BYTES} bytes, not {size}"
        raise invalid("too_long", ("body", "fields"), message)
    return _answer(run_id, key, body, approved=False)


def _answer(run_id: RunId, key: str, body: AnswerBody | None, *, approved: bool) -> RunView:
    said = body or AnswerBody()
    caller = routes.caller
    run = routes.engine.answer_step(
        caller.project,
        str(run_id),
        unquote(key),  # a gateway may leave the brackets of a path encoded; a key itself never has a percent sign
        approved=approved,
        by=caller.name,
        comment=said.comment,
        fields=said.fields,
    )
    return shown(run)
