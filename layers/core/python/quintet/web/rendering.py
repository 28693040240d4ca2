"""Writes answers as exact JSON: times to the millisecond in UTC, no NaN, every string encodable."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainSerializer, WithJsonSchema

from quintet.domain.jsontext import compact, finite


def moment(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2019-08-24T14:15:22.000Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


Moment = Annotated[
    datetime,
    PlainSerializer(moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


ANSWER_BYTES = 6_200_000
"""Of an answer's body as it leaves a function: a JSON string, with quotes and what is no ASCII escaped. Lambda hands on 6 MiB in all."""
_WIDEST = 12  # bytes that one character takes there


def too_large(body: str) -> bool:
    """Tells whether a body is more than a function may answer."""
    return len(body) * _WIDEST > ANSWER_BYTES and len(json.dumps(body)) > ANSWER_BYTES


def to_json(value: Any) -> str:
    """Compact JSON text of plain data; Decimals are numbers, digit by digit."""
    try:
        return compact(value, str)
    except ValueError:  # a result computed outside JSON's numbers: shown as null rather than refused
        return compact(finite(value), str)
