"""DynamoDB expressions parsed once, and items copied without `copy.deepcopy`.

Fault: each request splits and checks its expressions again, four times in a transaction, and copies every item
it updates three times with Python's general deep copy; together more than half of a write's processor time.

Repair: the pure functions of an expression's text are cached; items, which are plain dictionaries, lists and scalars,
are copied by a function that knows that.

Asserted: the sources of the cached functions, and that the module copies through its name `copy`.
"""

import copy
import functools
import types
from typing import Any

from ministack.services import dynamodb

from .source import RepairError, replace

_KEPT = 4096
_PLAIN = (str, int, float, bool, bytes, type(None))


def clone(value: Any) -> Any:
    """A deep copy of JSON-like data; anything else goes to `copy.deepcopy`."""
    kind = type(value)
    if kind is dict:
        return {key: item if type(item) is str else clone(item) for key, item in value.items()}
    if kind is list:
        return [clone(item) for item in value]
    return value if kind in _PLAIN else copy.deepcopy(value)


def repair() -> None:
    """Cache the parsers and copy plainly."""
    if dynamodb.copy is copy:
        dynamodb.copy = types.SimpleNamespace(deepcopy=clone, copy=copy.copy)
    elif dynamodb.copy.deepcopy is not clone:
        raise RepairError("ministack.services.dynamodb: doesn't copy through the module `copy`")
    cached = functools.lru_cache(maxsize=_KEPT)(dynamodb._tokenize)
    replace(dynamodb, "_tokenize", lambda text: list(cached(text)), "6abb13395c3e")
    for name, digest in (
        ("_condition_syntax_error", "5213f1ffac34"),
        ("_validate_projection_expression_syntax", "83ca72997c04"),
    ):
        replace(dynamodb, name, functools.lru_cache(maxsize=_KEPT)(getattr(dynamodb, name)), digest)
