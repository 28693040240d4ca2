"""DynamoDB in the write-ahead log: item images after each request, table descriptions, transaction tokens.

Images, not requests: replaying them needs no clock, no condition and no expression, and gives the very same items.
"""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ministack.services import dynamodb

from .repairs import dynamodb_order
from .wal_log import Record
from .wal_state import State

_SIDE = ("tags", "ttl_settings", "pitr_settings")
_COUNTED = {"items", dynamodb._INDEX_MEMBERS, "ItemCount", "TableSizeBytes"}
_DATA_PLANE = {"PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem",
               "TransactGetItems", "TransactWriteItems", "DescribeTable", "ListTables"}  # fmt: skip
Append = Callable[[Record], None]


class Signature:
    """Stands for a transaction's request, of which only the digest was kept."""

    __hash__ = None  # type: ignore[assignment]  # it equals dictionaries, which have no hash

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        return _digest(other) == self.digest


def _digest(request: object) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class DynamoDb:
    """Gathers what a request changed, and appends it as one record."""

    def __init__(self, append: Append, lock: threading.RLock) -> None:
        self._append = append
        self._lock = lock
        self._local = threading.local()
        self._tables: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._stored_token = dynamodb._txn_token_store

    def attach(self) -> None:
        """Listen to writes."""
        dynamodb_order.listeners.append(self._changed)
        dynamodb._txn_token_store = self._token
        self._replaced = dynamodb._items_replaced
        dynamodb._items_replaced = self._all_items

    def detach(self) -> None:
        """Stop listening."""
        dynamodb_order.listeners.remove(self._changed)
        dynamodb._txn_token_store = self._stored_token
        dynamodb._items_replaced = self._replaced

    def begin(self) -> None:
        """A request starts: its changes are one unit."""
        self._local.changes, self._local.token = [], None

    def end(self, action: str) -> bool:
        """The request is over: append what it changed; answers whether there was anything."""
        changes, token = self._local.changes, self._local.token
        self._local.changes = None
        changed = False
        if action not in _DATA_PLANE:
            changed = self.tables()
        if changes or token:
            self._append(["i", changes, token])
            changed = True
        return changed

    def _changed(self, table: dict[str, Any], pk: str, sk: str, item: Any) -> None:
        key = self._key(table)
        if key not in self._tables:
            with self._lock:
                self.tables()
        change = [key, pk, sk, item]
        changes = getattr(self._local, "changes", None)
        if changes is None:  # not a request: a state machine's own call, or an item whose time has come
            self._append(["i", [change], None])
        else:
            changes.append(change)

    def _key(self, table: dict[str, Any]) -> str:
        arn = table["TableArn"]
        if arn not in self._keys:
            _, _, _, region, account, name = arn.split(":", 5)
            self._keys[arn] = f"{account}/{region}/{name.partition('/')[2]}"
        return self._keys[arn]

    def _token(self, token: str, entry: dict[str, Any]) -> None:
        self._stored_token(token, entry)
        kept = {**entry, "signature": _digest(entry["signature"])}
        self._local.token = ["/".join(dynamodb._tables._scoped(token)), kept]

    def _all_items(self, table: dict[str, Any]) -> None:
        self._replaced(table)
        self.tables()
        key = self._key(table)
        self._append(["r", key])
        for pk, items in table["items"].items():
            self._append(["i", [[key, pk, sk, item] for sk, item in items.items()], None])

    def tables(self) -> bool:
        """Append the descriptions that changed; answers whether any did."""
        found = {"/".join(scoped): table for scoped, table in dynamodb._tables.all_items()}
        before = len(self._tables)
        changed = False
        for key, table in found.items():
            description = {name: value for name, value in table.items() if name not in _COUNTED}
            text = json.dumps(description, sort_keys=True)
            if self._tables.get(key) != text:
                self._tables[key] = text
                self._append(["t", key, description])
                changed = True
        for key in self._tables.keys() - found.keys():
            del self._tables[key]
            self._append(["t", key, None])
        return changed or before != len(self._tables)


def side_state() -> dict[str, Any]:
    """What DynamoDB keeps beside its tables."""
    return {name: getattr(dynamodb, f"_{name}") for name in _SIDE}


def install(state: State) -> None:
    """Put the recovered tables and items into the emulator, in order and ready to query."""
    for key, description in state.tables.items():
        account, region, name = key.split("/", 2)
        items: dict[str, dict[str, Any]] = defaultdict(dict)
        stored = state.items.pop(key, {})
        for (pk, sk), item in stored.items():
            items[pk][sk] = item
        table = {**description, "items": items, "ItemCount": len(stored), "TableSizeBytes": len(stored) * 200}
        dynamodb._tables.set_scoped(account, region, name, table)
        dynamodb_order.indexes_of(table)
    for token, kept in state.tokens.values():
        account, region, name = token.split("/", 2)
        entry = {**kept, "signature": Signature(kept["signature"])}
        dynamodb._txn_idempotency.set_scoped(account, region, name, entry)
