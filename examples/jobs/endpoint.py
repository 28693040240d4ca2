"""A job's endpoint: checks the signature, answers 202, counts words and reports by the run side. `endpoint.py [port]`"""

import json
import os
import sys
import threading
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

QUINTET_PORT = int(os.environ.get("QUINTET_PORT", "8020"))
SECRET = json.loads((Path(__file__).parent / "job.json").read_text())["webhook_secret"]
"""What both sides know; a real endpoint has it from its own settings."""


class Run:
    """The run side of one attempt: what the token that came with its call allows."""

    def __init__(self, run_id: str, token: str) -> None:
        self._path = f"/sdk/v1/runs/{run_id}"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def tell(self, what: str, **body: Any) -> bool:
        """Report something; False when nobody waits for this attempt any more, as after a cancel."""
        connection = HTTPConnection("localhost", QUINTET_PORT, timeout=30)
        try:
            connection.request("POST", f"{self._path}/{what}", json.dumps(body), self._headers)
            answer = connection.getresponse()
            said = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400 and answer.status != 409:
            raise RuntimeError(f"{what}: {answer.status} {said}")
        return answer.status != 409


def count(run: Run, text: str) -> None:
    """Do the work line by line; every report is a sign of life, of which there must be one a minute."""
    words: Counter[str] = Counter()
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        words.update(line.lower().split())
        if not run.tell("progress", percent=100 * number / len(lines), message=f"line {number} of {len(lines)}"):
            return
    run.tell("output", output_key="most_common", value=words.most_common(3))
    run.tell("complete", result={"words": words.total(), "different": len(words)})


class Handler(BaseHTTPRequestHandler):
    """Takes the calls that Quintet makes."""

    def do_POST(self) -> None:
        """Answer 401 to what is not signed; else 202, and work in a thread of its own."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            payload = Webhook(SECRET).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self._answer(401)
            return
        run = Run(self.headers["X-Run-ID"], self.headers["X-Run-Token"])
        self._answer(202)
        threading.Thread(target=count, args=(run, payload["text"]), daemon=True).start()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()


if __name__ == "__main__":
    PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8021
    with ThreadingHTTPServer(("localhost", PORT), Handler) as server:
        server.serve_forever()
