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
    """Runs the query of a step."""
    engine = SqlEngine(blobs, memory_mb=256)
    return lambda sql, **event: engine.run({"sql": sql, **event})


class Datasets:
    """Datasets by name, and the engine that is asked for them."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self.blobs = blobs
        self.engine = SqlEngine(blobs, memory_mb=256)
        self.tables: dict[str, dict[str, Any]] = {}

    def file(self, table: str, format_: str, body: bytes | str) -> dict[str, Any]:
        """A dataset of a file as it came; what is found in it."""
        blob = f"datasets/{table}"
        self.blobs.put(blob, body.encode() if isinstance(body, str) else body)
        told = self.engine.run({"mode": "describe", "format": format_, "parts": [blob]})
        if told["ok"]:
            self.tables[table] = {
                "format": format_,
                "parts": [blob],
                "columns": told["columns"],
                "rowCount": told["rowCount"],
            }
        return told

    def make(self, table: str, sql: str, format_: str = "parquet", **event: Any) -> dict[str, Any]:
        """A dataset of a query's answer; what the engine says of it."""
        blob = f"datasets/{table}"
        asked = {"tables": self.tables, "into": blob, "format": format_, **event}
        told = self.engine.run({"mode": "make", "sql": sql, **asked})
        if told["ok"]:
            kept = {"columns": told["columns"], "rowCount": told["rowCount"]}
            self.tables[table] = {"format": format_, "parts": [blob], **kept}
        return told

    def ask(self, sql: str, limit: int = 100, **event: Any) -> dict[str, Any]:
        """The answer to a query over all of them."""
        return self.engine.run({"mode": "query", "sql": sql, "tables": self.tables, "limit": limit, **event})

    def rows(self, sql: str, limit: int = 100, **event: Any) -> list[list[Any]]:
        """The rows of an answer."""
        answer = self.ask(sql, limit, **event)
        assert answer["ok"], answer
        rows: list[list[Any]] = answer["rows"]
        return rows

    def fault(self, sql: str, limit: int = 100, **event: Any) -> tuple[str, str]:
        """The type and message of a refusal."""
        answer = self.ask(sql, limit, **event)
        assert not answer["ok"], answer
        return answer["error"]["type"], answer["error"]["message"]


@pytest.fixture(scope="session")
def thousand() -> tuple[bytes, dict[str, Any]]:
    """The file of the dataset `t`, and how a query names it."""
    made = Datasets(MemoryBlobs())
    told = made.make("t", "SELECT range AS a, 'n' || range AS b, (range / 4)::DECIMAL(10, 2) AS d FROM range(1000)")
    assert told["ok"], told
    return made.blobs.get("datasets/t"), made.tables["t"]


@pytest.fixture
def datasets(blobs: MemoryBlobs, thousand: tuple[bytes, dict[str, Any]]) -> Datasets:
    """The dataset `t` of 1,000 rows: a (0, 1, ...), b (texts), d (decimals)."""
    made = Datasets(blobs)
    body, made.tables["t"] = thousand
    blobs.put("datasets/t", body)
    return made
