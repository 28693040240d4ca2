"""What an API key may do: the scopes there are, and which of them include others."""

from collections.abc import Collection

EVERYTHING = frozenset({"admin", "*"})
"""Either of these has every scope."""

SCOPES = (
    "jobs:read",
    "jobs:write",
    "jobs:trigger",
    "jobs:*",
    "runs:read",
    "runs:write",
    "runs:*",
    "api-keys:manage",
    "projects:read",
    "projects:write",
    "projects:*",
    "admin",
    "*",
)

WORKING = ("jobs:read", "jobs:write", "jobs:trigger", "runs:read", "runs:write")
"""What a key gets when nothing is asked for: work with jobs and runs, and no say over keys and projects."""


def allows(held: Collection[str], scope: str) -> bool:
    """True when those scopes include this one: itself, `<its noun>:*`, or one that has everything."""
    return scope in held or f"{scope.partition(':')[0]}:*" in held or not EVERYTHING.isdisjoint(held)
