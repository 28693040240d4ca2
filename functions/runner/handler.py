"""Runs user code; needs no layer and no permissions."""

from typing import Any

from quintet_runner.processes import harden
from quintet_runner.sandbox import run

harden()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """One attempt of a python or shell step: {kind, code | script, input, env, memoryMb, timeout}; see sandbox.run for the answer."""
    return run(event)
