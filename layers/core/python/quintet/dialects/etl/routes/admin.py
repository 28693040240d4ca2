"""What only administrators do: giving up zombies."""

from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import FiniteFloat

from quintet.dialects.etl import documented
from quintet.dialects.etl.models_executions import ZombiesView
from quintet.dialects.etl.places import facts
from quintet.dialects.etl.words import TASK
from quintet.web.api import Routes
from quintet.web.gate import needs

routes = Routes()
_LONGEST = 24 * 366 * 100
"""Hours: nothing has been running for longer than a hundred years."""

TimeoutHours = Annotated[
    FiniteFloat,
    Query(alias="timeoutHours", gt=0, description="How long a task may be running, in hours."),
]


@routes.post("/webrobot/api/projects/admin/tasks/mark-zombies", **documented.of("Mark zombie tasks as FAILED", "Admin"))
@needs("admin")
def mark_zombies(timeout_hours: TimeoutHours = 24) -> ZombiesView:
    """Gives up the tasks that have been RUNNING for longer than that: they become FAILED, and what works on them is stopped."""
    engine, tenant = routes.engine, routes.caller.project
    marked = engine.zombies.mark(tenant, timedelta(hours=min(timeout_hours, _LONGEST)))
    known = (facts(job) for job in engine.jobs.get_many(tenant, [run.job_id for run in marked]))
    numbers = sorted(int(one["number"]) for one in known if one.get("kind") == TASK)
    return ZombiesView(
        marked_count=len(numbers),
        marked_task_ids=numbers,
        timeout_hours=int(timeout_hours) if float(timeout_hours).is_integer() else timeout_hours,
        message=f"Marked {len(numbers)} zombie task(s) as FAILED",
    )
