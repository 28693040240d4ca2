"""The SQL engine over blobs in memory."""

from collections.abc import Callable
from typing import Any

import pytest

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.memory import MemoryBlobs


@pytest.fixture
def blobs() -> MemoryBlobs:
    """Empty blobs."""
    return MemoryBlobs()


@pytest.fixture
def ask(blobs: MemoryBlobs) -> Callable[..., dict[str, Any]]:
    """Runs a query."""
    engine = SqlEngine(blobs, memory_mb=256)
    return lambda sql, **event: engine.run({"sql": sql, **event})
