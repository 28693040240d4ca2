"""How a repair changes MiniStack: by an exact edit of the source it expects, or not at all.

MiniStack is pinned, and every repair states the text that it repairs. A text that is gone, or that occurs twice, is a
`RepairError` at start: never a silent difference after an upgrade.
"""

import hashlib
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Any

# What has been repaired in this process: a second `apply()` must not find its own edits and fail.
_repaired: set[tuple[Any, ...]] = set()
# The edited texts: Python can't find the source of what was compiled here, and a second repair builds on the first.
_edited: dict[str, str] = {}


class RepairError(RuntimeError):
    """MiniStack no longer holds what a repair expects; the message names the function and the missing text."""


def rewrite(owner: Any, name: str, *edits: tuple[str, str], **names: Any) -> None:
    """Recompile `owner.name` with each `(old, new)` edit made exactly once.

    `names` become globals of MiniStack's module under their given names, so that the new text can call them.

    Raises:
        RepairError: an old text does not occur exactly once.
    """
    label = _label(owner, name)
    if _seen(label, edits):
        return
    function = _function(owner, name)
    source = _edited.get(label) or textwrap.dedent(inspect.getsource(function))
    for old, new in edits:
        count = source.count(old)
        if count != 1:
            raise RepairError(f"{label}: expected once, found {count} times: {old!r}")
        source = source.replace(old, new)
    scope = function.__globals__
    scope.update(names)
    local: dict[str, Any] = {}
    code = compile(source, f"<repaired {label}>", "exec")
    exec(code, scope, local)  # noqa: S102 - the text is the pinned package's own, with edits asserted above
    setattr(owner, name, local[name])
    _edited[label] = source


def replace(owner: Any, name: str, replacement: Callable[..., Any], digest: str) -> None:
    """Put `replacement` in the place of `owner.name`, whose source must hash to `digest` (see `digest_of`).

    Raises:
        RepairError: the function's source has changed, so the replacement may no longer fit.
    """
    if _seen(_label(owner, name), digest):
        return
    expect(owner, name, digest)
    setattr(owner, name, replacement)


def expect(owner: Any, name: str, digest: str) -> None:
    """Check that the source of `owner.name` is the one a repair was written for.

    Raises:
        RepairError: its digest is another.
    """
    found = digest_of(owner, name)
    if found != digest:
        raise RepairError(f"{_label(owner, name)}: expected source {digest}, found {found}")


def digest_of(owner: Any, name: str) -> str:
    """First 12 hex digits of the SHA-256 of the function's source text."""
    return hashlib.sha256(inspect.getsource(_function(owner, name)).encode()).hexdigest()[:12]


def _function(owner: Any, name: str) -> types.FunctionType:
    found = getattr(owner, name, None)
    if not isinstance(found, types.FunctionType):
        raise RepairError(f"{_label(owner, name)}: not found")
    return found


def _seen(*repair: Any) -> bool:
    found = repair in _repaired
    _repaired.add(repair)
    return found


def _label(owner: Any, name: str) -> str:
    module = getattr(owner, "__module__", None) or getattr(owner, "__name__", "?")
    qualifier = f"{owner.__qualname__}." if isinstance(owner, type) else ""
    return f"{module}.{qualifier}{name}"
