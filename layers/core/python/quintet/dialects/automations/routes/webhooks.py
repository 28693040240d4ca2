"""Deliveries to webhook automations, signed as Standard Webhooks asks."""

from datetime import timedelta

from standardwebhooks import Webhook

from quintet.dialects.automations import documented
from quintet.dialects.automations.models import Delivered
from quintet.dialects.automations.triggers import secret_context
from quintet.dialects.automations.words import TriggerWord
from quintet.domain.errors import Conflict, NotFound, Unauthenticated
from quintet.domain.job import Job
from quintet.domain.run import Trigger
from quintet.services.ports.runs import Guard
from quintet.web.api import Routes
from quintet.web.bodies import BadBody, parse
from quintet.web.gate import PUBLIC, invalid, needs

routes = Routes()

REMEMBERED = timedelta(days=3)
"""How long a delivery's id stands for its run: longer than senders go on repeating it."""

_MAX_ID = 256


@routes.post(
    "/api/v1/webhooks/<path>",
    **documented.of(
        "Deliver Webhook",
        "Webhooks",
        *(404, 409, 413),
        success=202,
        said="Accepted",
        public=True,
        requestBody=documented.ANY_JSON,
    ),
)
@needs(PUBLIC)
def deliver(path: str) -> Delivered:
    """Starts a run with the delivery's JSON body as input; a repeated delivery answers with the run it started before.

    Signed with the automation's `whsec_` secret (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature); a timestamp more
    than five minutes away is refused.
    """
    engine, event = routes.engine, routes.event
    job = engine.jobs.by_hook(path)
    if job.trigger_type != TriggerWord.WEBHOOK:
        raise NotFound("no such webhook")
    raw = event.raw
    message_id = _verified(job, raw, event.lower_headers)
    if job.status != "active":
        raise Conflict("this automation is paused")
    try:
        given = parse(raw)
    except BadBody as bad:
        raise invalid("json_invalid", ("body",), f"JSON decode error: {bad.message}") from bad
    run = engine.trigger_run(
        job,
        input=given,
        trigger=Trigger("webhook", "webhook", message_id),
        guard=Guard(f"webhook#{job.id}#{message_id}", engine.clock.now() + REMEMBERED),
    )
    return Delivered(run_id=run.id)


def _verified(job: Job, raw: bytes, headers: dict[str, str]) -> str:
    """The delivery's id, when its signature holds. Raises Unauthenticated."""
    secret = routes.engine.vault.open(job.settings["webhook"]["secret"], secret_context(job.id))
    try:
        Webhook(secret).verify(raw, headers, json_parse=False)
        message_id = headers["webhook-id"]
    except Exception as error:  # the library lets a malformed header's own exception through
        raise Unauthenticated("Invalid webhook signature") from error
    if len(message_id) > _MAX_ID:
        raise Unauthenticated("Invalid webhook signature")
    return message_id
