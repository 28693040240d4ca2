"""Wakes a run whose time has come, or whose fan-out is over: called by the queue Wakes, and by the machines park and fanout."""

from typing import Any

from quintet.adapters.batch import each_message
from quintet.adapters.telemetry import faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any] | None:
    """Makes a run active under a new epoch and starts a burst, unless one is active: {runId}, or messages of that."""
    if "Records" in event:
        return each_message(event, _wake)
    with faults_logged(run=event["runId"], fanout=event.get("fanout")):
        _wake(event)
    return None


def _wake(call: dict[str, Any]) -> None:
    services().wake_run(call["runId"])
