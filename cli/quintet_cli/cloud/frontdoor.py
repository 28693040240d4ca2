"""The address that a person and a client use: the deployed HTTP API, readiness, and the console's files."""

import asyncio
import json
import mimetypes
from pathlib import Path
from urllib.parse import unquote

from quintet_cli.cloud import limits
from quintet_cli.cloud.emulator import Message, Receive, Send
from quintet_cli.cloud.gateway import Gateway, Headers, Request, Response
from quintet_cli.cloud.stream import Relay, wants_stream

_STREAM_HEADER = "x-quintet-stream"
_CONSOLE = "/console/"


class FrontDoor:
    """The ASGI application behind QUINTET_PORT."""

    def __init__(self, console: Path, port: int) -> None:
        self._console = console.resolve()
        self._port = port
        self._stopping = asyncio.Event()
        self.gateway: Gateway | None = None
        self.ready = False

    def stop(self) -> None:
        """End the event streams, so that the server need not wait for clients to leave."""
        self._stopping.set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if path == "/health/ready":
            await _reply(send, self._readiness())
        elif path in ("/console", "/console/") or path.startswith(_CONSOLE):
            await _reply(send, await asyncio.to_thread(self._file, path, scope["method"]))
        elif self.gateway is None:
            await _reply(send, _plain(503, limits.message("Service Unavailable")))
        else:
            await self._forward(self.gateway, scope, receive, send)

    async def _forward(self, gateway: Gateway, scope: Message, receive: Receive, send: Send) -> None:
        body = await _read_body(scope, receive)
        if body is None:
            await _reply(send, _plain(413, limits.message("Request Entity Too Large")), close=True)
            return
        request = self._request(scope, body)
        if wants_stream(request):
            await Relay(gateway, request, self._stopping).run(receive, send)
            return
        await _reply(send, await gateway.call(request), head=request.method == "HEAD")

    def _request(self, scope: Message, body: bytes) -> Request:
        headers = _merged(scope["headers"])
        # Only the front door itself may say that a piece of a stream is asked for.
        headers.pop(_STREAM_HEADER, None)
        client = (scope.get("client") or ("127.0.0.1",))[0]
        forwarded = headers.get("x-forwarded-for")
        headers["x-forwarded-for"] = f"{forwarded}, {client}" if forwarded else client
        headers["x-forwarded-proto"] = scope.get("scheme", "http")
        headers["x-forwarded-port"] = str(self._port)
        raw = scope.get("raw_path") or scope["path"].encode()
        return Request(
            method=scope["method"],
            raw_path=raw.decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
        )

    def _readiness(self) -> Response:
        status = 200 if self.ready else 503
        return _plain(status, json.dumps({"status": "ready" if self.ready else "starting"}).encode())

    def _file(self, path: str, method: str) -> Response:
        if path == "/console":
            return Response(308, {"location": _CONSOLE}, b"")
        wanted = (self._console / (unquote(path.removeprefix(_CONSOLE)) or "index.html")).resolve()
        if method not in ("GET", "HEAD") or not wanted.is_relative_to(self._console) or not wanted.is_file():
            return _plain(404, limits.message("Not Found"))
        kind = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
        headers: dict[str, str | list[str]] = {"content-type": kind, "cache-control": "no-cache"}
        return Response(200, headers, b"" if method == "HEAD" else wanted.read_bytes())


async def _read_body(scope: Message, receive: Receive) -> bytes | None:
    """Return the whole body, or None when it is larger than API Gateway takes."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limits.MAX_BODY:
            return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.MAX_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _merged(headers: Headers) -> dict[str, str]:
    """Join repeated headers with commas, as payload format 2.0 does; cookies are joined with semicolons."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        try:
            value = raw_value.decode("utf-8")
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ","
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found


def _plain(status: int, body: bytes) -> Response:
    return Response(status, {"content-type": "application/json"}, body)


async def _reply(send: Send, response: Response, *, head: bool = False, close: bool = False) -> None:
    headers = response.wire_headers()
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})
