"""Calls another function of the deployment and waits for its answer."""

from collections.abc import Mapping
from typing import Any, Protocol


class FunctionFault(Exception):
    """The call came to nothing: `type` is Timeout (no answer in time), Unavailable (never began), or FunctionError (it died)."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


class Functions(Protocol):
    """Synchronous calls to functions of this deployment, by name."""

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """The function's answer, within `timeout` seconds. Raises FunctionFault."""
        ...
