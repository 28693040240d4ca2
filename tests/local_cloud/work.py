"""A user's endpoint that jobs call: it notes every call, measures how many are at work at once, and answers as it is told."""

import json
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

HELD_S = 90.0
"""How long a held call may last, should a test forget to release it."""
_LOOK_S = 0.02


@dataclass(frozen=True)
class Call:
    """A call as it came: `headers` by lower-case name, `at` in seconds since 1970; `closed` is set when its caller has gone."""

    path: str
    headers: Mapping[str, str]
    raw: bytes
    at: float
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def body(self) -> Any:
        """The payload."""
        return json.loads(self.raw)

    @property
    def run_id(self) -> str:
        """Which run it was for."""
        return self.headers["x-run-id"]


Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]
Reply = Callable[[Call], Answer]


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


class Work:
    """`reply` says what a call is answered. Calls of a held path wait for its release."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.reply: Reply = lambda _call: (200, {"done": True})
        self.changed = threading.Condition()
        self.at_work: Counter[str] = Counter()
        """Calls under way, by what `apart` makes of them."""
        self.most: Counter[str] = Counter()
        """The most that were under way at once."""
        self.apart: Callable[[Call], str] = lambda call: call.path
        self._held: set[str] = set()
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

    def hold(self, path: str) -> str:
        """Lets calls of this path wait for `release`; the path's URL."""
        with self.changed:
            self._held.add(path)
        return self.url + path

    def release(self, path: str) -> None:
        """Lets the waiting calls of a path, and the coming ones, go on."""
        with self.changed:
            self._held.discard(path)
            self.changed.notify_all()

    def of(self, run_id: str) -> list[Call]:
        """The calls of a run."""
        return [call for call in self.calls if call.run_id == run_id]

    def wait(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        """Until something holds, looked at whenever a call comes or goes."""
        with self.changed:
            assert self.changed.wait_for(holds, seconds), "it did not come to that"

    def came(self, count: int, path: str | None = None) -> None:
        """Until so many calls have come."""
        self.wait(lambda: sum(path in (None, call.path) for call in self.calls) >= count)

    def _serve(self, call: Call, connection: socket.socket) -> Answer | None:
        """The answer, in its time; None when nobody waits for it any more."""
        name = self.apart(call)
        with self.changed:
            self.calls.append(call)
            self.at_work[name] += 1
            self.most[name] = max(self.most[name], self.at_work[name])
            self.changed.notify_all()
        try:
            return self.reply(call) if self._released(call, connection) else None
        finally:
            with self.changed:  # before the answer: whoever reads it may send the next call at once
                self.at_work[name] -= 1
                self.changed.notify_all()

    def _released(self, call: Call, connection: socket.socket) -> bool:
        end = time.monotonic() + HELD_S
        while True:
            with self.changed:
                if call.path not in self._held or time.monotonic() > end:
                    return True
                if self.changed.wait_for(lambda: call.path not in self._held, _LOOK_S):
                    return True
            if select.select([connection], [], [], 0)[0] and not connection.recv(1, socket.MSG_PEEK):
                call.closed.set()
                return False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        work = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = work._serve(Call(self.path, headers, raw, time.time()), self.connection)
                if answer is None:
                    self.close_connection = True
                    return
                status, body, *more = answer
                text = b"" if body is None else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    for name, value in {"content-type": "application/json", **(more[0] if more else {})}.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    self.close_connection = True  # the caller was killed meanwhile

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler
