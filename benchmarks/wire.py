"""HTTP as lean as it gets on one kept connection: the client's own time is part of every figure."""

import http.client
import json
import time
from typing import Any

REGION = "us-east-1"
_IDLE_S = 3.0
# The emulator reads the account and the service from this header and checks no signature.
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=000000000000/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
)


class Broken(RuntimeError):
    """Something other than slowness: the bench ends with exit code 1."""


class Wire:
    """One kept connection that speaks JSON."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"content-type": "application/json", **headers}
        self._used = 0.0

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a good answer; raises Broken for any other."""
        sent = None if body is None else json.dumps(body).encode()
        return self.send(method, path, sent)

    def send(self, method: str, path: str, body: bytes | None, content_type: str | None = None) -> Any:
        """The same for a body of any type."""
        headers = self._headers if content_type is None else {**self._headers, "content-type": content_type}
        now = time.monotonic()
        if now - self._used > _IDLE_S:
            self._connection.close()  # the other side may have done so; the request opens it anew
        self._used = now
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        raw = response.read()
        if response.status >= 300:
            raise Broken(f"{method} {path}: {response.status} {raw[:500].decode(errors='replace')}")
        return json.loads(raw) if raw else None

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def signed(service: str) -> str:
    """The header that tells the emulator the service."""
    return _SIGNED.format(region=REGION, service=service)


class AwsWire:
    """JSON calls of one AWS service of the emulator."""

    def __init__(self, port: int, service: str) -> None:
        self._service = {"dynamodb": "DynamoDB_20120810", "states": "AWSStepFunctions"}[service]
        self._port = port
        self._headers = {"content-type": "application/x-amz-json-1.0", "authorization": signed(service)}
        self._wires: dict[str, Wire] = {}

    def call(self, action: str, **params: Any) -> Any:
        """One action's answer; raises Broken for a refused one."""
        if action not in self._wires:
            self._wires[action] = Wire(self._port, {**self._headers, "x-amz-target": f"{self._service}.{action}"})
        return self._wires[action].ask("POST", "/", params)

    def close(self) -> None:
        """Closes the connections."""
        for wire in self._wires.values():
            wire.close()
