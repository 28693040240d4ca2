"""Says that the API is up: standard library only, so that nothing else can make it fail."""

import json
from typing import Any

_ANSWERS = {"/health": {"status": "ok"}, "/health/ready": {"status": "ready"}}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """GET /health and GET /health/ready."""
    request = event.get("requestContext", {})
    answer = _ANSWERS.get(str(event.get("rawPath", "")).rstrip("/"))
    method = request.get("http", {}).get("method", "GET")
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if request.get("requestId"):
        headers["x-request-id"] = str(request["requestId"])
    if answer is None:
        return _answer(404, {"detail": "Not Found"}, headers)
    if method not in ("GET", "HEAD"):
        return _answer(405, {"detail": "Method Not Allowed"}, {**headers, "allow": "GET, HEAD"})
    return _answer(200, answer, headers)


def _answer(status: int, body: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
