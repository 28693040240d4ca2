"""Tells when things are done, at little cost to what is measured: by reading single items from the emulator, not through the API.

A GET of a run costs a function's invocation (about 2 ms of the two cores), the event stream looks every 250 ms; a
GetItem at the emulator costs 0.3 ms. It begins when most of the usual time is over and comes every millisecond, so
that a figure is at most one poll too high.
"""

import time
from collections.abc import Iterable
from typing import Any

from benchmarks.cloud import Cloud
from benchmarks.wire import Broken

_POLL_S = 0.001
_QUIET = 0.6
_WITHIN_S = 120.0


class Watch:
    """Waits for items: `place` is a pair (pk, sk), done when it has the attribute `mark`."""

    def __init__(self, cloud: Cloud, table: str, mark: str) -> None:
        self._items = cloud.aws("dynamodb")
        self._table, self._mark = table, mark
        self._usual = 0.0

    def one(self, place: tuple[str, str], began: float) -> float:
        """Seconds from `began` (perf_counter) until the item was seen done."""
        time.sleep(max(0.0, began + self._usual * _QUIET - time.perf_counter()))
        while True:
            answer = self._items.call(
                "GetItem", TableName=self._table, Key=_key(place), ConsistentRead=True, ProjectionExpression=self._mark
            )
            now = time.perf_counter()
            if answer.get("Item"):
                took = now - began
                self._usual = took if not self._usual else min(self._usual * 1.05, took)
                return took
            if now - began > _WITHIN_S:
                raise Broken(f"{place} was not done within {_WITHIN_S:.0f} s")
            time.sleep(_POLL_S)

    def done(self, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of up to 100 items are done now."""
        keys = [_key(place) for place in places]
        if not keys:
            return set()
        asked = {self._table: {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": f"pk, sk, {self._mark}"}}
        found = self._items.call("BatchGetItem", RequestItems=asked)["Responses"].get(self._table, [])
        return {(item["pk"]["S"], item["sk"]["S"]) for item in found if self._mark in item}


def run_place(run_id: str) -> tuple[str, str]:
    """Where a run's item is; it has `ended` once the run is over."""
    return f"RUN#{run_id}", "#META"


def _key(place: tuple[str, str]) -> dict[str, Any]:
    return {"pk": {"S": place[0]}, "sk": {"S": place[1]}}
