"""Says that the API is up: standard library only, so that nothing else can make it fail."""

import json
from datetime import UTC, datetime
from typing import Any

_ANSWERS = {"/health": {"status": "ok"}, "/api/health": {"status": "ok"}, "/health/ready": {"status": "ready"}}
_ETL = "/api/"
"""Below the ETL API's base, errors have that API's body."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """GET /health, /api/health and /health/ready."""
    request = event.get("requestContext", {})
    path = str(event.get("rawPath", "")).rstrip("/")
    answer = _ANSWERS.get(path)
    method = request.get("http", {}).get("method", "GET")
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if request.get("requestId"):
        headers["x-request-id"] = str(request["requestId"])
    if answer is None:
        return _answer(404, _refusal(path, 404, "Not Found"), headers)
    if method not in ("GET", "HEAD"):
        return _answer(405, _refusal(path, 405, "Method Not Allowed"), {**headers, "allow": "GET, HEAD"})
    return _answer(200, answer, headers)


def _refusal(path: str, status: int, message: str) -> dict[str, Any]:
    if not path.startswith(_ETL):
        return {"detail": message}
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"error": message, "code": status, "timestamp": now}


def _answer(status: int, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
