"""Queries datasets for sql steps, tasks and people; apart from the engine, since DuckDB is large and queries are users' own."""

import os
import tempfile
from pathlib import Path
from typing import Any

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.s3 import S3Blobs

engine = SqlEngine(S3Blobs(os.environ["BLOBS_BUCKET"]), cache=Path(tempfile.gettempdir()) / "quintet-datasets")


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One request; see SqlEngine.run for what it may be."""
    return engine.run(event)
