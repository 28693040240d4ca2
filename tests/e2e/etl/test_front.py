"""The ETL API's front on the whole deployment: both bases, keys, refusals, and pages fetched through a gateway that decodes paths."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import httpx
import pytest

TEXT = "<html><p>Привет</p></html>"
PAGES = {"/page": 200, "/gone": 410, "/leads-inside": 302}


class Site:
    """A web site in Windows-1251, which notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.size = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                body = TEXT.encode("cp1251") + b" " * site.size
                self.send_response(PAGES.get(self.path.partition("?")[0], 404))
                self.send_header("content-type", "text/html; charset=windows-1251")
                self.send_header("content-length", str(len(body)))
                self.send_header("set-cookie", "theirs=1")
                self.send_header("location", "http://169.254.169.254/latest/meta-data")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that may be fetched: the local cloud lets loopback pass."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    """A client that names its organisation before the key."""
    headers = {"x-api-key": "acme:local-dev-key"}
    with httpx.Client(base_url=url, headers=headers, timeout=40, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("base", ["", "/api"])
def test_a_pages_url_survives_the_gateway(api: httpx.Client, site: Site, base: str) -> None:
    """With slashes, question marks and escapes of its own, encoded once or twice; nothing of the caller's goes along, nothing of the
    site's comes back."""
    path = "/page?a=1&b=x%2Fy%20z&c=100%25"
    once = quote(f"http://{site.host}{path}", safe="")
    for url in (once, quote(once, safe="")):
        answer = api.get(f"{base}/webrobot/api/html/{url}/http", headers={"cookie": "mine=1"}, params={"mine": "1"})
        assert (answer.status_code, answer.text) == (200, TEXT)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == "sandbox"
        assert "set-cookie" not in answer.headers
        asked, headers = site.asked.pop()
        assert asked == path
        assert not {"cookie", "x-api-key", "authorization"} & set(headers)


def test_a_large_page_comes_compressed(api: httpx.Client, site: Site) -> None:
    """As it left the function: the gateway hands on bytes."""
    site.size = 5_000_000
    path = f"/webrobot/api/html/{quote(site.host + '/page', safe='')}/http"
    with api.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) < 100_000
    assert gzip.decompress(raw).decode() == TEXT + " " * site.size
    plain = api.get(path, headers={"accept-encoding": "identity"})
    assert (plain.status_code, plain.json()["code"]) == (502, 502)


def test_what_can_not_be_had_is_refused(api: httpx.Client, site: Site) -> None:
    """403 for what is closed, also behind a redirect; 502 for what fails; 400 for what is no URL."""
    for url, protocol, status in (
        (f"{site.host}/gone", "http", 502),
        (f"{site.host}/leads-inside", "http", 403),
        ("169.254.169.254/latest/meta-data", "http", 403),
        ("10.0.0.1", "https", 403),
        ("127.0.0.1:1", "http", 502),
        (f"me:secret@{site.host}/page", "http", 400),
        ("example.com", "ftp", 400),
    ):
        answer = api.get(f"/webrobot/api/html/{quote(url, safe='')}/{protocol}")
        refusal = answer.json()
        assert (answer.status_code, refusal["code"], set(refusal)) == (status, status, {"error", "code", "timestamp"})


def test_it_says_that_it_is_there(url: str) -> None:
    """Below both bases, to GET and HEAD, without a key."""
    for base in (url, f"{url}/api"):
        assert httpx.get(f"{base}/health", trust_env=False).json() == {"status": "ok"}
        assert httpx.head(f"{base}/health", trust_env=False).status_code == 200
        assert httpx.post(f"{base}/health", trust_env=False).status_code == 405


@pytest.mark.parametrize("base", ["", "/api"])
def test_refusals_have_one_shape(url: str, api: httpx.Client, base: str) -> None:
    """No key, no such path, no such method, bad JSON, too large a body: whatever the function sees is answered in this API's words."""
    for method, path, status, more in (
        ("GET", "/webrobot/api/nothing", 404, {}),
        ("GET", "/webrobot", 404, {}),
        ("GET", "/api/strapi-tables", 404, {}),
        ("PATCH", "/webrobot/api/html/example.com/https", 405, {}),
        ("POST", "/api/strapi-tables/front", 400, {"content": b"{"}),
        ("POST", "/api/strapi-tables/front", 400, {"content": b"[]"}),
        ("POST", "/api/strapi-tables/front", 413, {"content": b'"' + b"x" * 2_000_000 + b'"'}),
    ):
        answer = api.request(method, base + path, headers={"content-type": "application/json"}, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, status), path
        assert set(answer.json()) == {"error", "code", "timestamp"}
    assert answer.headers["x-request-id"]
    for headers in ({}, {"x-api-key": "acme:wrong"}, {"x-api-key": "acme:"}):
        answer = httpx.get(f"{url}{base}/webrobot/api/html/example.com/https", headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (401, 401)
