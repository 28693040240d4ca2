"""The program a Lambda worker process runs: import the handler once, then answer one invocation at a time.

It is started by `lambda_worker` with two inherited descriptors: the invocation socket (one JSON document a line, both
ways) and the lifeline (a pipe that ends when the launcher dies). Standard library only: it starts before the layers
are on the path, and what it imports is what every cold start pays.
"""

import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

Handler = Callable[[Any, Any], Any]


class Context:
    """What AWS passes as the handler's second argument."""

    def __init__(self, call: dict[str, Any]) -> None:
        environ = os.environ
        self.function_name = environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = call["arn"]
        self.aws_request_id = call["request_id"]
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + call["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until this invocation is stopped."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def watch(lifeline: int) -> None:
    """End this process, and all that it started, when the launcher is gone, even in the middle of a handler."""
    while os.read(lifeline, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def failure(error: BaseException, kind: str = "", message: str = "") -> dict[str, Any]:
    """AWS's description of an exception: its class, its message and its stack."""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return {"errorMessage": message or str(error), "errorType": kind or type(error).__name__, "stackTrace": frames}


def report(described: dict[str, Any]) -> None:
    """Print an error as AWS's runtime does, so that it is found in the function's log."""
    print(f"[ERROR] {described['errorType']}: {described['errorMessage']}")
    if described["stackTrace"]:
        print("Traceback (most recent call last):\n" + "".join(described["stackTrace"]))


def load(handler: str) -> Handler:
    """Import the handler named `package.module.function`."""
    module_name, _, function_name = handler.replace("/", ".").rpartition(".")
    found: Handler = getattr(importlib.import_module(module_name), function_name)
    return found


def start(handler: str) -> tuple[Handler | None, dict[str, Any]]:
    """The handler, or AWS's description of why it can't be imported."""
    try:
        return load(handler), {}
    except ImportError as error:
        module = handler.rpartition(".")[0]
        return None, failure(error, "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}")
    except AttributeError as error:
        return None, failure(error, "Runtime.HandlerNotFound", f"Handler '{handler}' not found: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a module's top level raises is its init error
        return None, failure(error)


def run(handler: Handler, call: dict[str, Any]) -> str:
    """One invocation's answer as a line of JSON."""
    if call.get("trace_id"):
        os.environ["_X_AMZN_TRACE_ID"] = call["trace_id"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result = handler(call["event"], Context(call))
    except Exception as error:  # noqa: BLE001 - a handler's exception is its answer
        described = failure(error)
        report(described)
        return json.dumps({"error": described})
    try:
        return json.dumps({"result": result})
    except (TypeError, ValueError, RecursionError) as error:
        described = failure(error, "Runtime.MarshalError", f"Unable to marshal response: {error}")
        report(described)
        return json.dumps({"error": described})


def main() -> None:
    """Serve invocations until the socket or the lifeline ends."""
    channel, lifeline = int(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=watch, args=(lifeline,), daemon=True, name="lifeline").start()
    # Lines reach the log as they are written: a call that is stopped keeps what it said before.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a child's streams are text files
    connection = socket.socket(fileno=channel)
    lines = connection.makefile("rb")
    handler, broken = start(os.environ["_HANDLER"])
    if broken:
        report(broken)
    connection.sendall(json.dumps({"ready": handler is not None, "error": broken}).encode() + b"\n")
    for line in lines:
        if handler is None:
            return
        answer = run(handler, json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(answer.encode() + b"\n")


if __name__ == "__main__":
    main()
