"""SQS in the write-ahead log: each queue's description, the messages that came and those that went.

Which messages are in flight is not logged: after a crash they are visible again, as an at-least-once queue may do.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.persistence import _json_default
from ministack.services import sqs

from .wal_log import Record
from .wal_state import State

_COUNTERS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_READS = {"ReceiveMessage", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "GetQueueUrl",
          "GetQueueAttributes", "ListQueues", "ListQueueTags"}  # fmt: skip
_SENDS = {"SendMessage", "SendMessageBatch"}


class Sqs:
    """Compares the queues with what was logged of them."""

    def __init__(self, append: Callable[[Record], None]) -> None:
        self._append = append
        self._descriptions: dict[str, str] = {}
        self._messages: dict[str, set[str]] = {}

    def end(self, action: str) -> bool:
        """A request is over; answers whether something was appended."""
        if action in _SENDS:
            return self._sent()
        return action not in _READS and self.queues()

    def _sent(self) -> bool:
        """Append the messages that came: they stand behind those that are known, however many these are."""
        changed = False
        for scope, queue in sqs._queues.all_items():
            key = _key(scope, queue)
            if key not in self._descriptions:
                return self.queues()
            known, added = self._messages[key], list[dict[str, Any]]()
            for message in reversed(queue["messages"]):
                if message["id"] in known:
                    break
                added.append(message)
            if added:
                known.update(message["id"] for message in added)
                self._append(["q", key, None, added[::-1], []])
                changed = True
        return changed

    def queues(self) -> bool:
        """Append what changed in any queue; answers whether something did."""
        changed = False
        found = {_key(scope, queue): queue for scope, queue in sqs._queues.all_items()}
        for key, queue in found.items():
            changed = self._queue(key, queue) or changed
        for key in self._descriptions.keys() - found.keys():
            del self._descriptions[key]
            self._messages.pop(key, None)
            self._append(["q", key, None, [], []])
            changed = True
        return changed

    def _queue(self, key: str, queue: dict[str, Any]) -> bool:
        description = {name: value for name, value in queue.items() if name != "messages"}
        attributes = {name: value for name, value in queue["attributes"].items() if name not in _COUNTERS}
        description["attributes"] = attributes
        text = json.dumps(description, sort_keys=True, default=_json_default)
        new = None
        if self._descriptions.get(key) != text:
            self._descriptions[key] = text
            new = description
        messages = {message["id"]: message for message in list(queue["messages"])}
        logged = self._messages.get(key, set())
        added = [message for identity, message in messages.items() if identity not in logged]
        removed = list(logged - messages.keys())
        self._messages[key] = set(messages)
        if new is None and not added and not removed:
            return False
        self._append(["q", key, new, added, removed])
        return True


def install(state: State) -> None:
    """Put the recovered queues into the emulator, and every queue under the address that it has now.

    A queue's address holds the port, another one at each start: a queue under two addresses would be two queues, of which senders find
    the one and functions the other.
    """
    found = {(account, region, queue["name"]): queue for (account, region, _), queue in sqs._queues.all_items()}
    for key in sorted({**state.queues, **state.messages}, key=lambda key: "/" not in key):
        account, region, name = key.split(" ", 2)
        scope = account, region, name.rpartition("/")[2]  # older logs name a queue by its address
        description = state.queues.get(key) or found.get(scope)
        if description is not None:
            messages = list(state.messages.get(key, {}).values())
            found[scope] = {**description, "messages": [{**message, "receipt_handle": None} for message in messages]}
    sqs._queues.clear()
    sqs._queue_name_to_url.clear()
    for (account, region, name), queue in found.items():
        address = sqs._queue_url_for_account(account, name)
        sqs._queues.set_scoped(account, region, address, {**queue, "url": address})
    sqs._rebuild_queue_name_index()


def _key(scope: tuple[str, str, str], queue: dict[str, Any]) -> str:
    return f"{scope[0]} {scope[1]} {queue['name']}"
