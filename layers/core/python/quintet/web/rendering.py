"""Writes answers as exact JSON: times to the millisecond in UTC, no NaN, every string encodable."""

import json
import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainSerializer, WithJsonSchema


def moment(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2019-08-24T14:15:22.000Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


Moment = Annotated[
    datetime,
    PlainSerializer(moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def to_json(value: Any) -> str:
    """Compact JSON text of plain data."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    except ValueError:  # a result computed outside JSON's numbers: shown as null rather than refused
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair has no UTF-8: keep it as its escape
        text = json.dumps(json.loads(text), separators=(",", ":"))
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
