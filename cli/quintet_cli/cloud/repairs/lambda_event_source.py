"""Queues that call functions on time: event source mappings notice a message the moment it becomes visible.

Fault: what is sent without a delay is noticed at once, but nothing tells the poller that a delay or a visibility time-out is over: it
looks once a second, so that a delayed message is up to a second late.

Repair: the poller rests until the next message of any queue becomes visible, a second at most.

Asserted: the edited lines of `_poll_loop`.
"""

import time

from ministack.services import lambda_svc, sqs

from .source import rewrite

_LONGEST_REST_SECONDS = 1.0
_IDLE_REST_SECONDS = 5.0


def rest(looked_at: float) -> float:
    """Seconds until a message becomes visible that wasn't yet at the poller's last look."""
    if not lambda_svc._esms.has_any():
        return _IDLE_REST_SECONDS
    until = looked_at + _LONGEST_REST_SECONDS
    for queue in list(sqs._queues.all_values()):
        for message in list(queue["messages"]):
            if looked_at < message.get("visible_at", 0.0) < until:
                until = message["visible_at"]
    return max(0.0, until - time.time())


def repair() -> None:
    """Wake the poller by the messages' own times."""
    rewrite(
        lambda_svc,
        "_poll_loop",
        ("        _esm_wake.clear()\n", "        _esm_wake.clear()\n        looked_at = time.time()\n"),
        ("_esm_wake.wait(1 if _esms.has_any() else 5)", "_esm_wake.wait(quintet_rest(looked_at))"),
        quintet_rest=rest,
    )
