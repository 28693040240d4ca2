"""A bounded pool of Lambda workers: more calls than workers wait in line instead of starting more processes.

Fault: MiniStack starts a process for every call that finds no idle one. Thirty calls at once on two cores start
thirty interpreters, which halves what the machine gets done; and new code kills a worker in the middle of a call.

Repair: a function has up to `QUINTET_WORKERS` workers (default: the number of cores, at least 2). Further calls queue,
first come first served. A queue that stands still (no worker came free for 250 ms: all hold long calls, or a
call waits for another one of the same function) grows by a worker at a time, up to `QUINTET_WORKERS_MAX` processes
(default 24) of all functions together; a function without a worker always gets its first one, idle workers of other
functions making room, so that a function that calls another one never waits for itself. A worker whose code was
replaced finishes its call.

Asserted: the sources of `acquire_worker`, `release_worker` and `invalidate_worker`.
"""

import os
import threading
import time
from collections import deque
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch, cloudwatch_logs, lambda_svc

from .source import replace, rewrite

_STALL_SECONDS = 0.25
_LOG_EVENTS_KEPT = 10_000
_METRIC_POINTS_KEPT = 2_000
_waiting: dict[str, deque["_Ticket"]] = {}
_last_free: dict[str, float] = {}


class _Ticket:
    """A call's place in its function's line."""

    def __init__(self) -> None:
        self.called = threading.Event()
        self.worker: Any = None


def limits() -> tuple[int, int]:
    """Workers a function has before its calls queue, and workers of all functions together."""
    cores = os.cpu_count() or 2
    each = int(os.environ.get("QUINTET_WORKERS") or max(2, cores))
    return max(1, each), max(1, int(os.environ.get("QUINTET_WORKERS_MAX") or max(24, 4 * cores)))


def acquire(
    func_name: str, config: dict[str, Any], code_zip: bytes, qualifier: str = "$LATEST", _max: int | None = None
) -> tuple[Any, str]:
    """Lease a worker, waiting in line when the function has all it may have."""
    key = lambda_runtime._worker_key(func_name, config, qualifier)
    doomed: list[Any] = []
    ticket = _Ticket()
    with lambda_runtime._lock:
        line = _waiting.setdefault(key, deque())
        worker = None if line else _idle(key) or _grown(key, func_name, config, code_zip, doomed, stalled=False)
        if worker is None:
            line.append(ticket)
    lambda_runtime.kill_workers(doomed)
    while worker is None:
        ticket.called.wait(_STALL_SECONDS)
        worker = _served(key, ticket, func_name, config, code_zip)
    return worker, "spawn" if worker._proc is None else "reused"


def _served(key: str, ticket: _Ticket, func_name: str, config: dict[str, Any], code_zip: bytes) -> Any:
    """The worker this ticket gets now, if any; its owner has left the line then."""
    doomed: list[Any] = []
    with lambda_runtime._lock:
        ticket.called.clear()
        line = _waiting[key]
        if ticket.worker is None and line[0] is ticket:
            found = _idle(key) or _grown(key, func_name, config, code_zip, doomed, stalled=_stalled(key))
            if found is not None:
                line.popleft()
                ticket.worker = found
                _last_free[key] = time.time()
    lambda_runtime.kill_workers(doomed)
    return ticket.worker


def _stalled(key: str) -> bool:
    """Whether no worker came free, or came up, for a while: then the line won't move by itself."""
    starts = [worker._start_time for worker in lambda_runtime._workers.get(key, ())]
    if None in starts:
        return False
    return bool(time.time() - max([_last_free.get(key, 0.0), *starts]) >= _STALL_SECONDS)


def _idle(key: str) -> Any:
    """Lease an idle worker of this function."""
    for worker in lambda_runtime._workers.get(key, ()):
        if not worker.in_use:
            worker.in_use = True
            worker.last_used = time.time()
            return worker
    return None


def _grown(
    key: str, func_name: str, config: dict[str, Any], code_zip: bytes, doomed: list[Any], *, stalled: bool
) -> Any:
    """Lease a new worker when the bounds allow one; idle workers of others go to `doomed` to make room."""
    each, total = limits()
    entries = lambda_runtime._workers.setdefault(key, [])
    if len(entries) >= each and not stalled:
        return None
    if sum(map(len, lambda_runtime._workers.values())) >= total and not _evicted(key, doomed) and entries:
        return None
    worker = lambda_runtime._worker_class_for(config)(func_name, config, code_zip)
    worker.in_use = True
    worker.last_used = time.time()
    entries.append(worker)
    return worker


def _evicted(key: str, doomed: list[Any]) -> bool:
    """Take the longest idle worker of another function out of its pool."""
    idle = [
        (worker.last_used, other, worker)
        for other, workers in lambda_runtime._workers.items()
        for worker in workers
        if other != key and not worker.in_use
    ]
    if not idle:
        return False
    _, other, worker = min(idle, key=lambda found: found[0])
    lambda_runtime._workers[other].remove(worker)
    doomed.append(worker)
    return True


def release(worker: Any) -> None:
    """Give a worker to the next call in line, or make it idle."""
    if worker is None:
        return
    retired = False
    with lambda_runtime._lock:
        key = next((key for key, workers in lambda_runtime._workers.items() if worker in workers), None)
        retired = key is None
        line = _waiting.get(key or "")
        if key is not None:
            _last_free[key] = time.time()
        if line:
            ticket = line.popleft()
            ticket.worker = worker
            worker.last_used = time.time()
            ticket.called.set()
        else:
            worker.in_use = False
    if retired:
        lambda_runtime.kill_workers([worker])


def invalidate(
    func_name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
) -> None:
    """Retire a function's workers: idle ones end now, busy ones after their call."""
    wanted = (account, region, func_name, qualifier)
    with lambda_runtime._lock:
        keys = [
            key
            for key in lambda_runtime._workers
            if all(want in (None, part) for want, part in zip(wanted, key.split(":", 3), strict=True))
        ]
        workers = [worker for key in keys for worker in lambda_runtime._workers.pop(key)]
        for key in keys:
            for ticket in _waiting.get(key, ()):
                ticket.called.set()
    lambda_runtime.kill_workers([worker for worker in workers if not worker.in_use])


def repair() -> None:
    """Bound the workers, and what a call leaves in memory: one log stream a function, a window of log and metrics."""
    replace(lambda_runtime, "acquire_worker", acquire, "5017d144adb5")
    replace(lambda_runtime, "release_worker", release, "25d5dd7d42b6")
    replace(lambda_runtime, "invalidate_worker", invalidate, "1be5d7f769f5")
    lambda_svc.acquire_worker = acquire
    lambda_svc.release_worker = release
    lambda_svc.invalidate_worker = invalidate
    # The pool queues what AWS would throttle at the account's limit.
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = 0
    rewrite(lambda_svc, "_emit_lambda_logs", ("{new_uuid().replace('-', '')}", "local"))
    rewrite(
        cloudwatch_logs,
        "_append_log_events",
        (
            '        if stream["firstEventTimestamp"] is None',
            f"        if len(stream['events']) > {2 * _LOG_EVENTS_KEPT}:\n"
            f"            del stream['events'][:-{_LOG_EVENTS_KEPT}]\n"
            '        if stream["firstEventTimestamp"] is None',
        ),
    )
    rewrite(
        cloudwatch,
        "_metric_bucket",
        (
            "    return pts",
            f"    if len(pts) > {2 * _METRIC_POINTS_KEPT}:\n        del pts[:-{_METRIC_POINTS_KEPT}]\n    return pts",
        ),
    )
