"""A Lambda worker process that keeps an exception's class, survives it, and adds no wait to a call.

Faults in MiniStack's worker: every exception is reported as `Runtime.HandlerError` (an ASL Retry or Catch that names
the class never matches) and ends the process; a call that logs nothing waits 50 ms for a log line; the launcher's
whole environment is passed on; a killed launcher leaves its workers.

Repair: the worker speaks over a socket of its own, so that nothing printed can be taken for an answer; output is
complete when the answer arrives, so that nothing is waited for; the worker leads its own process group, which a
time-out kills, and ends by itself when the launcher's end of the lifeline closes.

Asserted: the sources of `Worker._spawn`, `Worker.invoke`, `_worker_class_for` and `_execute_function_warm`.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from . import lambda_package
from .source import expect, replace, rewrite

_PROGRAM = Path(__file__).with_name("lambda_program.py")
# AWS stops an import after 10 s; a busy laptop deserves more before its first call is called broken.
_INIT_SECONDS = 60.0
_LOG_BYTES = 256 * 1024
# What a function inherits from the launcher's environment; all else is the function's own, as on AWS.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
              "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")  # fmt: skip
# A pipe whose writing end only this process holds: it closes with the process, however that ends.
_lifeline: tuple[int, int] | None = None
_lifeline_lock = threading.Lock()


class _Group(subprocess.Popen[bytes]):
    """A process that takes the processes it started with it."""

    def send_signal(self, sig: int) -> None:
        """Signal the whole group."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sig)

    def terminate(self) -> None:
        """A worker has nothing to save: stop it now."""
        self.send_signal(signal.SIGKILL)

    kill = terminate


class InitError(RuntimeError):
    """The handler can't be imported; `described` is AWS's description."""

    def __init__(self, described: dict[str, Any], log: str) -> None:
        super().__init__(described.get("errorMessage", ""))
        self.described = described
        self.log = log


class PythonWorker(lambda_runtime.Worker):  # type: ignore[misc]  # MiniStack carries no types
    """One process that runs one Python function; a pool leases it for one invocation at a time."""

    # None until the first spawn; typed loosely since every use follows one.
    _channel: Any = None
    _proc: Any
    _log: int
    _init_log = b""

    def _spawn(self) -> None:
        code = lambda_package.unpacked(self.code_zip)
        layers = [lambda_package.unpacked(zipped) for zipped in _layer_zips(self.config)]
        ours, theirs = socket.socketpair()
        log_out, log_in = os.pipe()
        lifeline = _lifeline_end()
        try:
            self._proc = _Group(
                [sys.executable, "-P", str(_PROGRAM), str(theirs.fileno()), str(lifeline)],
                cwd=code, env=_environment(self.config, code, layers), stdin=subprocess.DEVNULL,
                stdout=log_in, stderr=log_in, pass_fds=(theirs.fileno(), lifeline), start_new_session=True,
            )  # fmt: skip
        except OSError:
            ours.close()
            os.close(log_out)
            raise
        finally:
            theirs.close()
            os.close(log_in)
        os.set_blocking(log_out, False)
        self._close_channel()
        self._channel, self._log = ours, log_out
        log = bytearray()
        answer = self._answer(time.monotonic() + _INIT_SECONDS, log)
        if answer is None or not answer.get("ready"):
            described = (answer or {}).get("error") or {
                "errorMessage": "Runtime exited during init", "errorType": "Runtime.ExitError"}  # fmt: skip
            lambda_runtime.kill_workers([self])
            raise InitError(described, log.decode("utf-8", "replace"))
        self._init_log = bytes(log)
        self._start_time = time.time()

    def invoke(
        self, event: Any, request_id: str, *, trace_id: str | None = None, invoked_function_arn: str = "", **_: Any
    ) -> dict[str, Any]:
        """Run one invocation; `error_payload` of the answer is AWS's description of what went wrong."""
        with self._lock:
            cold = self._proc is None or self._proc.poll() is not None
            if cold:
                try:
                    self._spawn()
                except InitError as error:
                    return {"status": "error", "error_payload": error.described, "cold_start": True, "log": error.log}
            timeout = float(self.config.get("Timeout", 3))
            call = {"event": event, "request_id": request_id, "timeout": timeout, "trace_id": trace_id,
                    "arn": invoked_function_arn or self.config.get("FunctionArn", "")}  # fmt: skip
            log = bytearray(self._init_log)
            self._init_log = b""
            deadline = time.monotonic() + timeout
            answer: dict[str, Any] | None = None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._channel.sendall(json.dumps(call).encode() + b"\n")
                answer = self._answer(deadline, log)
            text = log.decode("utf-8", "replace").rstrip("\n")
            if answer is not None and "result" in answer:
                return {"status": "ok", "result": answer["result"], "cold_start": cold, "log": text}
            described = answer["error"] if answer is not None else self._ended(request_id, timeout, deadline)
            return {"status": "error", "error_payload": described, "cold_start": cold, "log": text}

    def _ended(self, request_id: str, timeout: float, deadline: float) -> dict[str, Any]:
        """Stop what is left of the process and say whether time ran out or it left."""
        late = time.monotonic() >= deadline
        proc: _Group = self._proc
        self._proc = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            if not late:
                proc.wait(1)
        code = proc.poll()
        lambda_runtime._signal(proc)
        lambda_runtime._collect(proc, time.monotonic() + 2)
        if late:
            return {"errorMessage": f"{request_id} Task timed out after {timeout:.2f} seconds",
                    "errorType": "Sandbox.Timedout"}  # fmt: skip
        cause = f"signal: {-code}" if code is not None and code < 0 else f"exit status {code}"
        return {"errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: {cause}",
                "errorType": "Runtime.ExitError"}  # fmt: skip

    def _answer(self, deadline: float, log: bytearray) -> dict[str, Any] | None:
        """The next line on the channel; None when the process ended or the deadline passed."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._log, select.POLLIN)
        parts: list[bytes] = []
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            for descriptor, _ in poll.poll(left * 1000):
                if descriptor == self._log:
                    if not self._drain(log):
                        poll.unregister(self._log)
                    continue
                part = self._channel.recv(1 << 18)
                if not part:
                    self._drain(log)
                    return None
                parts.append(part)
                if part.endswith(b"\n"):
                    # The worker flushed its output before it answered, so the pipe holds all of it by now.
                    self._drain(log)
                    found: dict[str, Any] = json.loads(b"".join(parts))
                    return found

    def _drain(self, log: bytearray) -> bool:
        """Move what the pipe holds into `log`, the last 256 KiB of it; False at the pipe's end."""
        try:
            while part := os.read(self._log, 1 << 16):
                log += part
                del log[:-_LOG_BYTES]
        except BlockingIOError:
            return True
        return False

    def _discard_tmpdir(self) -> None:
        self._close_channel()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            os.close(self._log)
            self._channel = None


def _layer_zips(config: dict[str, Any]) -> list[bytes]:
    zips = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
    return [zipped for zipped in zips if zipped]


def _environment(config: dict[str, Any], code: Path, layers: list[Path]) -> dict[str, str]:
    """The variables AWS sets, the function's own, and the few a process needs from its machine."""
    _, region = lambda_runtime._account_region_from_function_config(config)
    name = config.get("FunctionName", "")
    port = os.environ.get("GATEWAY_PORT", "4566")
    path = [code, *(found for layer in layers for found in _python_folders(layer))]
    reserved = lambda_runtime._RESERVED_RUNTIME_ENV_VARS
    own = (config.get("Environment") or {}).get("Variables") or {}
    return {
        **{key: os.environ[key] for key in _INHERITED if key in os.environ},
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        # The real account of whoever runs the cloud must be out of reach of its functions.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **{key: value for key, value in own.items() if key not in reserved},
        **lambda_runtime.execution_credentials(config),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', 'python3.11')}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_LOG_GROUP_NAME": (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": config.get("Handler", "index.handler"),
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }


def _python_folders(layer: Path) -> list[Path]:
    python = layer / "python"
    versions = sorted(python.glob("lib/python3.*/site-packages"))
    return [folder for folder in (python, *versions) if folder.is_dir()]


def _lifeline_end() -> int:
    global _lifeline  # noqa: PLW0603 - one pipe a process
    with _lifeline_lock:
        if _lifeline is None:
            _lifeline = os.pipe()
        return _lifeline[0]


def _class_for(config: dict[str, Any]) -> Any:
    runtime = str(config.get("Runtime", "python3.11"))
    if runtime.startswith("python"):
        return PythonWorker
    return lambda_runtime.ProvidedWorker if runtime.startswith("provided") else lambda_runtime.Worker


def repair() -> None:
    """Use `PythonWorker` for Python functions and pass its error on as it is."""
    expect(lambda_runtime.Worker, "_spawn", "c55febf95656")
    expect(lambda_runtime.Worker, "invoke", "96751a754710")
    replace(lambda_runtime, "_worker_class_for", _class_for, "b5a23849280a")
    rewrite(
        lambda_svc,
        "_execute_function_warm",
        (
            """                "body": {
                    "errorMessage": error_msg,
                    "errorType": error_type,
                },
""",
            """                "body": result.get("error_payload") or {
                    "errorMessage": error_msg,
                    "errorType": error_type,
                },
""",
        ),
        ('result.get("trace", result.get("error", ""))', 'result.get("trace", "")'),
    )
