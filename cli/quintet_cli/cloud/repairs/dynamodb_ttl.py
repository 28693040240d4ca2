"""DynamoDB's time to live without a scan.

Fault: every minute MiniStack walks through all items of each table that has a time to live.

Repair: writes enter an item's end into a heap, and only what is due is looked at, every 10 s. A table is walked
through once, when its time to live is switched on or the cloud has started. MiniStack's own thread, which runs since its
import, is shown no table.

Asserted: the source of `_ttl_reaper`.
"""

import heapq
import logging
import threading
import time
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb

from . import dynamodb_order
from .source import expect

_TICK_SECONDS = 10.0
_logger = logging.getLogger("quintet.repairs")
_due: list[tuple[float, str, str, str]] = []
_attributes: dict[str, str] = {}


class _Settings(AccountRegionScopedDict):  # type: ignore[misc]  # MiniStack carries no types
    """The time-to-live settings, hidden from MiniStack's own thread."""

    __slots__ = ()

    def all_items(self) -> list[Any]:
        if threading.current_thread().name == "dynamodb-ttl-reaper":
            return []
        found: list[Any] = super().all_items()
        return found


def enter(table: dict[str, Any], pk: str, sk: str, item: dict[str, Any] | None) -> None:
    """Remember when this item ends, if its table has a time to live."""
    attribute = _attributes.get(table["TableArn"])
    end = ends(item, attribute) if item is not None and attribute is not None else None
    if end is not None:
        heapq.heappush(_due, (end, table["TableArn"], pk, sk))


def ends(item: dict[str, Any], attribute: str) -> float | None:
    """The item's end in seconds since 1970; None when it has none."""
    try:
        return float(item[attribute]["N"])
    except (KeyError, TypeError, ValueError):
        return None


def sweep(now: float) -> None:
    """Delete what ended by now."""
    with dynamodb_order.lock:
        tables = {table["TableArn"]: table for table in dynamodb._tables.all_values()}
        _follow(tables)
        while _due and _due[0][0] <= now:
            _, arn, pk, sk = heapq.heappop(_due)
            table, attribute = tables.get(arn), _attributes.get(arn)
            if table is None or attribute is None:
                continue
            item = table["items"].get(pk, {}).get(sk)
            end = ends(item, attribute) if item is not None else None
            # It may have been written since with a later end, which has an entry of its own.
            if end is not None and end <= now:
                dynamodb_order.remove_item(table, pk, sk)


def _follow(tables: dict[str, dict[str, Any]]) -> None:
    """Learn which tables have a time to live; walk through those that are new."""
    found = {}
    for (account, region, name), setting in dynamodb._ttl_settings.all_items():
        table = dynamodb._tables.get_scoped(account, region, name)
        if table is not None and setting.get("TimeToLiveStatus") == "ENABLED" and setting.get("AttributeName"):
            found[table["TableArn"]] = setting["AttributeName"]
    new = [arn for arn, attribute in found.items() if _attributes.get(arn) != attribute]
    _attributes.clear()
    _attributes.update(found)
    for arn in new:
        for pk, items in tables[arn]["items"].items():
            for sk, item in items.items():
                enter(tables[arn], pk, sk, item)


def _run() -> None:
    while True:
        time.sleep(_TICK_SECONDS)
        try:
            sweep(time.time())
        except Exception:
            _logger.exception("items whose time had come were not deleted")


def repair() -> None:
    """Delete by the heap."""
    expect(dynamodb, "_ttl_reaper", "66841bfd6027")
    if isinstance(dynamodb._ttl_settings, _Settings):
        return
    settings = _Settings()
    settings._data = dynamodb._ttl_settings._data
    dynamodb._ttl_settings = settings
    dynamodb_order.listeners.append(enter)
    threading.Thread(target=_run, daemon=True, name="quintet-ttl").start()
