"""A completion webhook from a run's end to its receiver, through tables, queue and function."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of these very tests....").decode()


class Receiver:
    """A user's service: its endpoint at /work, its webhook at /done, which fails once."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, dict[str, str]]] = []
        self.changed = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def wait(self, count: int) -> None:
        """Until it was told so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.told) >= count, timeout=60)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 200
                if self.path == "/done":
                    with receiver.changed:
                        status = 200 if receiver.told else 503
                        receiver.told.append((body, {name.lower(): value for name, value in self.headers.items()}))
                        receiver.changed.notify_all()
                answer = b'{"rows":3}'
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    made = Receiver()
    serving = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield made
    made.server.shutdown()
    serving.join()
    made.server.server_close()


def test_an_ended_run_is_told_again_until_it_is_heard(url: str, receiver: Receiver) -> None:
    """The first attempt fails, the second one is signed anew and verifies; both are listed, and a replay is a third."""
    with httpx.Client(
        base_url=f"{url}/v1", headers={"authorization": "Bearer local-dev-key"}, timeout=40, trust_env=False
    ) as api:
        job = api.post(
            "/jobs",
            json={
                "name": "told",
                "slug": "told",
                "endpoint_url": f"{receiver.url}/work",
                "webhook_url": f"{receiver.url}/done",
                "webhook_secret": SECRET,
            },
        ).json()
        run = api.post(f"/jobs/{job['id']}/trigger", json={"payload": {"n": 1}}).json()
        receiver.wait(2)
        for body, headers in receiver.told:
            told = Webhook(SECRET).verify(body, headers)
            assert (told["run_id"], told["status"], told["result"]) == (run["id"], "completed", {"rows": 3})
            assert headers["webhook-id"] == f"msg_{run['id']}"

        path = f"/webhook-deliveries/msg_{run['id']}"
        end = time.monotonic() + 30
        while (shown := api.get(path).json())["state"] == "pending":
            assert time.monotonic() < end
            time.sleep(0.02)
        assert [one["status_code"] for one in shown["attempts"]] == [503, 200]
        assert [one["id"] for one in api.get("/webhook-deliveries", params={"job_id": job["id"]}).json()] == [
            shown["id"]
        ]
        assert json.dumps(shown).count(SECRET) == 0
        assert api.post(f"{path}/replay").status_code == 202
        receiver.wait(3)
