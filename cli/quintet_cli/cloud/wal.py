"""The local cloud's write-ahead log: an acknowledged write survives `kill -9`.

MiniStack keeps its state in memory and saves it on a clean exit. Attached, the log is written before a request that
changed something is answered: DynamoDB's items and tables, SQS's queues and messages, S3's buckets, KMS keys,
secrets and parameters. Replayed at start. Running executions and asynchronous invocations are not kept: the engine's
sweep starts them again from its journal.

Durability (`QUINTET_DURABILITY`):
    `process` (default): answered after write(2), which outlives the process; the disk is synced every second, so that a
        loss of power costs the last second at most.
    `power`: answered after fdatasync; requests that wait together share one. A loss of power costs nothing that was
        acknowledged (of S3, only bucket settings: MiniStack writes objects without a sync).
    The default follows a measurement: on the development machine's disk a lone PutItem took 1.5 ms with `process` and 2.2
    to 5 ms with `power`, and a run makes about eight writes one after the other.
"""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import persistence
from ministack.core.persistence import _json_default
from ministack.services import dynamodb, kms, s3, secretsmanager, sqs, ssm

from . import wal_dynamodb, wal_log, wal_services, wal_sqs
from .wal_log import Record, WalError
from .wal_state import Recovered, compact

__all__ = ["WalError", "WriteAheadLog"]

_logger = logging.getLogger("quintet.wal")
_ROTATE_BYTES = 32 * 1024 * 1024
# Merged at exit: enough to spare the next start something, little enough to take no more than two seconds.
_MERGE_AT_EXIT_BYTES = range(1024 * 1024, 16 * 1024 * 1024)
_TICK_SECONDS = 1.0
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[..., Awaitable[Answer]]


class WriteAheadLog:
    """The log of one data folder, and its attachment to the emulator of this process."""

    def __init__(self, path: Path | str, durability: str | None = None) -> None:
        chosen = durability or os.environ.get("QUINTET_DURABILITY") or "process"
        if chosen not in ("power", "process"):
            raise WalError(f"QUINTET_DURABILITY is {chosen!r}; it can be 'power' or 'process'")
        self.path = Path(path)
        self._power = chosen == "power"
        self._sqs = wal_sqs.Sqs(self._append)
        self._services = wal_services.Services(self._append)
        self._lock = threading.RLock()
        self._dynamodb = wal_dynamodb.DynamoDb(self._append, self._lock)
        self._handlers: list[tuple[Any, Handler]] = []
        self._syncer = _Syncer(self._sync)
        self._stopped = threading.Event()
        self._muted = False
        self._merge: subprocess.Popen[bytes] | None = None

    def attach(self) -> None:
        """Recover the state into the emulator and log from here on; call it before the first request is served.

        Raises:
            WalError: another process uses the folder, or a file before the last one is damaged.
        """
        persistence.PERSIST_STATE = app.PERSIST_STATE = False  # the log replaces MiniStack's own saving
        self._folder = wal_log.Folder(self.path)
        with wal_log.merging(self.path):
            for left in self.path.glob(".snapshot-*"):
                left.unlink()
            recovered = Recovered(self.path)
        if recovered.torn:
            _logger.warning("the log's last %d bytes were never acknowledged and are dropped", recovered.torn)
        self._number = recovered.last
        self._log = wal_log.Appender(self.path / f"log-{self._number:06d}")
        wal_services.install(recovered.state.services)
        wal_dynamodb.install(recovered.state)
        wal_sqs.install(recovered.state)
        # What was just installed is in the log: it is looked at once without writing.
        self._muted = True
        self._look_around()
        self._muted = False
        self._dynamodb.attach()
        for module, name in ((dynamodb, "dynamodb"), (sqs, "sqs"), (s3, "s3"), (kms, "kms"),
                             (secretsmanager, "secretsmanager"), (ssm, "ssm")):  # fmt: skip
            self._handlers.append((module, module.handle_request))
            module.handle_request = self._logged(module.handle_request, name)
        if self._power:
            self._syncer.start()
        self._rotate_when(recovered.log_bytes)
        self._ticker = threading.Thread(target=self._tick, daemon=True, name="wal-ticker")
        self._ticker.start()

    def close(self) -> None:
        """Log what is left, detach, and merge a log of some size, so that the next start is quick."""
        self._stopped.set()
        self._ticker.join()
        self._syncer.stop()
        for module, handler in self._handlers:
            module.handle_request = handler
        self._dynamodb.detach()
        self._look_around()
        self._log.close()
        if self._merge is not None and self._merge.poll() is None:
            self._merge.kill()
            self._merge.wait()
        logs = wal_log.numbered(self.path, "log")
        if sum(path.stat().st_size for path in logs.values()) in _MERGE_AT_EXIT_BYTES:
            compact(self.path, self._number + 1)
        self._folder.release()

    def _logged(self, handler: Handler, service: str) -> Handler:
        """The service's request handler, answering only what is in the log."""

        async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
            action = wal_services.s3_action(method, path) if service == "s3" else _action(headers, query)
            if service == "dynamodb":
                self._dynamodb.begin()
            try:
                answer = await handler(method, path, headers, body, query)
            except Exception:
                # What it changed before it failed is changed: the log must say so as well.
                self._end(service, action)
                raise
            try:
                changed = self._end(service, action)
            except OSError as error:
                _logger.error("the write-ahead log can't be written: %s", error)  # noqa: TRY400 - one line says it all
                message = {"__type": "InternalServerError", "message": f"the write-ahead log can't be written: {error}"}
                return 500, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(message).encode()
            if changed and self._power:
                await self._syncer.synced()
            return answer

        return handle

    def _end(self, service: str, action: str) -> bool:
        with self._lock:
            if service == "dynamodb":
                changed = self._dynamodb.end(action)
                return (not _is_item_action(action) and self._services.end("dynamodb", action)) or changed
            if service == "sqs":
                return self._sqs.end(action)
            return self._services.end(service, action)

    def _append(self, record: Record) -> None:
        if self._muted:
            return
        line = wal_log.line_of(record, _json_default)
        with self._lock:
            self._log.append(line)

    def _sync(self) -> None:
        with contextlib.suppress(ValueError):  # closed by a rotation, which syncs what it closes
            self._log.sync()

    def _look_around(self) -> None:
        """Log what changed without a request: a deployment's own tables, a rule's message to a queue."""
        with self._lock:
            self._dynamodb.tables()
            self._sqs.queues()
            self._services.all()

    def _tick(self) -> None:
        while not self._stopped.wait(_TICK_SECONDS):
            # A dictionary that changes while it is looked at is looked at again a second later; a full disk is
            # told to the next request.
            with contextlib.suppress(RuntimeError, OSError):
                self._look_around()
                self._sync()
                self._rotate_when(self._log.size)

    def _rotate_when(self, size: int) -> None:
        """Start the next log and merge those before it in a process of its own, when they are large enough."""
        if size < _ROTATE_BYTES or (self._merge is not None and self._merge.poll() is None):
            return
        with self._lock:
            self._number += 1
            before, self._log = self._log, wal_log.Appender(self.path / f"log-{self._number:06d}")
            before.close()
            wal_log.sync_folder(self.path)
        command = [sys.executable, "-m", "quintet_cli.cloud.wal_compact", str(self.path), str(self._number)]
        self._merge = subprocess.Popen(command, stdin=subprocess.DEVNULL)


class _Syncer:
    """One thread that syncs for all requests that wait."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="wal-sync")

    def start(self) -> None:
        """Start syncing."""
        self._thread.start()

    def stop(self) -> None:
        """Sync for those that wait, and end."""
        self._stopping = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    async def synced(self) -> None:
        """Return when what is written by now is on the disk."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.append(future)
        self._wanted.set()
        await future

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            with self._lock:
                waiting, self._waiting = self._waiting, []
            error: OSError | None = None
            try:
                self._sync()
            except OSError as found:
                error = found
            for future in waiting:
                with contextlib.suppress(RuntimeError):  # the loop is gone, and with it who waits
                    future.get_loop().call_soon_threadsafe(_settle, future, error)
            if self._stopping and not self._waiting:
                return


def _settle(future: "asyncio.Future[None]", error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _action(headers: dict[str, str], query: dict[str, Any]) -> str:
    target = headers.get("x-amz-target", "")
    return target.rpartition(".")[2] or str((query.get("Action") or ["Unknown"])[0])


def _is_item_action(action: str) -> bool:
    return action in wal_dynamodb._DATA_PLANE
