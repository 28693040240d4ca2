"""The HTTP server itself, in front of small applications."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from quintet_cli.cloud import server

Scenario = Callable[[int, asyncio.Event], Awaitable[Any]]


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, or in the way that the path says."""
    if scope["path"] == "/fault":
        raise RuntimeError("as the test wants")
    body, more = b"", True
    while more and scope["path"] != "/early":
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
    if scope["path"] == "/parts":
        for number in range(3):
            await send({"type": "http.response.body", "body": b"part%d" % number, "more_body": True})
    size = int(scope["query_string"] or 0) if scope["path"] == "/big" else 0
    await send({"type": "http.response.body", "body": b"x" * size if size else body})


def _serve(application: Any, scenario: Scenario) -> Any:
    async def main() -> Any:
        sock = server.bind_free()
        stop = asyncio.Event()
        serving = asyncio.create_task(server.Server(application, [sock]).serve(stop))
        try:
            return await asyncio.wait_for(scenario(sock.getsockname()[1], stop), 20)
        finally:
            stop.set()
            await asyncio.wait_for(serving, 20)

    return asyncio.run(main())


async def _exchange(port: int, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    found = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return found


def _ask(*parts: bytes) -> bytes:
    """Send bytes on one connection, the last request closing it, and return all that comes back."""
    return _serve(_echo, lambda port, _stop: _exchange(port, *parts))  # type: ignore[no-any-return]  # bytes


_CLOSE = b"Connection: close\r\n\r\n"


def _bodies(wire: bytes) -> Iterator[bytes]:
    while wire:
        head, _, rest = wire.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        yield rest[:length]
        wire = rest[length:]


def test_requests_that_follow_each_other_are_answered_in_order() -> None:
    """Three requests in one packet, with and without bodies, get three answers on one connection."""
    wire = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\noneGET / HTTP/1.1\r\n\r\n"
    wire += b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nthree\r\n0\r\n\r\n"
    assert list(_bodies(_ask(wire))) == [b"one", b"", b"three"]


def test_a_request_in_single_bytes_is_put_together() -> None:
    """How the network cuts a request does not matter."""
    wire = b"POST /a%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" + _CLOSE + b"hello"
    found = _ask(*(wire[at : at + 1] for at in range(len(wire))))
    assert found.startswith(b"HTTP/1.1 200 OK\r\nx-path: /a%20b\r\n")
    assert list(_bodies(found)) == [b"hello"]


def test_a_client_that_waits_to_send_is_told_to_go_on() -> None:
    """Expect: 100-continue, as SDKs send with uploads, is answered before the body."""

    async def scenario(port: int, _stop: asyncio.Event) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" + _CLOSE)
        told = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hi")
        answer = await reader.read()
        writer.close()
        return told, answer

    told, answer = _serve(_echo, scenario)
    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.endswith(b"\r\n\r\nhi")


def test_an_answer_in_parts_is_chunked_and_for_an_old_client_ends_with_the_connection() -> None:
    """HTTP/1.1 gets chunks, HTTP/1.0 the bytes and the end."""
    assert _ask(b"GET /parts HTTP/1.1\r\n" + _CLOSE).endswith(b"5\r\npart0\r\n5\r\npart1\r\n5\r\npart2\r\n0\r\n\r\n")
    assert _ask(b"GET /parts HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\npart0part1part2")


def test_head_gets_the_length_and_no_body() -> None:
    """The connection is whole after it."""
    wire = b"HEAD /big?5 HTTP/1.1\r\n\r\nGET /big?3 HTTP/1.1\r\n" + _CLOSE
    found = _ask(wire)
    assert b"content-length: 5\r\n" in found
    assert found.endswith(b"\r\n\r\nxxx")


def test_an_application_that_fails_gives_500_and_the_connection_ends() -> None:
    """The client gets an answer, and no part of the error."""
    found = _ask(b"GET /fault HTTP/1.1\r\n" + _CLOSE)
    assert found.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"as the test wants" not in found


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/3.0\r\n\r\n", b"505"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70000, b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(wire: bytes, status: bytes) -> None:
    """Bad requests get one answer and nothing after it."""
    assert _ask(wire).startswith(b"HTTP/1.1 " + status)


def test_a_broken_chunk_ends_the_connection_without_an_answer_made_of_it() -> None:
    """The application never takes half a body for a whole one."""
    assert b"200 OK" not in _ask(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX")


def test_a_large_answer_waits_for_a_slow_reader() -> None:
    """Thirty megabytes arrive whole at a client that reads late."""

    async def scenario(port: int, _stop: asyncio.Event) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /big?30000000 HTTP/1.1\r\n" + _CLOSE)
        await asyncio.sleep(0.05)
        found = await reader.read()
        writer.close()
        return len(found.partition(b"\r\n\r\n")[2])

    assert _serve(_echo, scenario) == 30_000_000


def test_an_answer_before_the_end_of_the_request_reaches_the_client() -> None:
    """What the client still sends is read and dropped, so that it gets to read its answer."""
    body = b"x" * 8_000_000
    found = _ask(b"POST /early HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body), body)
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in found


def test_an_application_hears_when_its_client_leaves() -> None:
    """A stream that nobody reads any more can end."""
    heard = asyncio.Event()

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        heard.set()

    async def scenario(port: int, _stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"first")
        writer.close()
        await heard.wait()

    _serve(application, scenario)


def test_a_stop_lets_a_running_call_finish_and_closes_idle_connections() -> None:
    """The answer that is under way still arrives."""
    entered = asyncio.Event()
    going_on = asyncio.Event()

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        entered.set()
        await going_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def scenario(port: int, stop: asyncio.Event) -> tuple[bytes, bytes]:
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await entered.wait()
        stop.set()
        idle = await idle_reader.read()
        going_on.set()
        answer = await reader.read()
        writer.close()
        idle_writer.close()
        return idle, answer

    idle, answer = _serve(application, scenario)
    assert idle == b""
    assert answer.endswith(b"\r\n\r\ndone")
