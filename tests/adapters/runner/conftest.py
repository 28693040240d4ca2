"""The runner and a store that links lead to: a real server on this machine."""

import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "functions" / "runner"))

from quintet_runner.processes import children  # found through the line above
from quintet_runner.sandbox import run  # as above

Rows = Callable[..., dict[str, Any]]


class Store:
    """Blobs by name over HTTP, as presigned links reach them; `refusals` are statuses that the next requests get instead."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.refusals: list[int] = []
        self.asked = threading.Condition()
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name, body = self._name(), b""
                status = store.note("GET", name)
                if status == 200:
                    found = store.blobs.get(name)
                    status, body = (404, b"none") if found is None else (200, found)
                self._answer(status, body)

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = store.note("PUT", self._name())
                if status == 200:
                    store.blobs[self._name()] = body
                self._answer(status, b"")

            def _name(self) -> str:
                return self.path.partition("?")[0].removeprefix("/")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def note(self, method: str, name: str) -> int:
        """Counts a request; the status it gets if its blob is there."""
        with self.asked:
            self.requests.append((method, name))
            self.asked.notify_all()
            return self.refusals.pop(0) if self.refusals else 200

    def link(self, name: str) -> str:
        """What finds a blob, or writes it."""
        return f"http://127.0.0.1:{self._server.server_port}/{name}?signature=s3cret"

    def await_requests(self, name: str, count: int) -> None:
        """Waits until a blob was asked for so often."""
        with self.asked:
            assert self.asked.wait_for(lambda: [asked for _, asked in self.requests].count(name) >= count, 20)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test leaves a process or a folder behind, and looks at leashes come quickly."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("quintet_runner.leash.LOOK_SECONDS", 0.05)
    before = children()
    yield
    assert children() == before
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def rows(store: Store) -> Rows:
    """Runs a task's code over JSON lines (None: without input)."""

    def call(code: str, given: bytes | None = None, count: int = 0, **more: Any) -> dict[str, Any]:
        if given is not None:
            store.blobs["given"] = given
        return run(
            {
                "kind": "rows",
                "code": code,
                "params": {},
                "apiKey": None,
                "rows": None if given is None else {"link": store.link("given"), "count": count},
                "output": store.link("made"),
                "timeout": 10,
                **more,
            }
        )

    return call
