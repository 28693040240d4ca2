"""One client's connection: requests in, ASGI calls, responses out, one after the other."""

import asyncio
import logging
import time
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from quintet_cli.cloud.emulator import Application, Message
from quintet_cli.cloud.http_message import MAX_HEAD, BadMessage, Body, Head, Headers, parse_head, response_head

if TYPE_CHECKING:
    from quintet_cli.cloud.server import Server

_log = logging.getLogger(__name__)
_PENDING_BYTES = 1024 * 1024
_DISCARD_S = 5.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_date: tuple[int, bytes] = (0, b"")


class Connection(asyncio.Protocol):
    """Reads requests off one socket and answers them in order."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._buffer = bytearray()
        self._exchange: Exchange | None = None
        self._discarding = False
        self._writable = asyncio.Event()
        self._writable.set()
        self.last_used = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a listening TCP socket makes no other
        self.transport = transport
        self._peer = transport.get_extra_info("peername")
        self._name = transport.get_extra_info("sockname")
        self._server.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """End; the running call hears of it."""
        self._server.connections.discard(self)
        self._writable.set()
        if self._exchange is not None:
            self._exchange.leave()

    def data_received(self, data: bytes) -> None:
        """Take bytes off the wire."""
        self.last_used = time.monotonic()
        self._buffer += data
        try:
            self._advance()
        except BadMessage as error:
            self._refuse(error)

    def pause_writing(self) -> None:
        """Hold the answer back: the client reads slower than it is made."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""
        return self._exchange is not None

    def close(self) -> None:
        """Close without waiting; a running call is cancelled."""
        if self._exchange is not None:
            self._exchange.cancel()
        self.transport.close()

    async def write(self, data: bytes) -> None:
        """Write, waiting while the client lags behind."""
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    def finished(self, *, keep_alive: bool) -> None:
        """Go on with the next request, or close when the last answer was the last one."""
        exchange, self._exchange = self._exchange, None
        self.last_used = time.monotonic()
        if self.transport.is_closing() or exchange is None:
            return
        self.transport.resume_reading()
        if keep_alive and exchange.body.complete and not self._server.stopping:
            try:
                self._advance()
            except BadMessage as error:
                self._refuse(error)
            return
        if exchange.body.complete:
            self.transport.close()
            return
        # Closing under a client that still sends would take the answer from it: its bytes are read and dropped.
        self._discarding = True
        self._buffer.clear()
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(_DISCARD_S, self.transport.close)

    def hold(self) -> None:
        """Read no more until the application has taken what is there."""
        self.transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _advance(self) -> None:
        if self._discarding:
            self._buffer.clear()
            return
        if self._exchange is None and not self._begin():
            return
        assert self._exchange is not None  # noqa: S101 - _begin has made it
        self._exchange.feed(self._buffer)
        if self._exchange.body.complete and len(self._buffer) > _PENDING_BYTES:
            self.hold()

    def _begin(self) -> bool:
        while self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(self._buffer) > MAX_HEAD:
                raise BadMessage(431, "request head too large")
            return False
        head = parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        self._exchange = Exchange(self, head)
        self._exchange.start(self._server.application, head.scope(self._peer, self._name))
        return True

    def _refuse(self, error: BadMessage) -> None:
        if self._exchange is not None:
            self._exchange.cancel()
        elif not self.transport.is_closing():
            body = str(error).encode()
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
            self.transport.write(response_head(error.status, [*headers, (b"connection", b"close")]) + body)
        self._discarding = True
        self.transport.close()


class Exchange:
    """One request and its answer."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._head = head
        self.body = Body(head)
        self._parts: deque[bytes] = deque()
        self._pending = 0
        self._told_end = False
        self._gone = False
        self._news = asyncio.Event()
        self._start: Message | None = None
        self._sent_head = False
        self._chunked = False
        self._bodiless = False
        self._keep_alive = head.keep_alive
        self._done = False

    def start(self, application: Application, scope: dict[str, Any]) -> None:
        """Call the application."""
        self._task = asyncio.create_task(self._run(application, scope))

    def feed(self, buffer: bytearray) -> None:
        """Take this request's part of what has arrived."""
        if self.body.complete:
            return
        part = self.body.take(buffer)
        if part:
            self._parts.append(part)
            self._pending += len(part)
            if self._pending > _PENDING_BYTES:
                self._connection.hold()
        self._news.set()

    def leave(self) -> None:
        """Note that the client is gone."""
        self._gone = True
        self._news.set()

    def cancel(self) -> None:
        """Stop the application's call."""
        self._gone = True
        self._task.cancel()

    async def _run(self, application: Application, scope: dict[str, Any]) -> None:
        try:
            await application(scope, self._receive, self._send)
        except Exception:  # noqa: BLE001 - an application's fault is this request's, not the server's
            _log.exception("The application failed.")
            if not self._sent_head and not self._gone:
                await self._send({"type": "http.response.start", "status": 500, "headers": []})
                await self._send({"type": "http.response.body", "body": b'{"message": "Internal Server Error"}'})
        finally:
            self._connection.finished(keep_alive=self._keep_alive and self._done)

    async def _receive(self) -> Message:
        if self._head.expects_continue and not self._sent_head and not self.body.complete:
            self._head.expects_continue = False
            await self._connection.write(_CONTINUE)
        while True:
            if self._parts:
                data = b"".join(self._parts)
                self._parts.clear()
                self._pending = 0
                self._connection.go_on()
                self._told_end = self.body.complete
                return {"type": "http.request", "body": data, "more_body": not self._told_end}
            if self.body.complete and not self._told_end:
                self._told_end = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self._gone or self._done:
                return {"type": "http.disconnect"}
            self._news.clear()
            await self._news.wait()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body" and not self._done and not self._gone:
            body = message.get("body", b"")
            more = bool(message.get("more_body"))
            out = b"" if self._sent_head else self._head_bytes(len(body), more=more)
            self._done = not more
            await self._connection.write(out + self._framed(body, more=more))
            if self._done:
                self._news.set()

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self._bodiless:
            return b""
        if not self._chunked:
            return body
        part = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        return part if more else part + b"0\r\n\r\n"

    def _head_bytes(self, size: int, *, more: bool) -> bytes:
        assert self._start is not None  # noqa: S101 - ASGI sends the start first
        status = int(self._start["status"])
        headers: Headers = [(bytes(name).lower(), bytes(value)) for name, value in self._start.get("headers", [])]
        names = {name for name, _ in headers}
        self._sent_head = True
        self._bodiless = self._head.method == "HEAD" or status in (204, 304)
        if status not in (204, 304) and b"content-length" not in names:
            if not more:
                headers.append((b"content-length", b"%d" % size))
            elif self._head.version == b"1.1":
                self._chunked = True
                headers.append((b"transfer-encoding", b"chunked"))
            else:
                self._keep_alive = False
        if b"date" not in names:
            headers.append((b"date", _now()))
        # An answer before the end of the request is the last one: what follows could not be told from its body.
        if (b"connection", b"close") in headers or not self.body.complete:
            self._keep_alive = False
        if not self._keep_alive and b"connection" not in names:
            headers.append((b"connection", b"close"))
        return response_head(status, headers)


def _now() -> bytes:
    global _date  # noqa: PLW0603 - formatted once a second, for all connections
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True).encode())
    return _date[1]
