"""One long step by itself; invoked asynchronously, and never repeated by Lambda."""

from typing import Any

from quintet.adapters.telemetry import faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> None:
    """Does one attempt of a step, settles it in the journal and wakes the run: {runId, path, token}."""
    run_id, path, token = event["runId"], event["path"], int(event["token"])
    with faults_logged(run=run_id, path=path, token=token):
        services().carry(run_id, path, token)
