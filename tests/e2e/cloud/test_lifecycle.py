"""Starting, stopping, being killed, and starting again."""

import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

Launch = Callable[..., Any]


def _swept(cloud: Any) -> list[dict[str, Any]]:
    return [json.loads(item["event"]["S"]) for item in cloud.json("/api/items/swept")["item"]]


def test_data_outlasts_a_stop_and_a_second_start_deploys_nothing(launch: Launch) -> None:
    """Items, objects, keys and machines are there after a restart, and the sweep runs at each start."""
    first = launch("--no-watch").ready()
    assert _swept(first) == [{"leases": "lapsed"}]
    first.api.put("/api/items/one")
    made = first.json("/api/services")
    assert made["machine"] == {"said": "hello"}
    first.until(lambda: any("Records" in event for event in _swept(first)))
    assert first.stop() == 0
    assert first.processes() == []
    assert not (first.home / "tmp").exists()

    second = launch("--no-watch").ready()
    assert second.json("/api/items/one")["item"]["sk"]["S"] == "one"
    found = second.json(f"/api/kept?sealed={made['sealed'].replace('+', '%2B')}")
    assert found == {"unsealed": "secret", "stored": "kept", "machine": {"said": "hello"}}
    assert _swept(second).count({"leases": "lapsed"}) == 2
    assert not any("Deploying" in line for line in second.said)
    assert second.stop(signal.SIGINT) == 0
    assert second.complained == []


def test_an_acknowledged_write_survives_a_kill_and_no_worker_does(relaunch: Launch) -> None:
    """After kill -9 every item that was answered for is there; workers end with the launcher, in mid-call as well."""
    first = relaunch().ready()
    for number in range(20):
        assert first.api.put(f"/api/items/k{number}").status_code == 200
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{first.url}/api/slow?seconds=15", timeout=30, trust_env=False)
        first.until(lambda: len(first.processes()) > 1)
        first.stop(signal.SIGKILL)
        first.until(lambda: first.processes() == [], 5)
        assert isinstance(waiting.exception(), httpx.HTTPError)

    second = relaunch().ready()
    assert all(second.api.get(f"/api/items/k{number}").status_code == 200 for number in range(20))
    assert second.stop() == 0
    assert not (second.home / "tmp").exists()


def test_a_stop_does_not_wait_for_a_slow_call(relaunch: Launch) -> None:
    """SIGTERM ends the process in time while a function still runs, and its client gets an error."""
    first = relaunch().ready()
    first.json("/api/hi")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{first.url}/api/slow?seconds=18", timeout=30, trust_env=False)
        first.until(lambda: len(first.processes()) > 1)
        assert first.stop() == 0
        assert not waiting.done() or waiting.exception() or waiting.result().status_code >= 500
    assert first.processes() == []


def test_a_stop_during_the_start_is_clean(launch: Launch) -> None:
    """SIGTERM while the template is being deployed ends the process, and the next start is whole."""
    first = launch("--no-watch")
    first.until_said("Deploying")
    assert first.stop() == 0
    assert first.processes() == []
    second = launch("--no-watch").ready()
    assert second.json("/api/hi")["stage"] == "local"


def _refused(cloud: Any) -> str:
    """The one sentence of a server that did not start."""
    code = cloud.process.wait(30)
    cloud.stop()
    assert code == 2, (cloud.said, cloud.complained)
    [said] = cloud.complained
    assert said.startswith("quintet: ") and said.endswith(".\n")
    return str(said)


def test_a_taken_port_is_said_in_one_sentence(launch: Launch) -> None:
    """The sentence names the port and the setting."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = _refused(launch(port=port))
    assert f"Port {port} of 127.0.0.1 cannot be used (address already in use); set QUINTET_PORT" in said


def test_a_second_server_on_the_same_home_is_refused(relaunch: Launch) -> None:
    """The first one goes on."""
    first = relaunch().ready()
    assert f"Another Quintet server (process {first.process.pid}) already uses" in _refused(relaunch())
    assert first.json("/api/hi")["version"] == "first"


def test_a_home_that_cannot_be_written_is_said_in_one_sentence(launch: Launch, tmp_path: Path) -> None:
    """The sentence names the folder."""
    (tmp_path / "file").write_text("x")
    assert "file/home cannot be written: Not a directory." in _refused(launch(home=tmp_path / "file" / "home"))


def test_a_wrong_setting_is_said_in_one_sentence(launch: Launch) -> None:
    """The sentence names the variable."""
    assert "QUINTET_WORKERS must be a whole number" in _refused(launch(QUINTET_WORKERS="many"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Resources: [", "template.yaml is not valid YAML"),
        ("Resources:\n  A: {Type: 'AWS::SQS::Nothing'}\n", "template.yaml"),
        (
            "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: none/}}\n",
            "which is not a folder",
        ),
    ],
)
def test_a_template_that_cannot_be_deployed_is_said_in_one_sentence(
    launch: Launch, checkout: Path, text: str, said: str
) -> None:
    """Broken YAML, an unknown type and a missing folder end the start without a traceback."""
    (checkout / "template.yaml").write_text("Transform: AWS::Serverless-2016-10-31\n" + text)
    assert said in _refused(launch())


def test_a_damaged_record_is_refused_and_left_as_it_is(relaunch: Launch) -> None:
    """Data is never replaced by empty tables because a file cannot be read or is gone."""
    first = relaunch().ready()
    first.api.put("/api/items/one")
    first.stop()
    record = first.home / "control-plane.json"
    whole = record.read_text()
    record.write_text(whole[:100])
    assert "is damaged: control-plane.json cannot be read" in _refused(relaunch())
    record.unlink()
    assert "is damaged: it holds data, but control-plane.json is missing" in _refused(relaunch())
    record.write_text(whole)
    assert relaunch().ready().json("/api/items/one")["item"]["sk"]["S"] == "one"
