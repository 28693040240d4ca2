"""One slice of a burst; statemachines/burst.asl.json calls it and goes on as it answers."""

from datetime import datetime
from typing import Any

from quintet.adapters.telemetry import faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Advances a run until nothing is ready or the burst is old: {runId, epoch, slice, attempt, startedAt} → {next, seconds, slice}."""
    run_id, retry = event["runId"], int(event["attempt"])
    began = datetime.fromisoformat(event["startedAt"]) if "startedAt" in event else None
    invocation = f"{context.aws_request_id}#{retry}"
    with faults_logged(run=run_id, epoch=event["epoch"], slice=event["slice"], retry=retry):
        answer = services().advance(run_id, int(event["epoch"]), int(event["slice"]), retry, invocation, began)
    return {"next": answer.next, "seconds": answer.seconds, "slice": answer.slice}
