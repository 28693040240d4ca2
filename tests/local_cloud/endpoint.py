"""A user's own HTTP endpoint, which http steps call."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HELD_S = 60.0
"""How long a held call may last, should a test forget to release it."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False  # held calls of runs that were canceled go on hanging


class Endpoint:
    """Notes its calls (`calls`: paths, `keys`: path and Idempotency-Key), fails as often as `failing` says, and holds paths on demand.

    It answers {path}, without the query, and for `?bytes=n` a text of that many bytes more.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.keys: list[tuple[str, str]] = []
        self.failing: dict[str, int] = {}
        self._held: dict[str, threading.Event] = {}
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for path in list(self._held):
            self.release(path)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold(self, path: str) -> None:
        """Lets calls of this path wait for `release`."""
        self._held[path] = threading.Event()

    def release(self, path: str) -> None:
        """Lets the waiting calls of a path, and the coming ones, go on."""
        self._held[path].set()

    def keys_of(self, path: str) -> Counter[str]:
        """How often each Idempotency-Key came with this path."""
        return Counter(key for called, key in self.keys if called == path)

    def answer(self, path: str, key: str) -> tuple[int, dict[str, str]]:
        """One call's status and body."""
        bare = urlsplit(path).path
        self.keys.append((bare, key))
        self.calls.append(path)
        if held := self._held.get(bare):
            held.wait(HELD_S)
        left = self.failing.get(bare, 0)
        self.failing[bare] = left - 1
        wanted = parse_qs(urlsplit(path).query).get("bytes")
        return (500 if left > 0 else 200), {"path": bare} | ({"text": "x" * int(wanted[0])} if wanted else {})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, answer = endpoint.answer(self.path, self.headers.get("idempotency-key", ""))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                try:
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the caller was killed meanwhile

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler
