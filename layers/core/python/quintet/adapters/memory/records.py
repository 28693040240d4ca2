"""What a run's program keeps, in memory."""

import json
from bisect import bisect_right
from collections.abc import Mapping
from threading import RLock
from typing import Any

from quintet.adapters.records import record_to_text


class MemoryRecords:
    """Port Records in dictionaries of JSON texts."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, str]] = {}
        self._lock = RLock()

    def put(self, run_id: str, kind: str, id: str, body: Mapping[str, Any]) -> None:  # noqa: A002  # the port's own word
        """Writes a record; the same id again replaces it. Raises TooLarge."""
        with self._lock:
            self._kept.setdefault((run_id, kind), {})[id] = record_to_text(body)

    def page(self, run_id: str, kind: str, limit: int, after: str | None = None) -> list[tuple[str, Mapping[str, Any]]]:
        """Up to `limit` records in the order of their ids, from the first after `after`."""
        with self._lock:
            kept = self._kept.get((run_id, kind), {})
            ids = sorted(kept)
            start = 0 if after is None else bisect_right(ids, after)
            return [(id_, json.loads(kept[id_])) for id_ in ids[start : start + max(limit, 0)]]
