"""The outgoing HTTP client against a real server on loopback."""

import json
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quintet.adapters import http_socket
from quintet.adapters.http import GuardedHttpClient
from quintet.adapters.http_guard import AddressGuard
from quintet.adapters.http_urls import GuardedUrls
from quintet.services.ports.http import HttpAnswer, HttpFault, HttpRequest

HASTY = 0.4
"""Seconds for exchanges that must be cut off."""


def get(client: GuardedHttpClient, url: str, **more: Any) -> HttpAnswer:
    """A GET that would wait long."""
    return client.send(replace(HttpRequest("GET", url, timeout=10.0), **more))


def fault(client: GuardedHttpClient, url: str, **more: Any) -> HttpFault:
    """The fault of a GET."""
    with pytest.raises(HttpFault) as raised:
        get(client, url, **more)
    return raised.value


def at(server: Any, path: str = "/", host: str = "127.0.0.1") -> str:
    """A URL of the server."""
    return f"http://{host}:{server.port}{path}"


def test_an_exchange(client: GuardedHttpClient, server: Any) -> None:
    """Method, path, query, headers and body arrive; the answer comes with its phases measured."""
    url = at(server, "/a b/ü?q=1&r=%20x")
    request = HttpRequest("POST", url, {"X-A": "1", "Connection": "keep-alive", "Content-Length": "999"}, b"body")

    answer = client.send(request)

    seen = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/a%20b/%C3%BC?q=1&r=%20x", "body")
    assert seen["headers"].items() >= {"x-a": "1", "connection": "close", "content-length": "4"}.items()
    assert seen["headers"]["host"] == f"127.0.0.1:{server.port}"
    assert set(answer.phases) == {"connect_ms", "ttfb_ms", "transfer_ms", "total_ms"}
    assert 0 < answer.phases["connect_ms"] <= answer.phases["total_ms"]


def test_error_statuses_are_answers(client: GuardedHttpClient, server: Any) -> None:
    """Judging them is the step's; repeated headers are joined."""
    answer = get(client, at(server, "/missing"))

    assert (answer.status, answer.body, answer.headers["x-a"]) == (404, b"none", "1, 2")


def test_head_and_chunks_and_packed_bodies(client: GuardedHttpClient, server: Any) -> None:
    """Every way a body may come, or not."""
    assert client.send(HttpRequest("HEAD", at(server, "/large"))).body == b""
    assert get(client, at(server, "/chunked")).body == b"abcde"
    assert get(client, at(server, "/gzip")).body == b"plain"


@pytest.mark.parametrize("path", ["/large", "/endless", "/bomb"])
def test_answers_are_bounded(client: GuardedHttpClient, server: Any, path: str) -> None:
    """Whether the size is announced, not announced, or hidden by packing."""
    found = fault(client, at(server, path), max_bytes=4000)

    assert (found.type, found.retryable) == ("TooLarge", False)


@pytest.mark.parametrize("path", ["/drip", "/drip-headers", "/silent"])
def test_the_whole_exchange_has_one_deadline(client: GuardedHttpClient, server: Any, path: str) -> None:
    """A server that keeps sending a little is cut off like one that says nothing."""
    found = fault(client, at(server, path), timeout=HASTY)

    assert (found.type, found.retryable) == ("Timeout", True)


@pytest.mark.parametrize("path", ["/silent", "/drip"])
def test_an_answer_that_nobody_waits_for_is_not_waited_for(client: GuardedHttpClient, server: Any, path: str) -> None:
    """The connection is closed long before its time is over, and the call is not tried again."""
    wanted = iter([True, False])

    found = fault(client, at(server, path), timeout=60.0, stopped=lambda: not next(wanted))

    assert (found.type, found.retryable) == ("Canceled", False)


def test_a_body_that_stops_short_is_no_answer(client: GuardedHttpClient, server: Any) -> None:
    """The connection failed, and the call may be tried again."""
    found = fault(client, at(server, "/cut"))

    assert (found.type, found.retryable) == ("Connection", True)


def test_what_is_not_http_is_no_answer(client: GuardedHttpClient, server: Any) -> None:
    """A protocol fault."""
    assert fault(client, at(server, "/garbage")).type == "Protocol"


def test_nobody_listening(client: GuardedHttpClient) -> None:
    """A refused connection may be tried again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

        found = fault(client, f"http://127.0.0.1:{port}/")

    assert (found.type, found.retryable) == ("Connection", True)


@pytest.mark.parametrize(
    ("status", "method", "becomes", "body"),
    [(301, "POST", "GET", ""), (302, "POST", "GET", ""), (303, "PUT", "GET", ""), (307, "POST", "POST", "b"),
     (308, "PUT", "PUT", "b"), (302, "PUT", "PUT", "b"), (302, "GET", "GET", "")],
)  # fmt: skip
def test_redirects(client: GuardedHttpClient, server: Any, status: int, method: str, becomes: str, body: str) -> None:
    """As browsers follow them; inside an origin secrets go along."""
    headers = {"Authorization": "secret", "Content-Type": "text/plain"}
    sent = HttpRequest(method, at(server, f"/redirect/{status}?/next"), headers, None if method == "GET" else b"b")

    seen = json.loads(client.send(sent).body)

    assert (seen["method"], seen["path"], seen["body"]) == (becomes, "/next", body)
    assert seen["headers"]["authorization"] == "secret"


def test_secrets_do_not_follow_to_another_origin(client: GuardedHttpClient, server: Any, other_server: Any) -> None:
    """Authorization, cookies, API keys and run tokens stay behind; the rest goes along."""
    headers = {"Authorization": "s", "cookie": "s", "X-API-Key": "s", "X-Run-Token": "s", "X-Other": "kept"}
    sent = HttpRequest("GET", at(server, f"/redirect/302?{at(other_server, '/next')}"), headers)

    seen = json.loads(client.send(sent).body)["headers"]

    assert seen["x-other"] == "kept"
    assert not {"authorization", "cookie", "x-api-key", "x-run-token"} & set(seen)


def test_redirects_end(client: GuardedHttpClient, server: Any) -> None:
    """After five."""
    assert fault(client, at(server, "/around")).type == "TooManyRedirects"


@pytest.mark.parametrize(
    "target",
    ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/", "file:///etc/hosts",
     "gopher://x.example/", "http://0xa9fea9fe/", "//192.168.0.1/"],
)  # fmt: skip
def test_redirects_are_judged_like_any_target(client: GuardedHttpClient, server: Any, target: str) -> None:
    """No detour into what is closed."""
    found = fault(client, at(server, f"/redirect/302?{target}"))

    assert (found.type, found.retryable) == ("Refused", False)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:7f00:1]", "10.0.0.1",
     "0xa.1", "012.0.0.1", "167772161", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "100.64.0.1",
     "1681915905", "192.168.1.1", "3232235777", "0", "[::]", "[::127.0.0.1]", "[::ffff:169.254.169.254]",
     "[::ffff:0:10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]",
     "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[fd00:ec2::254]", "[fe80::1]"],
)  # fmt: skip
def test_no_spelling_of_a_closed_address_passes(server: Any, host: str) -> None:
    """Numbers are judged by what they resolve to."""
    found = fault(GuardedHttpClient(AddressGuard()), at(server, host=host))

    assert (found.type, found.retryable) == ("Refused", False)


def test_the_emulators_port_is_closed(server: Any, other_server: Any) -> None:
    """On a developer's machine too, also by a redirect."""
    client = GuardedHttpClient(AddressGuard(allow_loopback=True, closed_ports=frozenset({other_server.port})))

    assert get(client, at(server)).status == 200
    assert fault(client, at(other_server)).type == "Refused"
    assert fault(client, at(server, f"/redirect/307?{at(other_server)}")).type == "Refused"


@pytest.mark.parametrize(
    ("url", "type_"),
    [
        ("ftp://x.example/", "Refused"),
        ("http:///nohost", "InvalidUrl"),
        ("http://user:pw@127.0.0.1/", "InvalidUrl"),
        ("http://127.0.0.1:99999/", "InvalidUrl"),
        ("http://[::1/", "InvalidUrl"),
        ("http://" + "a" * 80 + ".example/", "InvalidUrl"),
        ("", "Refused"),
    ],
)
def test_bad_urls(client: GuardedHttpClient, url: str, type_: str) -> None:
    """Refused before anything is resolved."""
    found = fault(client, url)

    assert (found.type, found.retryable) == (type_, False)


def _resolves(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Makes every name resolve to these; the names that were asked for."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(http_socket.socket, "getaddrinfo", look_up)
    return asked


def test_a_name_is_resolved_once(client: GuardedHttpClient, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is connected to: a name that changes in between gains nothing."""
    asked = _resolves(monkeypatch, "127.0.0.1")

    assert get(client, at(server, host="rebound.example")).status == 200
    assert asked == ["rebound.example"]


def test_one_closed_address_closes_the_name(
    client: GuardedHttpClient, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though another of its addresses is open."""
    _resolves(monkeypatch, "127.0.0.1", "10.0.0.1")

    assert fault(client, at(server, host="mixed.example")).type == "Refused"


def test_an_unknown_name_may_be_tried_again(client: GuardedHttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolvers fail for a while."""

    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(http_socket.socket, "getaddrinfo", fail)

    found = fault(client, "http://unknown.example/")

    assert (found.type, found.retryable) == ("Connection", True)


def test_a_resolver_that_hangs_is_cut_off(client: GuardedHttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no time-out of its own."""
    released = threading.Event()
    monkeypatch.setattr(http_socket.socket, "getaddrinfo", lambda *_, **__: released.wait(20) and [])

    found = fault(client, "http://slow.example/", timeout=0.1)
    released.set()

    assert found.type == "Timeout"


def test_a_fault_tells_how_far_the_exchange_came(client: GuardedHttpClient, server: Any) -> None:
    """The phases that were over, and no others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = fault(client, f"http://127.0.0.1:{probe.getsockname()[1]}/")

    assert nobody.phases == {}
    assert set(fault(client, at(server, "/silent"), timeout=HASTY).phases) == {"connect_ms"}
    assert set(fault(client, at(server, "/cut")).phases) == {"connect_ms", "ttfb_ms"}


def test_a_name_that_was_public_when_it_was_saved_is_judged_again(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the resolver answers with a public address first, then with a private one, and with loopback."""
    answers = iter(["93.184.216.34", "10.0.0.1", "127.0.0.1"])

    def look_up(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(http_socket.socket, "getaddrinfo", look_up)
    url = at(server, host="rebound.example")
    deployed = GuardedHttpClient(AddressGuard())

    assert GuardedUrls(AddressGuard()).refusal(url) is None
    assert fault(deployed, url).type == "Refused"
    assert fault(deployed, url).type == "Refused"


def test_a_name_that_changes_between_redirects_is_judged_each_time(
    client: GuardedHttpClient, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name, asked again for the second exchange, leads inside."""
    answers = iter(["127.0.0.1", "10.0.0.1"])

    def look_up(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(http_socket.socket, "getaddrinfo", look_up)

    assert fault(client, at(server, "/redirect/307?/next", host="rebound.example")).type == "Refused"


def test_proxies_of_the_environment_are_not_used(
    client: GuardedHttpClient, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would see what the guard forbids."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")

    assert get(client, at(server)).status == 200


def test_tls_needs_a_certificate_someone_signed(client: GuardedHttpClient, tls_server: Any) -> None:
    """Trying again would not help."""
    found = fault(client, f"https://localhost:{tls_server.port}/")

    assert (found.type, found.retryable) == ("Tls", False)


def test_tls(client: GuardedHttpClient, tls_server: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a trusted certificate of the right name it works, deadline included; with another name it does not."""
    context = ssl.create_default_context(cafile=certificate)
    context.sslsocket_class = http_socket.DeadlineTlsSocket
    monkeypatch.setattr(http_socket, "tls_context", lambda: context)
    url = f"https://localhost:{tls_server.port}"

    assert json.loads(get(client, url + "/x").body)["path"] == "/x"
    assert fault(client, url + "/drip", timeout=HASTY).type == "Timeout"
    assert fault(client, url + "/drip-headers", timeout=HASTY).type == "Timeout"
    assert fault(client, f"https://127.0.0.1:{tls_server.port}/").type == "Tls"
