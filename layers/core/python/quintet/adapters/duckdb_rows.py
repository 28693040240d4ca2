"""JSON rows on their way into DuckDB and out of it."""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

MAX_CELL = 2000
"""Characters of a text in a preview."""


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows as JSON lines."""
    with path.open("w") as lines:
        for row in rows:
            lines.write(json.dumps(row, separators=(",", ":")))
            lines.write("\n")


def preview_value(value: Any, type_: str) -> Any:
    """A cell of a preview: as `json_value`, JSON columns parsed, long texts cut."""
    if type_ == "JSON" and isinstance(value, str):
        return json.loads(value) if len(value) <= MAX_CELL else value[:MAX_CELL] + "..."
    plain = json_value(value)
    return plain[:MAX_CELL] + "..." if isinstance(plain, str) and len(plain) > MAX_CELL else plain


def json_value(value: Any) -> Any:
    """A value as DuckDB gives it, as JSON: exact numbers stay numbers, what JSON has no type for is text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [json_value(inner) for inner in value]
    if isinstance(value, dict):
        return {_key(key): json_value(inner) for key, inner in value.items()}
    return _key(value)


def _key(value: Any) -> str:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():g}S"
    return format(value, "f") if isinstance(value, Decimal) else str(value)
