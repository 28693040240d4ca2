"""Creates the job, triggers it and shows its run until it has ended. `start.py [text] [endpoint's port]`"""

import json
import os
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

PORT = int(os.environ.get("QUINTET_PORT", "8020"))
HEADERS = {
    "Authorization": f"Bearer {os.environ.get('QUINTET_API_KEY', 'local-dev-key')}",
    "Content-Type": "application/json",
}
TEXT = "to be or not to be\nthat is the question"
ENDED = {"completed", "failed", "timed_out", "crashed", "system_failed", "canceled", "expired"}


def ask(method: str, path: str, body: Any = None, *, expect: tuple[int, ...] = (200, 201)) -> Any:
    """One request's JSON. Raises RuntimeError for a status that is not expected."""
    connection = HTTPConnection("localhost", PORT, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), HEADERS)
        answer = connection.getresponse()
        said = answer.read().decode()
    finally:
        connection.close()
    if answer.status not in expect:
        raise RuntimeError(f"{method} {path}: {answer.status} {said}")
    return json.loads(said)


def the_job(endpoint_port: str) -> Any:
    """The job of job.json: created, or brought up to date when its slug is taken."""
    wanted = json.loads((Path(__file__).parent / "job.json").read_text())
    wanted["endpoint_url"] = wanted["endpoint_url"].replace("8021", endpoint_port)
    job = ask("POST", "/v1/jobs", wanted, expect=(201, 409))
    if "error" not in job:
        return job
    (known,) = ask("GET", f"/v1/jobs?slug={wanted['slug']}")
    return ask("PATCH", f"/v1/jobs/{known['id']}", wanted)


def main(text: str = TEXT, endpoint_port: str = "8021") -> int:
    """Trigger and watch; the exit code is 0 for a run that completed."""
    job = the_job(endpoint_port)
    run = ask("POST", f"/v1/jobs/{job['id']}/trigger", {"payload": {"text": text}})
    shown = None
    while run["status"] not in ENDED:
        if run["status"] != shown:
            shown = run["status"]
            sys.stdout.write(f"{shown}\n")
        time.sleep(0.2)
        run = ask("GET", f"/v1/runs/{run['id']}")
    outputs = {one["output_key"]: one["value"] for one in ask("GET", f"/v1/runs/{run['id']}/outputs")}
    ended = {"status": run["status"], "result": run.get("result"), "error": run.get("error"), "outputs": outputs}
    sys.stdout.write(json.dumps(ended) + "\n")
    return 0 if run["status"] == "completed" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
