"""The deployed API through the front door, over a real socket."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx


def test_a_function_sees_the_request_as_from_api_gateway(cloud: Any) -> None:
    """The event has payload format 2.0, the deployed stage and what the client sent."""
    found = cloud.api.post("/api/some/path?x=1&x=2", content=b'{"a":1}', headers={"content-type": "application/json"})
    event = found.json()["event"]
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/api/some/path", "x=1&x=2")
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)
    assert event["requestContext"]["stage"] == "$default"
    assert event["pathParameters"] == {"proxy": "some/path"}
    assert found.json()["stage"] == "local"


def test_both_loopback_addresses_answer(cloud: Any) -> None:
    """`localhost` works wherever it points."""
    assert httpx.get(f"http://localhost:{cloud.port}/health/ready", trust_env=False).json() == {"status": "ready"}


def test_an_unknown_route_is_answered_as_by_api_gateway(cloud: Any) -> None:
    """There is no function behind it, so the gateway says so."""
    found = cloud.api.get("/nothing/here")
    assert (found.status_code, found.json()) == (404, {"message": "Not Found"})


def test_a_functions_fault_tells_the_client_nothing_and_the_terminal_all(cloud: Any) -> None:
    """500 without a stack for the client, the error's class and message for the person at the terminal."""
    found = cloud.api.get("/api/fault")
    assert (found.status_code, found.json()) == (500, {"message": "Internal Server Error"})
    cloud.until_said("GET /api/fault: KeyError: 'no such thing'")


def test_a_stream_arrives_piece_by_piece_on_one_connection(cloud: Any) -> None:
    """Three events from four answers of the function, resumed by id, ended by the end event."""
    with cloud.api.stream("GET", "/api/events?run=s1", headers={"accept": "text/event-stream"}) as response:
        assert response.headers["content-type"] == "text/event-stream"
        lines = [line for line in response.iter_lines() if line]
    assert lines == ["id: 7", "data: 1 0", "id: 8", "data: 1 7", "id: 9", "event: end", "data: 8"]


def test_a_stream_that_is_none_is_an_ordinary_answer(cloud: Any) -> None:
    """404 with its body, not an empty stream."""
    found = cloud.api.get("/api/none/events", headers={"accept": "text/event-stream"})
    assert (found.status_code, found.json()) == (404, {"detail": "no such run"})


def test_too_much_is_refused_while_it_is_still_being_sent(cloud: Any) -> None:
    """A client that sends 12 MB gets its 413 instead of a broken connection, told or chunked."""
    body = b"x" * (12 * 1024 * 1024)
    assert cloud.api.post("/api/x", content=body).status_code == 413

    def chunks() -> Any:
        yield from (body[at : at + 65536] for at in range(0, len(body), 65536))

    assert cloud.api.post("/api/x", content=chunks()).status_code == 413
    assert cloud.api.get("/api/x").status_code == 200


def test_a_binary_body_arrives_as_it_was_sent(cloud: Any) -> None:
    """Bytes that are no text come to the function in base64, as behind API Gateway."""
    event = cloud.api.post("/api/x", content=b"\x00\xff", headers={"content-type": "image/png"}).json()["event"]
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)


def test_the_console_is_served(cloud: Any) -> None:
    """The web page's files come from the checkout."""
    found = cloud.api.get("/console", follow_redirects=True)
    assert (found.status_code, found.headers["content-type"]) == (200, "text/html")
    assert "<title>" in found.text


def test_many_at_once_are_all_answered_by_few_workers(cloud: Any) -> None:
    """Forty calls at once queue for the workers there may be, and each gets its own answer."""
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda number: cloud.api.get(f"/api/n?n={number}").json(), range(40)))
    assert [item["event"]["rawQueryString"] for item in found] == [f"n={number}" for number in range(40)]
    assert len({item["pid"] for item in found}) <= 8


def test_a_worker_that_is_killed_is_replaced(cloud: Any) -> None:
    """The next call is served by a new process."""
    pid = cloud.json("/api/hi")["pid"]
    os.kill(pid, signal.SIGKILL)
    cloud.until(lambda: cloud.api.get("/api/hi").status_code == 200)
    assert cloud.json("/api/hi")["pid"] != pid
