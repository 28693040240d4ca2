"""The health function."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

HANDLER = Path(__file__).resolve().parents[3] / "functions" / "health" / "handler.py"


def ask(method: str, path: str) -> dict[str, Any]:
    """What the function answers."""
    spec = importlib.util.spec_from_file_location("health_handler", HANDLER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    event = {"rawPath": path, "requestContext": {"requestId": "request-1", "http": {"method": method}}}
    answer: dict[str, Any] = module.handler(event, None)
    assert answer["headers"]["x-request-id"] == "request-1"
    return {**answer, "body": json.loads(answer["body"])}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "status"),
    [("/health", "ok"), ("/health/", "ok"), ("/api/health", "ok"), ("/health/ready", "ready")],
)
def test_it_is_there(method: str, path: str, status: str) -> None:
    """Below the ETL API's base, too, and whoever asks."""
    answer = ask(method, path)
    assert (answer["statusCode"], answer["body"]) == (200, {"status": status})
    assert answer["headers"]["cache-control"] == "no-store"


@pytest.mark.parametrize(("method", "tail", "status"), [("POST", "", 405), ("GET", "/nothing", 404)])
def test_what_it_refuses_it_says_in_the_apis_words(method: str, tail: str, status: int) -> None:
    """Below /api the ETL API's error body; 405 says what is allowed."""
    plain, etl = ask(method, f"/health{tail}"), ask(method, f"/api/health{tail}")
    assert plain["statusCode"] == etl["statusCode"] == status
    assert plain["headers"].get("allow") == etl["headers"].get("allow") == ("GET, HEAD" if status == 405 else None)
    assert set(plain["body"]) == {"detail"}
    assert etl["body"] == {"error": plain["body"]["detail"], "code": status, "timestamp": etl["body"]["timestamp"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", etl["body"]["timestamp"])
