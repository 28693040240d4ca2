"""Serves the WebRobot ETL API."""

from typing import Any

from quintet.bootstrap import services
from quintet.dialects.etl.app import build

api = build(services)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One HTTP request."""
    return api.answer(event, context)
