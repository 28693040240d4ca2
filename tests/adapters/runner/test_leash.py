"""A leash that is pulled ends the code's process, and everything that it started."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quintet_runner.sandbox import run  # found by conftest

LONG = "import time\ndef main(input):\n    time.sleep(60)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ndef main(input): time.sleep(60)"


def pulled(store: Any, event: dict[str, Any], looks: int = 1) -> dict[str, Any]:
    """The answer of an attempt whose leash is pulled after so many looks at it."""
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.append(run({"timeout": 30, "leash": store.link("leash"), **event})))
    thread.start()
    store.await_requests("leash", looks)
    store.blobs["leash"] = b"{}"
    thread.join(20)
    assert found, "the process did not end"
    return found[0]


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "python", "code": LONG},
        {"kind": "python", "code": "def main(input):\n    while True: pass"},
        {"kind": "python", "code": "import os\ndef main(input):\n    os.fork()\n    while True: pass"},
        {"kind": "shell", "script": ["sleep 60 & sleep 60"]},
        {"kind": "rows", "code": LONG, "rows": None, "output": "http://127.0.0.1:9/none"},
    ],
    ids=["python", "busy", "forked", "shell", "rows"],
)
def test_a_pulled_leash_stops_the_code(store: Any, event: dict[str, Any]) -> None:
    """Of every kind, within a moment; the answer says so, and nothing is left (the fixture looks for it)."""
    answer = pulled(store, event)

    assert answer["ok"] is False
    assert answer["error"] == {"type": "Stopped", "message": "the code was stopped: nobody waits for it any more"}
    assert answer["usage"]["wallSeconds"] < 20


def test_code_may_clean_up(store: Any, tmp_path: Path) -> None:
    """It is interrupted first."""
    traces = tmp_path / "traces"
    script = [f"trap 'echo cleaned; touch {traces}; exit' INT", "echo began", "sleep 60 & wait"]

    answer = pulled(store, {"kind": "shell", "script": script})

    assert answer["error"]["type"] == "Stopped"
    assert answer["stdout"] == "began\ncleaned\n"


def test_code_that_does_not_listen_is_killed(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the seconds that it has to clean up."""
    monkeypatch.setattr("quintet_runner.sandbox.INTERRUPT_SECONDS", 0.2)

    assert pulled(store, {"kind": "python", "code": STUBBORN})["error"]["type"] == "Stopped"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_only_what_is_there_pulls(store: Any, status: int) -> None:
    """A store that hides what is missing, stumbles or hangs up does not end the code."""
    store.refusals = [status] * 3
    code = "import time\ndef main(input):\n    time.sleep(0.4)\n    return 'done'"

    answer = run({"kind": "python", "code": code, "leash": store.link("leash"), "timeout": 10})

    assert answer["result"] == "done"
    assert len(store.requests) > 3


def test_a_store_that_can_not_be_reached_ends_nothing() -> None:
    """The code goes on; it has its time."""
    code = "import time\ndef main(input):\n    time.sleep(0.2)\n    return 'done'"

    assert run({"kind": "python", "code": code, "leash": "http://127.0.0.1:9/x", "timeout": 10})["result"] == "done"


def test_fast_code_costs_no_look(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks begin after a second."""
    monkeypatch.setattr("quintet_runner.leash.LOOK_SECONDS", 1.0)

    answer = run({"kind": "python", "code": "def main(input): return 1", "leash": store.link("leash"), "timeout": 10})

    assert answer["result"] == 1
    assert store.requests == []


def test_no_thread_stays(store: Any) -> None:
    """The one that looks ends with the code."""
    before = threading.active_count()
    code = "import time\ndef main(input): time.sleep(0.2)"

    run({"kind": "python", "code": code, "leash": store.link("leash"), "timeout": 10})

    assert len([thread for thread in threading.enumerate() if "_watch" in thread.name]) == 0
    assert threading.active_count() <= before + 1  # the store's own, of an open connection


def test_a_leash_that_is_pulled_while_rows_are_fetched(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is not begun."""
    from quintet_runner import transfers  # noqa: PLC0415 - found by conftest

    class Pulled:
        pulled = True
        fd = -1

    store.blobs["given"] = b'{"a":1}\n'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfers, "Attempt", _never)
        answer = transfers.run_rows(
            {"rows": {"link": store.link("given"), "count": 1}, "timeout": 10}, Path(), Pulled()
        )

    assert answer["error"] == {"type": "Stopped", "message": "the code was stopped"}


def _never(*_: object) -> Callable[..., Any]:
    raise AssertionError("the code was begun")
