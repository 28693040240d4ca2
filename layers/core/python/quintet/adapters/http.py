"""Calls endpoints that users name: the port HttpClient, on http.client, behind the address guard.

Not on a pooling client: each exchange has its own connection, so that the address that was checked is the address that is used, and one
deadline holds for resolving, connecting, TLS, redirects, headers and body alike. Proxies from the environment are not used.
"""

import http.client
import ssl
import time
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit

from quintet.adapters.http_guard import AddressGuard, guard_of
from quintet.adapters.http_socket import Deadline, connect
from quintet.adapters.http_target import Target, target_of
from quintet.services.ports.http import HttpAnswer, HttpFault, HttpRequest

MAX_REDIRECTS = 5
AGENT = "Quintet/0.1"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "x-run-token"})


class GuardedHttpClient:
    """The port HttpClient. Safe to use from several threads."""

    def __init__(self, guard: AddressGuard | None = None) -> None:
        self._guard = guard or guard_of()

    def send(self, request: HttpRequest) -> HttpAnswer:
        """The final answer, after at most five redirects. Raises HttpFault."""
        deadline = Deadline(request.timeout, request.stopped)
        began = time.perf_counter()
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._exchange(request, deadline)
            followed = _redirected(request, answer) if request.follows else None
            if followed is None:
                return replace(answer, phases={**answer.phases, "total_ms": _millis(time.perf_counter() - began)})
            request = followed
        raise HttpFault("TooManyRedirects", f"more than {MAX_REDIRECTS} redirects", retryable=False)

    def _exchange(self, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
        target = target_of(request.url)
        phases: dict[str, float] = {}
        try:
            return self._talk(request, target, deadline, phases)
        except (HttpFault, OSError, http.client.HTTPException, zlib.error, ValueError) as error:
            fault = error if isinstance(error, HttpFault) else _fault(error, deadline)
            fault.phases = phases
            raise fault from None

    def _talk(self, request: HttpRequest, target: Target, deadline: Deadline, phases: dict[str, float]) -> HttpAnswer:
        """One exchange; `phases` holds what was over when it failed."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = connect(target.host, target.port, target.tls, self._guard, deadline)
        connected = time.perf_counter()
        phases["connect_ms"] = _millis(connected - began)
        try:
            _write(connection, request, target)
            response = connection.getresponse()
            headers_read = time.perf_counter()
            phases["ttfb_ms"] = _millis(headers_read - connected)
            with closing(response):
                body = _read(response, request)
        finally:
            connection.close()
        phases["transfer_ms"] = _millis(time.perf_counter() - headers_read)
        return HttpAnswer(response.status, _headers(response), body, request.url, phases)


def _millis(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _fault(error: Exception, deadline: Deadline) -> HttpFault:
    """What a failed exchange is called."""
    if isinstance(error, TimeoutError):
        return HttpFault("Timeout", f"no complete answer within {deadline.seconds:g} s", retryable=True)
    if isinstance(error, ssl.SSLError):
        return _tls_fault(error)
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead)):
        return HttpFault("Connection", "the server closed the connection", retryable=True)
    if isinstance(error, OSError):
        return HttpFault(
            "Connection", f"the connection failed: {error.strerror or type(error).__name__}", retryable=True
        )
    if isinstance(error, (http.client.InvalidURL, ValueError)):
        return HttpFault("InvalidUrl", "the URL or a header holds characters that are not allowed", retryable=False)
    return HttpFault("Protocol", f"the answer is not HTTP: {type(error).__name__}", retryable=True)


def _tls_fault(error: ssl.SSLError) -> HttpFault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return HttpFault("Tls", f"the certificate is not valid: {error.verify_message}", retryable=False)
    return HttpFault("Tls", f"TLS failed: {error.reason or type(error).__name__}", retryable=True)


def _write(connection: http.client.HTTPConnection, request: HttpRequest, target: Target) -> None:
    given = {name.lower(): (name, value) for name, value in request.headers.items()}
    defaults = {"Host": target.authority, "User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    ruled = {"connection", "transfer-encoding", "content-length"}
    connection.putrequest(request.method, target.path, skip_host=True, skip_accept_encoding=True)
    for name, value in defaults.items():
        connection.putheader(*given.pop(name.lower(), (name, value)))
    for name, value in given.values():
        if name.lower() not in ruled:
            connection.putheader(name, value.encode() if not value.isascii() else value)
    connection.putheader("Connection", "close")
    if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", str(len(request.body or b"")))
    connection.endheaders(request.body)


def _read(response: http.client.HTTPResponse, request: HttpRequest) -> bytes:
    declared = response.length
    if declared is not None and declared > request.max_bytes:
        raise _too_large(request)
    body = response.read(request.max_bytes + 1)
    if len(body) > request.max_bytes:
        raise _too_large(request)
    if response.length:
        raise HttpFault("Connection", "the connection ended before the whole answer came", retryable=True)
    encoding = (response.getheader("Content-Encoding") or "identity").strip().lower()
    return body if encoding == "identity" or not body else _unpacked(body, encoding, request)


def _unpacked(body: bytes, encoding: str, request: HttpRequest) -> bytes:
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise HttpFault("Protocol", f"the answer's encoding {encoding[:20]} is unknown", retryable=False)
    # 32 + 15: zlib tells gzip and zlib headers apart by itself.
    unpacker = zlib.decompressobj(32 + 15)
    plain = unpacker.decompress(body, request.max_bytes + 1)
    if len(plain) > request.max_bytes:
        raise _too_large(request)
    return plain


def _too_large(request: HttpRequest) -> HttpFault:
    return HttpFault("TooLarge", f"the answer is larger than {request.max_bytes} bytes", retryable=False)


def _headers(response: http.client.HTTPResponse) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _redirected(request: HttpRequest, answer: HttpAnswer) -> HttpRequest | None:
    """The request that follows a redirect; None when there is none to follow."""
    location = answer.headers.get("location")
    if answer.status not in _REDIRECTS or not location:
        return None
    try:
        url = urljoin(request.url, location)
        was, now = urlsplit(request.url), urlsplit(url)
    except ValueError:
        raise HttpFault("Protocol", "the answer redirects to what is not a URL", retryable=False) from None
    drop = frozenset() if _origin(was) == _origin(now) else _SECRET_HEADERS
    method, body = request.method, request.body
    if method not in ("GET", "HEAD") and (answer.status == 303 or (method == "POST" and answer.status in (301, 302))):
        method, body = "GET", None
        drop |= {"content-type"}
    headers = {name: value for name, value in request.headers.items() if name.lower() not in drop}
    return replace(request, method=method, url=url, headers=headers, body=body)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
