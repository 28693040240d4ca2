"""Once a minute: what was lost. The local cloud calls it at its start too, with {"leases": "lapsed"}."""

from typing import Any

from quintet.adapters.telemetry import count, faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Takes up runs whose driver was lost and answers how many: {leases?: "lapsed"}."""
    with faults_logged(function="sweep"):
        found = services().sweep(leases_lapsed=event.get("leases") == "lapsed")
    count("sweep", {"RunsTakenUp": found.get("taken", 0)})
    return found
