"""The wire shapes of webhook deliveries."""

from quintet.dialects.jobs.shapes import Shown
from quintet.domain.delivery import DeliveryState
from quintet.web.rendering import Moment


class DeliveryAttemptView(Shown):
    """One attempt: the endpoint's status, or the class and message of what kept it from answering."""

    at: Moment
    status_code: int | None = None
    error: str | None = None
    duration_ms: int


class DeliveryView(Shown):
    """A completion webhook's delivery; `attempts` are the last 20, oldest first."""

    id: str
    project_id: str
    job_id: str
    run_id: str
    url: str
    state: DeliveryState
    attempts: list[DeliveryAttemptView]
    next_attempt_at: Moment | None = None
    created_at: Moment
    updated_at: Moment
