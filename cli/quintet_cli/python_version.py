"""The first thing the command checks; nothing here needs a newer Python than the one it refuses."""

import sys

MINIMUM = (3, 11)


def fault(version: "tuple[int, ...]") -> str:
    """Return why an interpreter of this version cannot run Quintet, or nothing."""
    if version[:2] >= MINIMUM:
        return ""
    return f"Quintet needs Python 3.11 or newer, and this is Python {version[0]}.{version[1]}."


def require() -> None:
    """Leave with exit code 2 and one sentence when this interpreter is too old."""
    said = fault(tuple(sys.version_info[:2]))
    if said:
        sys.stderr.write("quintet: " + said + "\n")
        raise SystemExit(2)
