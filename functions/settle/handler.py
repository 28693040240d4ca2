"""Settles a step whose work on another service has ended: the park machine's last call."""

from typing import Any

from quintet.adapters.telemetry import faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> None:
    """Books what the work came to and wakes the run: {runId, path, token, ended}."""
    run_id, path, token = event["runId"], event["path"], int(event["token"])
    with faults_logged(run=run_id, path=path, token=token):
        services().settle_parked(run_id, path, token, event["ended"])
