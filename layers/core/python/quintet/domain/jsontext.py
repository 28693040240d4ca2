"""JSON as compact text that every store can hold."""

import json
from typing import Any


def compact(value: Any) -> str:
    """The value as JSON text without blanks; half characters (lone surrogates), which no UTF-8 can carry, are written as escapes.

    Raises ValueError for NaN and infinities, which are no JSON.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text
