"""The health function."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

HANDLER = Path(__file__).parents[3] / "functions" / "health" / "handler.py"


@pytest.fixture(scope="module")
def health() -> Any:
    """The function's module, loaded from its file as Lambda does."""
    spec = importlib.util.spec_from_file_location("health_handler", HANDLER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(health: Any, path: str, method: str = "GET") -> tuple[int, Any, dict[str, str]]:
    """The answer's status, body and headers."""
    event = {"rawPath": path, "requestContext": {"requestId": "r", "http": {"method": method, "path": path}}}
    answer = health.handler(event, None)
    return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


def test_health_and_readiness(health: Any) -> None:
    """Both answer 200 and are not cached."""
    status, body, headers = ask(health, "/health")
    assert (status, body, headers["cache-control"]) == (200, {"status": "ok"}, "no-store")
    assert ask(health, "/health/ready")[:2] == (200, {"status": "ready"})
    assert headers["x-request-id"] == "r"


def test_other_paths_and_methods(health: Any) -> None:
    """404 and 405 in shape."""
    assert ask(health, "/healthy")[:2] == (404, {"detail": "Not Found"})
    status, body, headers = ask(health, "/health", "POST")
    assert (status, body, headers["allow"]) == (405, {"detail": "Method Not Allowed"}, "GET, HEAD")


def test_it_needs_the_standard_library_only(health: Any) -> None:
    """Nothing of a layer can break it."""
    source = HANDLER.read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)
