"""Lambda functions that are called: the carriers of long steps, the runner of user code, the SQL function."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quintet.adapters.aws import client, patient_client
from quintet.services.ports.functions import FunctionFault

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import InvocationResponseTypeDef

_PATIENCE = (15, 28, 60, 300, 910)
_THROTTLED_TRIES = 5


class LambdaCarriers:
    """Port Carriers on the asynchronous carry function."""

    def __init__(self, function: str) -> None:
        self._function = function

    def start(self, run_id: str, path: str, token: int) -> None:
        """Starts the attempt; Lambda repeats a failed invocation twice, so the attempt fences itself."""
        client("lambda").invoke(
            FunctionName=self._function,
            InvocationType="Event",
            Payload=json.dumps({"runId": run_id, "path": path, "token": token}).encode(),
        )


class LambdaFunctions:
    """Port Functions."""

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Calls a function and waits for its answer; never twice, unless the first was refused unheard (throttled).

        `timeout` is in seconds; the wait may last up to the next of 15, 28, 60, 300 and 910, since the function keeps its own time and a
        client is kept per patience. Raises FunctionFault.
        """
        answer = _invoke(function, json.dumps(payload).encode(), timeout)
        raw = answer["Payload"].read()
        try:
            data = json.loads(raw) if raw else None
        except ValueError:
            raise FunctionFault("FunctionError", "the answer is not JSON") from None
        if answer.get("FunctionError"):
            raise _raised(data if isinstance(data, dict) else {})
        if not isinstance(data, dict):
            raise FunctionFault("FunctionError", "the answer is not an object")
        return data


def _raised(error: Mapping[str, Any]) -> FunctionFault:
    kind, message = str(error.get("errorType") or "Unknown"), str(error.get("errorMessage") or "no message")
    timed_out = kind == "Sandbox.Timedout" or "Task timed out" in message
    return FunctionFault("Timeout" if timed_out else "FunctionError", f"{kind}: {message}")


def _invoke(function: str, body: bytes, timeout: float) -> "InvocationResponseTypeDef":
    from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError  # here, as in aws.py

    patience = next((seconds for seconds in _PATIENCE if seconds >= timeout), _PATIENCE[-1])
    lambdas = patient_client(patience)
    for tried in range(_THROTTLED_TRIES):
        try:
            return lambdas.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=body)
        except ReadTimeoutError:
            raise FunctionFault("Timeout", f"no answer in {patience} s") from None
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "TooManyRequestsException" or tried == _THROTTLED_TRIES - 1:
                raise FunctionFault("Unavailable", f"{code}: {error.response['Error'].get('Message', '')}") from error
        except BotoCoreError as error:
            raise FunctionFault("Unavailable", type(error).__name__) from error
        time.sleep(0.1 * 2**tried)
    raise AssertionError("unreachable")
