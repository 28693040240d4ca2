"""Delivers completion webhooks; the queue Deliveries calls it, up to ten messages at a time."""

from typing import Any

from quintet.adapters.batch import each_message
from quintet.bootstrap import services


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Makes an attempt for each message {delivery, attempt}, side by side, and answers which are to come again."""
    return each_message(event, _deliver, at_once=10)


def _deliver(message: dict[str, Any]) -> None:
    services().webhooks.deliver(message["delivery"], int(message["attempt"]))
