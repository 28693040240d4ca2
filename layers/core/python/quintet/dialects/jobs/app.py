"""The Jobs v1 API, put together."""

from collections.abc import Callable, Mapping
from typing import Any

from quintet.dialects.jobs.errors import REQUEST, JobErrors
from quintet.dialects.jobs.routes import (
    api_keys,
    dependencies,
    events,
    health,
    job_batches,
    job_groups,
    jobs,
    projects,
    run_changes,
    run_parts,
    runs,
    sdk,
    stream,
    trigger,
    webhooks,
    workflow_runs,
    workflows,
)
from quintet.web.api import Api, Routes, request_id
from quintet.web.engine import Engine

GROUPS: tuple[Routes, ...] = (
    job_batches.routes,
    jobs.routes,
    trigger.routes,
    runs.routes,
    run_changes.routes,
    run_parts.routes,
    stream.routes,
    sdk.routes,
    workflows.routes,
    workflow_runs.routes,
    events.routes,
    dependencies.routes,
    health.routes,
    job_groups.routes,
    projects.routes,
    api_keys.routes,
    webhooks.routes,
)
"""The route groups; where two rules match a path, the one that comes first is asked."""


class JobsApi(Api):
    """The API; its error bodies repeat the request's id."""

    def answer(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda answer to an HTTP API event."""
        token = REQUEST.set(request_id(event, context))
        try:
            return super().answer(event, context)
        finally:
            REQUEST.reset(token)


def build(engine: Callable[[], Engine]) -> Api:
    """The API over an engine that is made on the first request."""
    return JobsApi(engine, JobErrors(), GROUPS)
