"""MiniStack, the AWS emulator, in this process: its environment, its start and its workers' end.

MiniStack reads its settings from the environment while it is imported, so one process holds one emulator and
nothing here imports it before `Emulator.start`.
"""

import asyncio
import contextlib
import http.client
import importlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from quintet_cli.cloud.home import Home
from quintet_cli.errors import CommandError, HomeError
from quintet_cli.settings import ACCOUNT, REGION, Settings

if TYPE_CHECKING:
    from quintet_cli.cloud.wal import WriteAheadLog

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Emulator:
    """The emulated AWS of this process; `application` answers AWS API calls."""

    def __init__(self, settings: Settings, home: Home, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._settings = settings
        self._home = home
        self._port = port
        self._lifespan: asyncio.Task[None] | None = None
        self._log: WriteAheadLog | None = None

    def prepare(self) -> None:
        """Set the environment that the emulator and its workers are started with."""
        os.environ.update(self._environment())
        # Workers unpack below the data folder, so that one removal clears up after kill -9 as well.
        tempfile.tempdir = str(self._home.temporary)

    async def start(self) -> None:
        """Import MiniStack, repair it and start its background work; nothing is served and no data is there yet."""
        self.prepare()
        _repair()
        _speak()
        application: Application = importlib.import_module("ministack.app").app
        self._application = application
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lifespan = asyncio.create_task(self._run_lifespan(started))
        await started

    def attach_log(self) -> None:
        """Replay the write-ahead log into the emulator and record every write from now on."""
        self._log = _write_ahead_log(self._home)

    async def application(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one AWS API call (ASGI)."""
        await self._application(scope, receive, send)

    def invoke(self, function: str, payload: bytes) -> str:
        """Call a function and wait for it; return what went wrong, or nothing. Blocking."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        try:
            connection.request("POST", f"/2015-03-31/functions/{function}/invocations", payload)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        return described(text) if response.status >= 300 or response.getheader("X-Amz-Function-Error") else ""

    def function_variables(self) -> dict[str, str]:
        """Return the environment variables of all deployed functions together."""
        functions = importlib.import_module("ministack.services.lambda_svc")._functions
        found: dict[str, str] = {}
        for function in functions.all_values():
            found.update(function["config"].get("Environment", {}).get("Variables", {}))
        return found

    def retire_workers(self, functions: Iterable[str]) -> None:
        """Have these functions' next calls served by new workers, which import the code anew; busy ones finish."""
        runtime = importlib.import_module("ministack.core.lambda_runtime")
        for function in functions:
            runtime.invalidate_worker(function, account=ACCOUNT, region=REGION)

    def stop_workers(self) -> None:
        """End every Spark job, and every Lambda worker process and remove its folder."""
        spark = sys.modules.get("quintet_cli.cloud.repairs.emr_serverless")
        if spark is not None:
            spark.close()
        runtime = sys.modules.get("ministack.core.lambda_runtime")
        if runtime is not None:
            runtime.reset()

    async def stop(self) -> None:
        """Close the write-ahead log and end the background work."""
        if self._log is not None:
            await asyncio.to_thread(self._log.close)
            self._log = None
        if self._lifespan is not None:
            self._lifespan.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._lifespan

    async def _run_lifespan(self, started: "asyncio.Future[None]") -> None:
        first = True

        async def receive() -> Message:
            nonlocal first
            if first:
                first = False
                return {"type": "lifespan.startup"}
            # MiniStack's own shutdown saves state that the log holds already; it never comes.
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete" and not started.done():
                started.set_result(None)

        await self._application({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    def _environment(self) -> dict[str, str]:
        return {
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "0",
            "STATE_DIR": str(self._home.state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._home.objects),
            "TMPDIR": str(self._home.temporary),
            "LOG_LEVEL": os.environ.get("QUINTET_EMULATOR_LOG", "ERROR"),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "QUINTET_WORKER_DIR": str(self._home.temporary / "workers"),
            "QUINTET_WORKERS": str(self._settings.workers),
            "QUINTET_SPARK_JOBS": str(self._settings.spark_jobs),
            # The emulator checks no signature; a caller's real credentials must not reach functions or the emulator.
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def described(text: str) -> str:
    """Return a function's error as `Class: message`, or the text when it is not AWS's description of one."""
    try:
        found = json.loads(text)
        return f"{found['errorType']}: {found['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return text


def _repair() -> None:
    # Imported here: the repairs import MiniStack, which reads the environment that start() has just set.
    from quintet_cli.cloud import repairs  # noqa: PLC0415

    try:
        repairs.apply()
    except repairs.RepairError as error:
        raise CommandError(
            f"MiniStack is not the version this local cloud repairs ({error}); run make setup."
        ) from error


def _write_ahead_log(home: Home) -> "WriteAheadLog":
    # Imported here, like the repairs.
    from quintet_cli.cloud.wal import WalError, WriteAheadLog  # noqa: PLC0415

    try:
        log = WriteAheadLog(home.log)
        log.attach()
    except WalError as error:
        raise HomeError(f"The data folder {home.path} cannot be used: {error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(f"The data folder {home.path} is damaged: its log cannot be replayed ({error!r}).") from error
    return log


def _speak() -> None:
    """Let what the local cloud itself logs be read, and of the emulator errors only."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("quintet: %(message)s"))
    logger = logging.getLogger("quintet")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
