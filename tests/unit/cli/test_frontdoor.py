"""The front door in front of an API that the test answers for."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from quintet_cli.cloud import stream
from quintet_cli.cloud.frontdoor import FrontDoor
from quintet_cli.cloud.gateway import Request, Response


class FakeGateway:
    """Answers with what the test prepared, in order, and keeps what it was asked."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    async def call(self, request: Request) -> Response:
        """Answer the next call; wait for ever when there is nothing left to say."""
        self.asked.append(request)
        if not self.answers:
            await asyncio.Event().wait()
        return self.answers.pop(0)


class Client:
    """One request through ASGI, with the answer put together."""

    def __init__(self, leaves: bool = False) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self._leaves = leaves

    async def ask(self, door: FrontDoor, method: str, path: str, **options: Any) -> "Client":
        """Send the request and wait for the whole answer."""
        target, _, query = path.partition("?")
        headers = options.get("headers", [])
        bodies: list[bytes] = list(options.get("bodies", [b""]))
        scope = {"type": "http", "method": method, "path": target, "raw_path": target.encode(), "scheme": "http",
                 "query_string": query.encode(), "headers": headers, "client": ("127.0.0.1", 1)}  # fmt: skip

        async def receive() -> dict[str, Any]:
            if bodies:
                return {"type": "http.request", "body": bodies.pop(0), "more_body": bool(bodies)}
            if not self._leaves:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = dict(message["headers"])
            else:
                self.parts.append(message.get("body", b""))

        await door(scope, receive, send)
        return self

    @property
    def body(self) -> bytes:
        """The whole answer."""
        return b"".join(self.parts)


def _door(tmp_path: Path, gateway: FakeGateway | None = None) -> FrontDoor:
    door = FrontDoor(tmp_path, 8020)
    door.gateway = gateway  # type: ignore[assignment]  # the fake answers the one method that is used
    return door


def _piece(text: str) -> Response:
    return Response(200, {"Content-Type": "text/event-stream"}, text.encode())


_EVENTS = [(b"accept", b"text/event-stream")]


def _run(tmp_path: Path, gateway: FakeGateway | None, method: str, path: str, **options: Any) -> Client:
    async def scenario() -> Client:
        client = Client(leaves=options.pop("leaves", False))
        return await asyncio.wait_for(client.ask(_door(tmp_path, gateway), method, path, **options), 10)

    return asyncio.run(scenario())


def test_readiness_is_told_before_and_after(tmp_path: Path) -> None:
    """/health/ready is 503 until everything is done, then 200."""

    async def scenario() -> tuple[int, int]:
        door = _door(tmp_path)
        before = (await Client().ask(door, "GET", "/health/ready")).status
        door.ready = True
        return before, (await Client().ask(door, "GET", "/health/ready")).status

    assert asyncio.run(scenario()) == (503, 200)


def test_before_the_deployment_the_api_is_unavailable(tmp_path: Path) -> None:
    """A client that is too early is told to come again, as by API Gateway."""
    answer = _run(tmp_path, None, "GET", "/api/x")
    assert (answer.status, json.loads(answer.body)) == (503, {"message": "Service Unavailable"})


def test_a_request_reaches_the_api_as_it_came(tmp_path: Path) -> None:
    """Method, path, query and body are passed on unchanged; repeated headers are joined."""
    gateway = FakeGateway(Response(201, {"X-A": "b", "Set-Cookie": ["a=1", "b=2"]}, b"done"))
    headers = [(b"X-Twice", b"1"), (b"x-twice", b"2"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    answer = _run(tmp_path, gateway, "POST", "/api/a%2Fb?c=%20d", headers=headers, bodies=[b"he", b"llo"])
    [request] = gateway.asked
    assert (request.method, request.raw_path, request.query, request.body) == ("POST", "/api/a%2Fb", "c=%20d", b"hello")
    assert (request.headers["x-twice"], request.headers["cookie"]) == ("1,2", "a=1; b=2")
    assert (answer.status, answer.headers[b"x-a"], answer.body) == (201, b"b", b"done")


def test_the_clients_address_is_added_to_the_forwarded_ones(tmp_path: Path) -> None:
    """x-forwarded-for names every hop, as behind API Gateway."""
    gateway = FakeGateway(Response(200, {}, b""))
    _run(tmp_path, gateway, "GET", "/api/x", headers=[(b"x-forwarded-for", b"10.0.0.1")])
    assert gateway.asked[0].headers["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"


def test_nobody_outside_can_ask_for_a_piece(tmp_path: Path) -> None:
    """The header that makes a function answer at once is the front door's own."""
    gateway = FakeGateway(Response(200, {}, b""))
    _run(tmp_path, gateway, "GET", "/api/x", headers=[(b"X-Quintet-Stream", b"1")])
    assert "x-quintet-stream" not in gateway.asked[0].headers


@pytest.mark.parametrize("told", [True, False])
def test_more_than_ten_megabytes_are_refused(tmp_path: Path, told: bool) -> None:
    """API Gateway's limit holds, whether the length is told or not, and the API is not called."""
    gateway = FakeGateway()
    part = b"x" * (1024 * 1024)
    bodies = [b""] if told else [part] * 10 + [b"x"]
    headers = [(b"content-length", str(10 * 1024 * 1024 + 1).encode())] if told else []
    answer = _run(tmp_path, gateway, "POST", "/api/x", headers=headers, bodies=bodies)
    assert (answer.status, json.loads(answer.body)) == (413, {"message": "Request Entity Too Large"})
    assert gateway.asked == []


def test_exactly_ten_megabytes_are_taken(tmp_path: Path) -> None:
    """The limit itself is still allowed."""
    gateway = FakeGateway(Response(200, {}, b""))
    _run(tmp_path, gateway, "POST", "/api/x", bodies=[b"x" * (1024 * 1024)] * 10)
    assert len(gateway.asked[0].body) == 10 * 1024 * 1024


def test_a_head_request_gets_no_body(tmp_path: Path) -> None:
    """HEAD answers with the headers of what GET would answer."""
    answer = _run(tmp_path, FakeGateway(Response(200, {}, b"four")), "HEAD", "/api/x")
    assert (answer.headers[b"content-length"], answer.body) == (b"4", b"")


def test_the_console_is_served_from_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    """Files of console/ are served with their type; no path leads out of the folder."""
    console = tmp_path / "console"
    console.mkdir()
    (tmp_path / "secret").write_text("s")
    (console / "index.html").write_text("<p>")
    (console / "app.js").write_text("1")
    assert _run(console, None, "GET", "/console").headers[b"location"] == b"/console/"
    assert _run(console, None, "GET", "/console/").body == b"<p>"
    assert _run(console, None, "GET", "/console/app.js").headers[b"content-type"].endswith(b"javascript")
    for path in ("/console/../secret", "/console/%2e%2e/secret", "/console/none.js", "/console//etc/passwd"):
        assert _run(console, None, "GET", path).status == 404


def test_a_stream_is_passed_on_until_its_end(tmp_path: Path) -> None:
    """Pieces follow each other on one connection, each asked for after the last id seen, until the end event."""
    gateway = FakeGateway(
        _piece("id: 1\ndata: a\n\n"), _piece(""), _piece("id: 2\ndata: b\n\nid: 3\ndata: c\n\n"),
        _piece("id: 4\nevent: end\ndata: d\n\n"),
    )  # fmt: skip
    answer = _run(tmp_path, gateway, "GET", "/api/runs/1/events", headers=_EVENTS)
    assert answer.body == b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\nid: 4\nevent: end\ndata: d\n\n"
    assert [request.headers.get("last-event-id") for request in gateway.asked] == [None, "1", "1", "3"]
    assert {request.headers["x-quintet-stream"] for request in gateway.asked} == {"1"}
    assert b"content-length" not in answer.headers


def test_a_stream_goes_on_where_the_client_says(tmp_path: Path) -> None:
    """A client that comes back is answered from its own Last-Event-ID on."""
    gateway = FakeGateway(_piece("event: end\ndata: x\n\n"))
    _run(tmp_path, gateway, "GET", "/a/stream", headers=[*_EVENTS, (b"last-event-id", b"41")])
    assert gateway.asked[0].headers["last-event-id"] == "41"


@pytest.mark.parametrize("status", [204, 401, 404, 500])
def test_a_first_answer_that_is_no_stream_is_passed_through(tmp_path: Path, status: int) -> None:
    """An error keeps its status and body."""
    gateway = FakeGateway(Response(status, {"content-type": "application/json"}, b'{"detail":"x"}'))
    answer = _run(tmp_path, gateway, "GET", "/api/events", headers=_EVENTS)
    assert (answer.status, answer.body) == (status, b'{"detail":"x"}')


@pytest.mark.parametrize("status", [204, 500])
def test_a_later_answer_that_is_none_ends_the_stream(tmp_path: Path, status: int) -> None:
    """204 and errors end what has been begun; the client comes back by itself."""
    gateway = FakeGateway(_piece("id: 1\ndata: a\n\n"), Response(status, {}, b"no"))
    assert _run(tmp_path, gateway, "GET", "/api/events", headers=_EVENTS).body == b"id: 1\ndata: a\n\n"


def test_a_client_that_leaves_ends_the_asking(tmp_path: Path) -> None:
    """Nobody is asked for the next piece when nobody reads it."""
    gateway = FakeGateway(_piece("id: 1\ndata: a\n\n"))
    answer = _run(tmp_path, gateway, "GET", "/api/events", headers=_EVENTS, leaves=True)
    assert answer.status == 200


def test_a_stopping_server_ends_its_streams(tmp_path: Path) -> None:
    """A stop does not wait for a client to go."""

    async def scenario() -> bytes:
        door = _door(tmp_path, FakeGateway(_piece("id: 1\ndata: a\n\n")))
        client = Client()
        asking = asyncio.create_task(client.ask(door, "GET", "/api/events", headers=_EVENTS))
        while not client.parts:
            await asyncio.sleep(0)
        door.stop()
        await asyncio.wait_for(asking, 10)
        return client.body

    assert asyncio.run(scenario()) == b"id: 1\ndata: a\n\n"


def test_a_silent_stream_is_kept_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing happens, a comment says that the connection lives."""
    monkeypatch.setattr(stream, "KEEP_ALIVE_S", 0.01)

    async def scenario() -> bytes:
        door = _door(tmp_path, FakeGateway(_piece("id: 1\ndata: a\n\n")))
        client = Client()
        asking = asyncio.create_task(client.ask(door, "GET", "/api/events", headers=_EVENTS))
        while b"keep-alive" not in client.body:
            await asyncio.sleep(0.005)
        door.stop()
        await asking
        return client.body

    assert asyncio.run(scenario()).startswith(b"id: 1\ndata: a\n\n: keep-alive\n\n")


@pytest.mark.parametrize(
    ("text", "last_id", "ends"),
    [
        ("id: 5\ndata: x\n\n", "5", False),
        ("id:6\r\nevent:end\r\n\r\n", "6", True),
        ("data: event: end\n\n", None, False),
        ("data: a\u2028id: 9\n\n", None, False),
        (": nothing\n\n", None, False),
    ],
)
def test_a_piece_is_read_as_the_standard_says(text: str, last_id: str | None, ends: bool) -> None:
    """Only fields at a line's start count, and only the standard's line ends end a line."""
    piece = stream.Piece(text.encode())
    assert (piece.last_id, piece.ends) == (last_id, ends)


@pytest.mark.parametrize(
    ("method", "path", "accept", "wanted"),
    [
        ("GET", "/a/events", "text/event-stream", True),
        ("GET", "/a/stream/", "text/html, text/event-stream;q=0.9", True),
        ("POST", "/a/events", "text/event-stream", False),
        ("GET", "/a/events", "*/*", False),
        ("GET", "/a/event", "text/event-stream", False),
    ],
)
def test_a_stream_is_what_asks_for_one(method: str, path: str, accept: str, wanted: bool) -> None:
    """Only a GET of /events or /stream by a client that takes event streams is kept open."""
    assert stream.wants_stream(Request(method, path, "", {"accept": accept}, b"")) is wanted
