"""Queries datasets for sql steps; apart from the engine, since DuckDB is large and queries are users' own."""

import os
from typing import Any

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.s3 import S3Blobs

engine = SqlEngine(S3Blobs(os.environ["BLOBS_BUCKET"]))


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One query: {sql, inputs, output, limit, timeout}; see SqlEngine.run for the answer."""
    return engine.run(event)
