"""Judges JSON values by JSON Schema (2020-12)."""

from typing import Any, Protocol

from quintet.domain.errors import Problem


class Schemas(Protocol):
    """JSON Schema 2020-12 in full; references to other documents are refused, never fetched."""

    def fault(self, schema: Any) -> str | None:
        """What is wrong with a schema, None when it is one."""
        ...

    def problems(self, schema: Any, value: Any) -> list[Problem]:
        """Where and how a value breaks a schema; places are from the value's root."""
        ...
