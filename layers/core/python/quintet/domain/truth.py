"""What counts as true in conditions: JSONata's rule, for every kind of step."""

from typing import Any


def truth(value: Any) -> bool:
    """JSONata's own idea of what is true: no empty or zero value, and no list without a true member."""
    if isinstance(value, list):
        return any(truth(member) for member in value)
    return bool(value)
