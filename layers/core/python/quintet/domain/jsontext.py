"""JSON as compact text that every store can hold, with numbers as they are."""

import json
import math
import os
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

_MARK = os.urandom(16).hex()  # nobody knows it, so that no text from outside looks like a marked number
_MARKED = re.compile(f'"{_MARK}([^"]*)"')


def compact(value: Any, other: Callable[[Any], Any] | None = None) -> str:
    """The value as JSON text without blanks. Decimals are written digit by digit; half characters (lone surrogates), which no UTF-8 can
    carry, as escapes; what is no JSON as what `other` makes of it.

    Raises ValueError for NaN and infinities, TypeError for what is no JSON when there is no `other`.
    """
    text = _write(value, other, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _write(value, other, ensure_ascii=True)
    return text


def exact(text: str) -> Any:
    """The value of a JSON text that was checked when it came; numbers that aren't whole are Decimals."""
    return json.loads(text, parse_float=Decimal)


def finite(value: Any) -> Any:
    """The value with null for each NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value


def _write(value: Any, other: Callable[[Any], Any] | None, *, ensure_ascii: bool) -> str:
    marked = False

    def default(found: Any) -> Any:
        nonlocal marked
        if isinstance(found, Decimal):
            if not found.is_finite():
                raise ValueError(f"{found} is no JSON number")
            marked = True
            return f"{_MARK}{found}"
        if other is None:
            raise TypeError(f"{type(found).__name__} is no JSON")
        return other(found)

    text = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"), allow_nan=False, default=default)
    return _MARKED.sub(r"\1", text) if marked else text
