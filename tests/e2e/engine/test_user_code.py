"""People's own code in steps: bounded, without a way to the engine's own permissions."""

import socket
import time
from typing import Any

import pytest
from tests.local_cloud.client import Client, step
from tests.local_cloud.server import Server

LOOK = '''
import os, pathlib

def main(input):
    """All that could hold a credential: the environment, the parent's, the files a tool would look for."""
    found = {"env": dict(os.environ), "home": os.listdir(os.path.expanduser("~"))}
    try:
        found["parent"] = pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes().decode()
    except OSError as error:
        found["parent"] = type(error).__name__
    return found
'''


def _python(key: str, code: str, *needed: str, **fields: Any) -> dict[str, Any]:
    return step(key, *needed, kind="python", config={"code": code, **fields.pop("config", {})}, **fields)


def test_code_finds_no_credentials(client: Client) -> None:
    """Neither its own environment, nor the runner's, nor its home folder has a key, a name or an address of the deployment."""
    run_id = client.start(_python("look", LOOK))
    assert client.ended(run_id)["status"] == "completed"
    found = client.steps(run_id)["look"]["result"]
    assert set(found["env"]) <= {"PATH", "HOME", "TMPDIR", "LANG", "TZ"}
    assert found["home"] == []
    assert "AWS" not in found["parent"] and "QUINTET" not in found["parent"] and "TABLE" not in found["parent"]


@pytest.mark.parametrize(
    ("code", "config", "error", "said"),
    [
        ("def main(input):\n    return len(b'x' * 2**30)", {"memoryMb": 128}, "OutOfMemory", "128 MB"),
        ("def main(input):\n    while True: pass", {"timeout": 1}, "Timeout", "more than 1 s"),
        ("def main(input):\n    raise KeyError('colour')", {}, "KeyError", "colour"),
    ],
)
def test_code_that_goes_too_far_fails_its_step(
    client: Client, code: str, config: dict[str, Any], error: str, said: str
) -> None:
    """Beyond its memory, its time, or by an exception: the step's error names it, and nothing else is harmed."""
    run_id = client.start(_python("bad", code, config=config))
    run = client.ended(run_id)
    assert (run["status"], run["error"]["type"], run["error"]["step"]) == ("failed", error, "bad")
    assert said in run["error"]["message"]


def test_a_step_that_may_take_long_is_carried_and_its_attempts_count(client: Client, server: Server) -> None:
    """Above a minute a step runs outside of its burst; a first attempt that fails there is followed by a second."""
    code = "def main(input):\n    assert input['attempt'] == 2, 'first'\n    return {'attempt': input['attempt']}\n"
    retry = {"maxAttempts": 2, "strategy": "custom", "delaysSeconds": [0.1]}
    after = step("after", "long", config={"values": {"seen": "{% steps.long.attempt %}"}})
    run_id = client.start(_python("long", code, timeoutSeconds=90, retry=retry), after)
    run = client.ended(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    assert client.steps(run_id)["after"]["result"] == {"seen": 2}
    started = [event["d"] for event in server.journal(run_id) if event["t"] == "step.started" and event["p"] == "long"]
    assert [(one["attempt"], one["carried"]) for one in started] == [(1, True), (2, True)]


def test_what_code_prints_is_in_the_stream(client: Client) -> None:
    """Lines of both streams come as log events of their step."""
    code = "import sys\ndef main(input):\n    print('hello from', input['input']['who'])\n    print('oh', file=sys.stderr)\n"
    run_id = client.start(_python("talk", code), body={"input": {"who": "Ada"}})
    client.ended(run_id)
    said = {(data["key"], data["level"], data["message"])
            for _, event, data in client.events(run_id) if event == "log"}  # fmt: skip
    assert said == {("talk", "info", "hello from Ada"), ("talk", "warning", "oh")}


BEATS = """
import socket, time

def main(input):
    with socket.create_connection(("127.0.0.1", input["input"]["port"])) as heard:
        while True:
            heard.sendall(b".")
            time.sleep(0.05)
"""


@pytest.mark.parametrize("seconds", [50, 90], ids=["in the burst", "carried"])
def test_canceling_a_run_ends_its_process(client: Client, seconds: int) -> None:
    """Code that is at work when its run is canceled ends with it: its connection, over which it gives signs of life, closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        port = listener.getsockname()[1]
        run_id = client.start(_python("beat", BEATS, timeoutSeconds=seconds), body={"input": {"port": port}})
        heard, _ = listener.accept()
        with heard:
            heard.settimeout(30)
            assert heard.recv(1) == b"."
            assert client.post(f"/automation-runs/{run_id}/cancel").status_code == 200
            until = time.monotonic() + 25
            while heard.recv(4096):
                assert time.monotonic() < until, "the process goes on"
    assert client.ended(run_id)["status"] == "cancelled"
