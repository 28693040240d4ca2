"""Once a minute: what was lost. The local cloud calls it at its start too, with {"leases": "lapsed"}."""

from typing import Any

from quintet.adapters.telemetry import count, faults_logged
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Takes up runs whose driver was lost and webhooks whose message was, and answers how many: {leases?: "lapsed"}."""
    made = services()
    try:
        with faults_logged(function="sweep"):
            found = made.sweep(leases_lapsed=event.get("leases") == "lapsed")
    finally:  # runs that can't be swept must not keep webhooks from it
        with faults_logged(function="sweep", part="webhooks"):
            sent = made.webhooks.sweep(made.clock.now())
    count("sweep", {"RunsTakenUp": found.get("taken", 0), "WebhooksSentAgain": sent})
    return {**found, "webhooks": sent}
