"""Where what a run's program says for keeps lies: checkpoints, outputs."""

from collections.abc import Mapping
from typing import Any, Protocol


class Records(Protocol):
    """Records of runs by kind (`checkpoint`, `output`) and id, apart from any journal: they never contend with it."""

    def put(self, run_id: str, kind: str, id: str, body: Mapping[str, Any]) -> None:  # noqa: A002  # what it is
        """Writes a record (JSON, up to about 380 KB); the same id again replaces it. Raises TooLarge."""
        ...

    def page(self, run_id: str, kind: str, limit: int, after: str | None = None) -> list[tuple[str, Mapping[str, Any]]]:
        """Up to `limit` (id, body) of a kind in the order of their ids, from the first after `after`."""
        ...
