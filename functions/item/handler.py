"""One slice of one item of a fanned-out map; the children of statemachines/fanout.asl.json call it."""

from datetime import datetime
from typing import Any

from quintet.adapters.telemetry import faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Advances an item's body: {runId, path, token, index, item, slice, retry, startedAt} → {next, seconds, slice}."""
    names = {"run": event["runId"], "path": event["path"], "index": event["index"]}
    invocation = f"{context.aws_request_id}#{event['retry']}"
    with faults_logged(**names):
        answer = services().advance_item(
            event["runId"],
            event["path"],
            int(event["token"]),
            int(event["index"]),
            event["item"],
            int(event["slice"]),
            int(event["retry"]),
            invocation,
            datetime.fromisoformat(event["startedAt"]) if "startedAt" in event else None,
        )
    return {"next": answer.next, "seconds": answer.seconds, "slice": answer.slice}
