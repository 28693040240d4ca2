"""Once a minute: what is due."""

from typing import Any

from quintet.adapters.telemetry import count, faults_logged
from quintet.bootstrap import services


def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Fires the schedules that are due and answers how many."""
    with faults_logged(function="tick"):
        found = services().tick()
    count("tick", {"SchedulesFired": found.get("fired", 0)})
    return found
