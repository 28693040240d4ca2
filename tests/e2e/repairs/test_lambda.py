"""Repairs of Lambda: errors, time-outs, the bounded pool, and workers that don't outlive the launcher."""

import base64
import concurrent.futures
import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait for a condition and answer its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


def test_an_exception_keeps_its_class_and_the_worker_goes_on(cloud: Any) -> None:
    """The class's name is the errorType, and the next call finds the same process."""
    cloud.function(
        "raises",
        "import os\n"
        "class OrderError(Exception): pass\n"
        "def handler(event, context):\n"
        "    if event.get('bad'): raise OrderError('no such order')\n"
        "    return os.getpid()\n",
    )
    before, _ = cloud.invoke("raises")
    failed, response = cloud.invoke("raises", {"bad": True})
    after, _ = cloud.invoke("raises")
    assert (failed["errorType"], failed["errorMessage"]) == ("OrderError", "no such order")
    assert "raise OrderError" in failed["stackTrace"][0]
    assert response["FunctionError"] == "Unhandled"
    assert before == after


def test_what_a_handler_prints_is_its_log_and_never_its_answer(cloud: Any) -> None:
    """A line that looks like the protocol's is only printed; all output of the call is in its log."""
    cloud.function(
        "prints",
        "import os, sys\n"
        "def handler(event, context):\n"
        '    print(\'{"status": "ok", "result": 1}\')\n'
        "    os.write(1, b'from below\\n')\n"
        "    print('to stderr', file=sys.stderr)\n"
        "    return {'answer': 42}\n",
    )
    response = cloud.client("lambda").invoke(FunctionName="prints", LogType="Tail")
    log = base64.b64decode(response["LogResult"]).decode()
    assert response["Payload"].read() == b'{"answer": 42}'
    assert '"result": 1' in log
    assert "from below" in log
    assert "to stderr" in log


def test_a_function_that_takes_too_long_is_stopped_with_its_children(cloud: Any, tmp_path: Path) -> None:
    """Sandbox.Timedout after Timeout seconds; neither the worker nor what it started runs on; the next call works."""
    note = tmp_path / "child"
    cloud.function(
        "sleeps",
        "import subprocess, time\n"
        "def handler(event, context):\n"
        "    if not event: return 'awake'\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    open(event['note'], 'w').write(str(child.pid))\n"
        "    time.sleep(60)\n",
        Timeout=1,
    )
    failed, _ = cloud.invoke("sleeps", {"note": str(note)})
    assert failed["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in failed["errorMessage"]
    until(lambda: not Path(f"/proc/{note.read_text()}/cmdline").exists() or _is_zombie(int(note.read_text())))
    assert cloud.invoke("sleeps")[0] == "awake"


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("no-module", "import not_there\n", "Runtime.ImportModuleError"),
        ("no-handler", "def other(event, context): pass\n", "Runtime.HandlerNotFound"),
        ("bad-top", "raise KeyError('top')\n", "KeyError"),
        ("bad-answer", "def handler(event, context): return {1, 2}\n", "Runtime.MarshalError"),
        ("leaves", "import os\ndef handler(event, context): os._exit(3)\n", "Runtime.ExitError"),
    ],
)
def test_each_way_to_fail_has_the_name_it_has_on_aws(cloud: Any, name: str, source: str, kind: str) -> None:
    """Import errors, missing handlers, unserializable answers and exits are told apart."""
    cloud.function(name, source)
    assert cloud.invoke(name)[0]["errorType"] == kind


def test_more_calls_than_workers_queue(cloud: Any) -> None:
    """Twelve short calls at once are answered by few workers, and none is refused."""
    cloud.function(
        "queues", "import os, time\ndef handler(event, context):\n    time.sleep(0.02)\n    return os.getpid()\n"
    )
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: cloud.invoke("queues")[0], range(24)))
    assert len(set(answers)) <= 4
    assert all(isinstance(answer, int) for answer in answers)


def test_a_queue_that_stands_still_gets_another_worker(cloud: Any, tmp_path: Path) -> None:
    """When all workers wait for a call that queues behind them, it is served nevertheless."""
    cloud.function(
        "stalls",
        "import pathlib, time\n"
        "def handler(event, context):\n"
        "    gate = pathlib.Path(event['gate'])\n"
        "    if event.get('open'): return gate.write_text('') and None\n"
        "    while not gate.exists(): time.sleep(0.01)\n"
        "    return 'through'\n",
        Timeout=20,
    )
    gate = {"gate": str(tmp_path / "gate")}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        held = [pool.submit(cloud.invoke, "stalls", gate) for _ in range(2)]
        pool.submit(cloud.invoke, "stalls", {**gate, "open": True}).result(20)
        assert [call.result(20)[0] for call in held] == ["through", "through"]


def test_a_function_sees_its_own_environment_and_not_the_launchers(cloud: Any) -> None:
    """Variables of the launcher's shell don't reach a function; AWS's own and the function's do."""
    cloud.function(
        "environment",
        "import os\ndef handler(event, context): return dict(os.environ)\n",
        Environment={"Variables": {"MINE": "yes"}},
    )
    seen, _ = cloud.invoke("environment")
    assert "QUINTET_WORKERS" not in seen
    assert (seen["MINE"], seen["AWS_LAMBDA_FUNCTION_NAME"], seen["AWS_REGION"]) == ("yes", "environment", "us-east-1")
    assert seen["AWS_ENDPOINT_URL"] == cloud.url
    assert {seen["AWS_CONFIG_FILE"], seen["AWS_SHARED_CREDENTIALS_FILE"]} == {os.devnull}


def test_an_asynchronous_call_is_tried_three_times(cloud: Any, tmp_path: Path) -> None:
    """An event whose function fails is retried twice, with the same payload, and the caller doesn't wait."""
    note = tmp_path / "tries"
    cloud.function(
        "event",
        "def handler(event, context):\n"
        "    with open(event['note'], 'a') as note: note.write('x')\n"
        "    raise RuntimeError('again')\n",
    )
    payload = json.dumps({"note": str(note)})
    assert (
        cloud.client("lambda").invoke(FunctionName="event", InvocationType="Event", Payload=payload)["StatusCode"]
        == 202
    )
    until(lambda: note.exists() and note.read_text() == "xxx")


def test_new_code_lets_a_running_call_end(cloud: Any, tmp_path: Path) -> None:
    """A call that runs while its function's code is replaced answers; the next one runs the new code."""
    gate = tmp_path / "gate"
    cloud.function(
        "replaced",
        "import pathlib, time\n"
        "def handler(event, context):\n"
        "    pathlib.Path(event['gate'] + '.in').write_text('')\n"
        "    while not pathlib.Path(event['gate']).exists(): time.sleep(0.01)\n"
        "    return 'old'\n",
        Timeout=20,
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): return 'new'\n")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(cloud.invoke, "replaced", {"gate": str(gate)})
        until(lambda: Path(f"{gate}.in").exists())
        cloud.client("lambda").update_function_code(FunctionName="replaced", ZipFile=package.getvalue())
        gate.write_text("")
        assert running.result(20)[0] == "old"
    assert cloud.invoke("replaced")[0] == "new"


def test_workers_end_with_a_killed_launcher(new_cloud: Callable[..., Any]) -> None:
    """kill -9 of the launcher ends its workers, even in the middle of a handler, and what they started."""
    cloud = new_cloud().start()
    cloud.function("pid", "import os\ndef handler(event, context): return os.getpid()\n")
    cloud.function(
        "busy",
        "import os, subprocess, time\n"
        "def handler(event, context):\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    open(event['note'], 'w').write(f'{os.getpid()} {child.pid} ')\n"
        "    time.sleep(60)\n",
        Timeout=60,
    )
    note = cloud.home / "busy"
    idle, _ = cloud.invoke("pid")
    cloud.client("lambda").invoke(FunctionName="busy", InvocationType="Event", Payload=json.dumps({"note": str(note)}))
    busy = until(lambda: note.exists() and note.read_text().endswith(" ") and note.read_text().split())
    cloud.kill()
    for pid in (idle, *map(int, busy)):
        until(lambda pid=pid: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def test_a_function_calls_another_one_while_all_its_workers_wait(cloud: Any) -> None:
    """Nested calls don't wait for themselves: the inner function has workers of its own."""
    cloud.function("inner", "def handler(event, context): return event['n'] * 2\n")
    cloud.function(
        "outer",
        "import json, os, urllib.request\n"
        "def handler(event, context):\n"
        "    url = os.environ['AWS_ENDPOINT_URL'] + '/2015-03-31/functions/inner/invocations'\n"
        "    request = urllib.request.Request(url, json.dumps(event).encode())\n"
        "    request.add_header('Authorization', 'AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/lambda/aws4_request')\n"
        "    return json.load(urllib.request.urlopen(request))\n",
    )
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: cloud.invoke("outer", {"n": n})[0], range(16)))
    assert answers == [n * 2 for n in range(16)]


def test_a_slow_import_blocks_no_other_function(cloud: Any, tmp_path: Path) -> None:
    """While one function's module is being imported, another one answers."""
    gate = tmp_path / "gate"
    cloud.function(
        "imports",
        "import pathlib, time\n"
        f"while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)\n"
        "def handler(event, context): return 'imported'\n",
    )
    cloud.function("meanwhile", "def handler(event, context): return 'here'\n")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        held = pool.submit(cloud.invoke, "imports")
        assert cloud.invoke("meanwhile")[0] == "here"
        assert not held.done()
        gate.write_text("")
        assert held.result(20)[0] == "imported"
