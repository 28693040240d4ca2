"""Wakes a run whose time has come, or whose fan-out is over; statemachines/park.asl.json and fanout.asl.json call it."""

from typing import Any

from quintet.adapters.telemetry import faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> None:
    """Makes the run active under a new epoch and starts a burst, unless one is active: {runId}."""
    with faults_logged(run=event["runId"], fanout=event.get("fanout")):
        services().wake_run(event["runId"])
