"""One engine of expressions for these tests."""

from typing import Any

import pytest

from quintet.adapters.jsonata import JsonataExpressions


@pytest.fixture(scope="session")
def expressions() -> JsonataExpressions:
    """JSONata."""
    return JsonataExpressions()


@pytest.fixture
def scope() -> dict[str, Any]:
    """What an expression inside a run sees."""
    return {
        "input": {"n": 2, "big": 2**60, "none": None, "items": [{"p": 1}, {"p": 2}, {"p": 3}], "text": "a" * 64},
        "steps": {"load": {"rows": [3, 1, 2]}, "two-words": 7},
        "run": {"id": "r1"},
    }
