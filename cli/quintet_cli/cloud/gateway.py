"""The deployed HTTP API, called in this process as API Gateway calls it: no socket between the front door and it."""

import asyncio
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from quintet_cli.cloud import limits
from quintet_cli.cloud.emulator import described

Headers = list[tuple[bytes, bytes]]
_FUNCTION_FAILED = 502


@dataclass(frozen=True)
class Request:
    """An HTTP request as it came over the wire; header names are lower case."""

    method: str
    raw_path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """A whole answer; a header whose value is a list is sent once for each."""

    status: int
    headers: dict[str, str | list[str]]
    body: bytes

    def wire_headers(self) -> Headers:
        """Return the headers for ASGI, with the body's length."""
        found: Headers = []
        for name, value in self.headers.items():
            key = name.lower().encode("latin-1")
            if key == b"content-length":
                continue
            for item in value if isinstance(value, list) else [value]:
                found.append((key, str(item).encode("utf-8")))
        found.append((b"content-length", str(len(self.body)).encode()))
        return found

    def header(self, name: str) -> str:
        """Return a header's value by its lower-case name, or nothing."""
        for key, value in self.headers.items():
            if key.lower() == name:
                return value[0] if isinstance(value, list) else value
        return ""


class Gateway:
    """One deployed HTTP API."""

    def __init__(self, api_id: str, say: Callable[[str], None]) -> None:
        self._api_id = api_id
        self._say = say
        self._service: Any = importlib.import_module("ministack.services.apigateway")
        stages = self._service.stages_for_api(api_id)
        self._stage = "$default" if "$default" in stages else next(iter(stages), "$default")

    async def call(self, request: Request) -> Response:
        """Run the request through its route's integration; the time limit is API Gateway's 30 s."""
        work = asyncio.ensure_future(self._execute(request))
        done, _ = await asyncio.wait({work}, timeout=limits.INTEGRATION_TIMEOUT_S)
        if not done:
            # The function goes on, as on AWS; only its answer is lost.
            work.add_done_callback(_forget)
            return Response(503, {"content-type": "application/json"}, limits.message("Service Unavailable"))
        return work.result()

    async def _execute(self, request: Request) -> Response:
        path = self._service.decode_http_api_path(request.raw_path)
        query = parse_qs(request.query, keep_blank_values=True)
        status, headers, body = await self._service.handle_execute(
            self._api_id, self._stage, path, request.method, request.headers, request.body, query,
            raw_query_string=request.query,
        )  # fmt: skip
        answer = Response(status, headers, body if isinstance(body, bytes) else str(body).encode())
        if fault := _fault(answer):
            self._say(f"{request.method} {path}: {fault}")
            return Response(500, {"content-type": "application/json"}, limits.message("Internal Server Error"))
        return answer


def _fault(answer: Response) -> str:
    """Return what a function raised; the emulator answers with it, where API Gateway tells the client nothing."""
    if answer.status != _FUNCTION_FAILED or b'"errorMessage"' not in answer.body:
        return ""
    return described(answer.body.decode(errors="replace"))


def _forget(work: "asyncio.Future[Response]") -> None:
    if not work.cancelled():
        work.exception()
