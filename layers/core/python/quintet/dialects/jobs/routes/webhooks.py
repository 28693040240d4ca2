"""Deliveries of completion webhooks: list, read, replay."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME, ProjectId, own_project
from quintet.dialects.jobs.models_webhooks import DeliveryAttemptView, DeliveryView
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.domain.delivery import Delivery, DeliveryState
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()
DeliveryId = Annotated[
    str, Path(min_length=1, max_length=128, pattern=NAME, description="The delivery's id, which is its `webhook-id`.")
]
OfJob = Annotated[str | None, Query(max_length=128, description="Only deliveries of this job's runs, by its id.")]
OfRun = Annotated[str | None, Query(max_length=64, description="Only the delivery of this run.")]
InState = Annotated[DeliveryState | None, Query(description="Only deliveries of this state.")]


def view(delivery: Delivery) -> DeliveryView:
    """A delivery as every route answers it."""
    attempts = [
        DeliveryAttemptView(at=one.at, status_code=one.status, error=one.error, duration_ms=one.duration_ms)
        for one in delivery.attempts
    ]
    return DeliveryView(
        id=delivery.id,
        project_id=delivery.project,
        job_id=delivery.job_id,
        run_id=delivery.run_id,
        url=delivery.url,
        state=delivery.state,
        attempts=attempts,
        next_attempt_at=delivery.next_at,
        created_at=delivery.created_at,
        updated_at=delivery.updated_at,
    )


@routes.get(
    "/v1/webhook-deliveries",
    **documented.of("List webhook deliveries", "Webhooks", 403, 404, content=documented.pages(DeliveryView)),
)
@needs("runs:read")
def list_webhook_deliveries(
    project_id: ProjectId = None,
    job_id: OfJob = None,
    run_id: OfRun = None,
    state: InState = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
    envelope: Envelope = False,
) -> Response[str]:
    """Lists the project's deliveries of the last 30 days, newest first."""
    project = own_project(routes, project_id)
    page = routes.engine.webhooks.page(project, job_id, limit, cursor, run_id=run_id, state=state)
    return listing(routes.event, [view(one) for one in page.deliveries], page.cursor, envelope=envelope)


@routes.get("/v1/webhook-deliveries/<delivery_id>", **documented.of("Get a webhook delivery", "Webhooks", 403, 404))
@needs("runs:read")
def get_webhook_delivery(delivery_id: DeliveryId) -> DeliveryView:
    """Reads one delivery with its last 20 attempts."""
    return view(routes.engine.webhooks.get(routes.caller.project, delivery_id))


@routes.post(
    "/v1/webhook-deliveries/<delivery_id>/replay",
    **documented.of("Replay a webhook delivery", "Webhooks", 403, 404, success=202, said="An attempt is on its way"),
)
@needs("runs:write")
def replay_webhook_delivery(delivery_id: DeliveryId) -> DeliveryView:
    """Has a delivery made anew, at once and with a day of attempts, whether it has ended or not."""
    return view(routes.engine.webhooks.replay(routes.caller.project, delivery_id))
