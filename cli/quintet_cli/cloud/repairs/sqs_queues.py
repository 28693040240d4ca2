"""Queues that lose nothing when a function takes from them while others send, and that don't walk through what is kept back.

Fault: requests change a queue's list of messages on one thread, event source mappings replace it on another, under a lock that only
they take: a message sent in between is lost. Each look at a queue fills in and walks through all of its messages several times, 12 ms at
10,000 that are kept back (now 0.3).

Repair: every action takes the lock. A look stops at the messages it takes, and messages past their retention are looked for once a minute.

Asserted: the edited lines of `_dispatch` and `_act_receive_message`, the sources of `_collect_msgs` and `_expire_retained`.
"""

import time
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import sqs

from .source import replace, rewrite

_EXPIRY_CHECK_SECONDS = 60.0
_looked_at: dict[str, float] = {}
_expire_retained: Any = None


def collect(queue: dict[str, Any], most: int, hidden_seconds: int) -> list[dict[str, Any]]:
    """Take up to `most` visible messages, oldest first, and hide them for some seconds."""
    now = time.time()
    if queue["is_fifo"]:
        taken: list[dict[str, Any]] = sqs._collect_fifo(queue, most, hidden_seconds, now)
        return taken
    found: list[dict[str, Any]] = []
    for message in queue["messages"]:
        if message.get("visible_at", 0.0) <= now:
            sqs._ensure_msg_fields(message)
            found.append(message)
            if len(found) >= most:
                break
    for message in found:
        message["receipt_handle"] = new_uuid()
        message["visible_at"] = now + hidden_seconds
        message["receive_count"] += 1
        if message.get("first_receive_at") is None:
            message["first_receive_at"] = now
    return found


def expire(queue: dict[str, Any]) -> None:
    """Drop messages past their retention, once in a while."""
    now = time.time()
    if now - _looked_at.get(queue["url"], 0.0) >= _EXPIRY_CHECK_SECONDS:
        _looked_at[queue["url"]] = now
        _expire_retained(queue)


def repair() -> None:
    """Lock, and look less."""
    global _expire_retained  # noqa: PLW0603 - MiniStack's own, which `expire` calls
    rewrite(
        sqs,
        "_dispatch",
        ("    result = fn(data, qurl)\n", "    with _queues_lock:\n        result = fn(data, qurl)\n"),
    )
    rewrite(
        sqs,
        "_act_receive_message",
        (
            "        _expire_retained(q)\n        _dlq_sweep(q)\n        msgs = _collect_msgs(q, max_n, vis)\n",
            "        with _queues_lock:\n"
            "            _expire_retained(q)\n            _dlq_sweep(q)\n            msgs = _collect_msgs(q, max_n, vis)\n",
        ),
    )
    if sqs._expire_retained is not expire:
        _expire_retained = sqs._expire_retained
    replace(sqs, "_collect_msgs", collect, "308a6eb1b3d4")
    replace(sqs, "_expire_retained", expire, "c0da3361632b")
