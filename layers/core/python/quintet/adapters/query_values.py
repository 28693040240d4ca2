"""What query engines answer, as the values that the port Queries promises, whichever engine it was."""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from quintet.adapters.duckdb_types import INTEGERS, MOMENTS, SqlType

_MOMENT = re.compile(r"(\d{4,}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\s?(UTC|Z|[+-]\d\d(?::?\d\d)?))?")
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d+))?([+-]\d\d(?::?\d\d)?)?")
_UNUSUAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


ANSWER_BYTES = 5 * 1024 * 1024
"""What the rows of an answer may weigh. A function's answer may have 6 MB."""


def weight(told: Any) -> int:
    """What JSON takes of an API function's answer, which holds it as a text: its quotes and all beyond ASCII are escaped there."""
    return len(json.dumps(json.dumps(told, separators=(",", ":"), default=str)))


def too_large() -> str:
    """The message for an answer of more than ANSWER_BYTES."""
    return f"the answer is larger than {ANSWER_BYTES} bytes: ask for fewer rows (limit) or columns"


def value(raw: Any, type_: SqlType) -> Any:
    """A value as JSON, with Decimals. `raw` is what an engine said: JSON or text. Moments are ISO 8601 with 0, 3, 6 or 9 digits of a
    second, those with a zone in UTC; floating point that JSON lacks is NaN, Infinity or -Infinity; JSON columns are the JSON they hold."""
    if raw is None:
        return None
    if type_.inner:
        return _nested(raw, type_)
    reads = _READS.get(type_.name)
    return raw if reads is None else reads(raw)


def moment(text: str) -> str:
    """A time of day or a moment in ISO 8601; text that is none (infinity, years before Christ) as it is."""
    if found := _MOMENT.fullmatch(text):
        day, time, fraction, zone = found.groups()
        return f"{day}T{time}{_fraction(fraction)}{_zone(zone)}"
    if found := _TIME.fullmatch(text):
        time, fraction, zone = found.groups()
        return f"{time}{_fraction(fraction)}{_zone(zone)}"
    return text


def _fraction(digits: str | None) -> str:
    kept = (digits or "").rstrip("0")
    return f".{kept.ljust(-(-len(kept) // 3) * 3, '0')}" if kept else ""


def _zone(zone: str | None) -> str:
    if zone is None:
        return ""
    if zone in {"UTC", "Z"}:
        return "+00:00"
    hours, minutes = zone[:3], zone[3:].lstrip(":") or "00"
    return f"{hours}:{minutes}"


def _floating(found: float) -> float | str:
    return found if math.isfinite(found) else _UNUSUAL[str(found)]


def _nested(raw: Any, type_: SqlType) -> Any:
    if isinstance(raw, Mapping):
        if type_.name == "STRUCT":
            return {name: value(raw.get(name), inner) for name, inner in zip(type_.fields, type_.inner, strict=True)}
        return {str(name): value(one, type_.inner[-1]) for name, one in raw.items()}
    if isinstance(raw, list):
        inner = type_.inner * len(raw) if type_.name in {"LIST", "ARRAY"} else type_.inner
        return [value(one, kind) for one, kind in zip(raw, inner, strict=True)]
    return raw


def _json(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=str)
    except ValueError:  # an engine's JSON may hold what Python's reader refuses
        return text


def _boolean(raw: Any) -> bool:
    return raw if isinstance(raw, bool) else raw == "true"


_READS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(INTEGERS, int),
    **dict.fromkeys(("DOUBLE", "FLOAT"), lambda raw: _floating(float(raw))),
    **dict.fromkeys(MOMENTS, lambda raw: moment(str(raw))),
    "DECIMAL": Decimal,
    "BOOLEAN": _boolean,
    "JSON": _json,
}
