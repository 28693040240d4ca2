"""A server on loopback that answers as badly as servers can."""

import gzip
import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quintet.adapters.http import GuardedHttpClient
from quintet.adapters.http_guard import AddressGuard


class Handler(BaseHTTPRequestHandler):
    """Does what the path says; anything else is echoed."""

    protocol_version = "HTTP/1.1"
    stop: threading.Event

    def log_message(self, *_: Any) -> None:
        """Keeps quiet."""

    def _any(self) -> None:
        path = self.path.partition("?")[0].strip("/").replace("-", "_").split("/")[0]
        getattr(self, f"at_{path}", self.at_echo)()

    do_GET = do_POST = do_PUT = do_HEAD = _any  # noqa: N815 - the names that the base class looks for

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A complete answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def at_echo(self) -> None:
        """What came."""
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        self.answer(200, json.dumps({**seen, "body": sent.decode()}).encode(), Content_Type="application/json")

    def at_missing(self) -> None:
        """404, with a header twice."""
        self.send_response(404)
        for name, value in (("X-A", "1"), ("X-A", "2"), ("Content-Length", "4")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"none")

    def at_redirect(self) -> None:
        """/redirect/<status>?<location>"""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(int(self.path.partition("?")[0].rsplit("/", 1)[1]), Location=self.path.partition("?")[2])

    def at_around(self) -> None:
        """To itself, for ever."""
        self.answer(302, Location="/around")

    def at_large(self) -> None:
        """More than anyone allows, said in advance."""
        self.answer(200, b"x" * 5000)

    def at_endless(self) -> None:
        """Without a length, for as long as someone reads."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self._until_stopped(b"x" * 1000, 0)

    def at_chunked(self) -> None:
        """In chunks."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    def at_gzip(self) -> None:
        """Packed, though nobody asked for it."""
        self.answer(200, gzip.compress(b"plain"), Content_Encoding="gzip")

    def at_bomb(self) -> None:
        """Small, until it is unpacked."""
        self.answer(200, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")

    def at_cut(self) -> None:
        """Less than was promised."""
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def at_drip(self) -> None:
        """A body, byte by byte."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self._until_stopped(b"x", 0.02)

    def at_drip_headers(self) -> None:
        """A header, byte by byte."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._until_stopped(b"x", 0.02)

    def at_silent(self) -> None:
        """Nothing at all."""
        self.stop.wait(20)

    def at_garbage(self) -> None:
        """Not HTTP."""
        self.wfile.write(b"\x00\x01\x02 what?\r\n\r\n")
        self.close_connection = True

    def _until_stopped(self, part: bytes, pause: float) -> None:
        end = time.monotonic() + 20
        self.close_connection = True
        while not self.stop.is_set() and time.monotonic() < end:
            try:
                self.wfile.write(part)
                self.wfile.flush()
            except OSError:
                return
            if pause:
                self.stop.wait(pause)


class Server(ThreadingHTTPServer):
    """Serves until closed."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.stop = threading.Event()
        super().__init__(("127.0.0.1", 0), type("Bound", (Handler,), {"stop": self.stop}))
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are what is tested here."""

    def close(self) -> None:
        """Ends every handler and the socket."""
        self.stop.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server."""
    running = Server()
    yield running
    running.close()


@pytest.fixture(scope="session")
def other_server() -> Iterator[Server]:
    """A server of another origin."""
    running = Server()
    yield running
    running.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` that nobody signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture(scope="session")
def tls_server(certificate: Path) -> Iterator[Server]:
    """The server over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    running = Server(context)
    yield running
    running.close()


@pytest.fixture
def client() -> GuardedHttpClient:
    """A client that may reach loopback."""
    return GuardedHttpClient(AddressGuard(allow_loopback=True))
